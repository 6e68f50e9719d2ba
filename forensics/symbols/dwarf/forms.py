"""Attribute forms (DWARF 5, 7.5.6): their sizes and values."""

from __future__ import annotations

from forensics.elf.encoding import read_sleb128, read_uleb128

# Forms by code.
ADDR, BLOCK2, BLOCK4, DATA2, DATA4, DATA8, STRING, BLOCK, BLOCK1, DATA1, FLAG, SDATA, STRP, UDATA, REF_ADDR = (
    0x01, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x0E, 0x0F, 0x10,
)  # fmt: skip
REF1, REF2, REF4, REF8, REF_UDATA, INDIRECT, SEC_OFFSET, EXPRLOC, FLAG_PRESENT, STRX, ADDRX = (
    0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1A, 0x1B,
)  # fmt: skip
REF_SUP4, STRP_SUP, DATA16, LINE_STRP, REF_SIG8, IMPLICIT_CONST, LOCLISTX, RNGLISTX, REF_SUP8 = (
    0x1C, 0x1D, 0x1E, 0x1F, 0x20, 0x21, 0x22, 0x23, 0x24,
)  # fmt: skip
STRX1, STRX2, STRX3, STRX4, ADDRX1, ADDRX2, ADDRX3, ADDRX4 = range(0x25, 0x2D)
#: What gcc wrote for split DWARF before version 5, and dwz for a supplementary file (binutils, include/dwarf2.def).
GNU_ADDR_INDEX, GNU_STR_INDEX, GNU_REF_ALT, GNU_STRP_ALT = 0x1F01, 0x1F02, 0x1F20, 0x1F21

#: Sizes in bytes of the forms that have a fixed one, in 32-bit DWARF.
FIXED = {
    ADDR: 8, DATA1: 1, DATA2: 2, DATA4: 4, DATA8: 8, DATA16: 16, FLAG: 1, FLAG_PRESENT: 0, IMPLICIT_CONST: 0,
    STRP: 4, LINE_STRP: 4, SEC_OFFSET: 4, REF_ADDR: 4, REF1: 1, REF2: 2, REF4: 4, REF8: 8, REF_SIG8: 8,
    REF_SUP4: 4, REF_SUP8: 8, STRP_SUP: 4, GNU_REF_ALT: 4, GNU_STRP_ALT: 4,
    STRX1: 1, STRX2: 2, STRX3: 3, STRX4: 4, ADDRX1: 1, ADDRX2: 2, ADDRX3: 3, ADDRX4: 4,
}  # fmt: skip

#: The same in 64-bit DWARF (7.4): every offset into a section has 8 bytes.
FIXED_64 = FIXED | dict.fromkeys((STRP, LINE_STRP, SEC_OFFSET, REF_ADDR, STRP_SUP, GNU_REF_ALT, GNU_STRP_ALT), 8)
#: DWARF 2 gave a reference to another unit the size of an address (DWARF 2, 7.5.4).
_FIXED_OF_VERSION_2 = {4: FIXED | {REF_ADDR: 8}, 8: FIXED_64}

#: References within the unit, made absolute by adding the unit's offset.
UNIT_REFERENCES = frozenset((REF1, REF2, REF4, REF8, REF_UDATA))
#: Indirect strings and addresses, resolved through tables of the unit.
INDEXED_STRINGS = frozenset((STRX, STRX1, STRX2, STRX3, STRX4, GNU_STR_INDEX))
INDEXED_ADDRESSES = frozenset((ADDRX, ADDRX1, ADDRX2, ADDRX3, ADDRX4, GNU_ADDR_INDEX))
#: References and strings of the supplementary file.
SUPPLEMENT_REFERENCES = frozenset((GNU_REF_ALT, REF_SUP4, REF_SUP8))
SUPPLEMENT_STRINGS = frozenset((GNU_STRP_ALT, STRP_SUP))

_LEB128 = frozenset((UDATA, SDATA, REF_UDATA, STRX, ADDRX, LOCLISTX, RNGLISTX, GNU_ADDR_INDEX, GNU_STR_INDEX))
_LENGTHS = {BLOCK1: 1, BLOCK2: 2, BLOCK4: 4}


def sizes_of(version: int, offset_size: int) -> dict[int, int]:
    """The sizes of the fixed forms in a unit of DWARF ``version`` whose offsets have ``offset_size`` bytes."""
    if version <= 2:
        return _FIXED_OF_VERSION_2[offset_size]
    return FIXED_64 if offset_size == 8 else FIXED


def skip_form(data: bytes, position: int, form: int, sizes: dict[int, int] = FIXED) -> int:
    """The position after a value of ``form``. ValueError for a form that is not known."""
    size = sizes.get(form)
    if size is not None:
        return position + size
    if form == STRING:
        return data.index(b"\0", position) + 1
    if form in _LEB128:
        while data[position] & 0x80:
            position += 1
        return position + 1
    if form in (EXPRLOC, BLOCK):
        length, position = read_uleb128(data, position)
        return position + length
    if form in _LENGTHS:
        width = _LENGTHS[form]
        return position + width + int.from_bytes(data[position : position + width], "little")
    if form == INDIRECT:
        form, position = read_uleb128(data, position)
        return skip_form(data, position, form, sizes)
    raise ValueError(f"attribute form {form:#x}")


def read_number(data: bytes, position: int, form: int, sizes: dict[int, int] = FIXED) -> int:
    """The value of a form that is a number, an offset, an index or a reference (unresolved)."""
    size = sizes.get(form)
    if size is not None:
        return int.from_bytes(data[position : position + size], "little") if size else 1
    if form == SDATA:
        return read_sleb128(data, position)[0]
    if form in _LEB128:
        return read_uleb128(data, position)[0]
    raise ValueError(f"attribute form {form:#x} is no number")
