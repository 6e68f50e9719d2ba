"""The integer and pointer encodings of DWARF and of .eh_frame."""

from __future__ import annotations

import struct

_U16, _U32, _U64 = struct.Struct("<H"), struct.Struct("<I"), struct.Struct("<Q")
_S16, _S32, _S64 = struct.Struct("<h"), struct.Struct("<i"), struct.Struct("<q")

#: DW_EH_PE_* (LSB Core, 10.5): the low nibble is the format, the next three bits the base.
OMIT = 0xFF
_FORMATS = {0: _U64, 2: _U16, 3: _U32, 4: _U64, 10: _S16, 11: _S32, 12: _S64}
PC_RELATIVE, DATA_RELATIVE = 0x10, 0x30

#: A 64-bit number takes 70 bits of LEB128, some more where it was padded; without a bound, the time is quadratic.
_MOST_BITS = 140


def read_uleb128(data: bytes, position: int) -> tuple[int, int]:
    """An unsigned LEB128 and the position after it. IndexError at the end of ``data``, ValueError without end."""
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > _MOST_BITS:
            raise ValueError("a number without end")


def read_sleb128(data: bytes, position: int) -> tuple[int, int]:
    """A signed LEB128 and the position after it. IndexError at the end of ``data``, ValueError without end."""
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return (value - (1 << shift) if byte & 0x40 else value), position
        if shift > _MOST_BITS:
            raise ValueError("a number without end")


def sleb128(value: int) -> bytes:
    """``value`` as a signed LEB128."""
    written = bytearray()
    while True:
        byte, value = value & 0x7F, value >> 7
        if value == (-1 if byte & 0x40 else 0):
            written.append(byte)
            return bytes(written)
        written.append(byte | 0x80)


def read_pointer(data: bytes, position: int, encoding: int, address: int, data_base: int = 0) -> tuple[int, int]:
    """A pointer in ``encoding`` (DW_EH_PE_*), and the position after it.

    ``address`` is the virtual address of ``data[0]``, ``data_base`` what
    data-relative pointers start from. ValueError for an encoding that
    x86-64 and aarch64 images do not use; struct.error at the end.
    """
    start = position
    if encoding & 0x0F == 1:
        value, position = read_uleb128(data, position)
    elif encoding & 0x0F == 9:
        value, position = read_sleb128(data, position)
    else:
        form = _FORMATS.get(encoding & 0x0F)
        if form is None:
            raise ValueError(f"pointer encoding {encoding:#x}")
        value = form.unpack_from(data, position)[0]
        position += form.size
    base = encoding & 0x70
    if base == PC_RELATIVE:
        value += address + start
    elif base == DATA_RELATIVE:
        value += data_base
    elif base:
        raise ValueError(f"pointer encoding {encoding:#x}")
    return value & 0xFFFFFFFFFFFFFFFF, position
