"""Which expression tells where a variable is at an address: location lists (DWARF 5, 2.6.2 and 7.29)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from forensics.elf.encoding import read_uleb128
from forensics.symbols.dwarf.entry import Entry
from forensics.symbols.dwarf.forms import LOCLISTX
from forensics.symbols.dwarf.split import SplitInfo
from forensics.symbols.dwarf.types import block_of

AT_LOCATION, AT_FRAME_BASE = 0x02, 0x40

#: A variable of HAProxy's largest function has some 100 ranges.
_MOST = 20_000

#: Start, end (exclusive) and expression.
Range = tuple[int, int, bytes]


def expression_at(entry: Entry, name: int, pc: int) -> bytes | None:
    """The expression of attribute ``name`` that holds at ``pc`` (the image's own address), None for none."""
    if name not in entry.values:
        return None
    code = block_of(entry, name)
    if code:
        return code
    fallback = None
    for count, (start, end, found) in enumerate(_ranges(entry, name)):
        if start <= pc < end:
            return found
        if start == end == -1:
            fallback = found
        if count >= _MOST:
            break
    return fallback


def _ranges(entry: Entry, name: int) -> Iterator[Range]:
    value = entry.number(name, 0)
    if entry.unit.version < 5 and isinstance(entry.info, SplitInfo):
        return _split_list(entry.info.section(".debug_loc"), value, entry)
    if entry.unit.version < 5:
        return _old_list(entry.info.section(".debug_loc"), value, entry.unit.low_pc)
    lists = entry.info.section(".debug_loclists")
    if entry.form(name) == LOCLISTX:
        base, size = entry.unit.location_lists_base, entry.unit.offset_size
        value = base + int.from_bytes(lists[base + value * size : base + (value + 1) * size], "little")
    return _new_list(lists, value, entry)


def _old_list(data: bytes, position: int, base: int) -> Iterator[Range]:
    """.debug_loc (DWARF 4, 2.6.2)."""
    while position + 16 <= len(data):
        start, end = struct.unpack_from("<QQ", data, position)
        position += 16
        if start == 0xFFFFFFFFFFFFFFFF:
            base = end
            continue
        if start == end == 0:
            return
        size = struct.unpack_from("<H", data, position)[0]
        yield base + start, base + end, data[position + 2 : position + 2 + size]
        position += 2 + size


def _split_list(data: bytes, position: int, entry: Entry) -> Iterator[Range]:
    """.debug_loc.dwo, in gcc's extension of DWARF 4 (binutils, display_loc_list_dwo in binutils/dwarf.c)."""
    base = entry.unit.low_pc
    while position < len(data):
        kind = data[position]
        position += 1
        if kind == 0:
            return
        if kind == 4:  # a pair of offsets
            first, second = struct.unpack_from("<II", data, position)
            first, second, position = base + first, base + second, position + 8
        elif kind in (1, 2, 3):
            first, position = read_uleb128(data, position)
            first = second = entry.info_address(first)
            if kind == 2:
                second, position = read_uleb128(data, position)
                second = entry.info_address(second)
            elif kind == 3:
                second, position = first + struct.unpack_from("<I", data, position)[0], position + 4
        else:
            raise ValueError(f"location list entry {kind}")
        if kind == 1:
            base = first
            continue
        size = struct.unpack_from("<H", data, position)[0]
        yield first, second, data[position + 2 : position + 2 + size]
        position += 2 + size


def _new_list(data: bytes, position: int, entry: Entry) -> Iterator[Range]:
    """.debug_loclists (DWARF 5, 7.7.3). (-1, -1) stands for the default location."""
    base = entry.unit.low_pc
    while position < len(data):
        kind = data[position]
        position += 1
        if kind == 0:
            return
        first, second, position = _operands(data, position, kind, entry)
        if kind in (1, 6):  # base_addressx, base_address
            base = first
            continue
        if kind == 9:  # DW_LLE_GNU_view_pair: counts views of the next range
            continue
        size, position = read_uleb128(data, position)
        code = data[position : position + size]
        position += size
        if kind == 4:  # offset_pair
            first, second = base + first, base + second
        elif kind in (3, 8):  # startx_length, start_length
            second += first
        yield first, second, code


def _operands(data: bytes, position: int, kind: int, entry: Entry) -> tuple[int, int, int]:
    if kind == 5:  # default_location
        return -1, -1, position
    if kind in (6, 7, 8):
        first = struct.unpack_from("<Q", data, position)[0]
        position += 8
    elif kind in (1, 2, 3, 4, 9):
        first, position = read_uleb128(data, position)
        first = entry.info_address(first) if kind in (1, 2, 3) else first
    else:
        raise ValueError(f"location list entry {kind}")
    if kind in (1, 6):
        return first, 0, position
    if kind == 7:
        return first, struct.unpack_from("<Q", data, position)[0], position + 8
    second, position = read_uleb128(data, position)
    return first, entry.info_address(second) if kind == 2 else second, position
