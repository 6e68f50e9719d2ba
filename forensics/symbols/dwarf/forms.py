"""Attribute forms (DWARF 5, 7.5.6): their sizes and values."""

from __future__ import annotations

from forensics.elf.encoding import read_sleb128, read_uleb128

# Forms by code. Offsets are those of 32-bit DWARF, the only one that compilers write unless told otherwise.
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
GNU_REF_ALT, GNU_STRP_ALT = 0x1F20, 0x1F21

#: Sizes in bytes of the forms that have a fixed one.
FIXED = {
    ADDR: 8, DATA1: 1, DATA2: 2, DATA4: 4, DATA8: 8, DATA16: 16, FLAG: 1, FLAG_PRESENT: 0, IMPLICIT_CONST: 0,
    STRP: 4, LINE_STRP: 4, SEC_OFFSET: 4, REF_ADDR: 4, REF1: 1, REF2: 2, REF4: 4, REF8: 8, REF_SIG8: 8,
    REF_SUP4: 4, REF_SUP8: 8, STRP_SUP: 4, GNU_REF_ALT: 4, GNU_STRP_ALT: 4,
    STRX1: 1, STRX2: 2, STRX3: 3, STRX4: 4, ADDRX1: 1, ADDRX2: 2, ADDRX3: 3, ADDRX4: 4,
}  # fmt: skip

#: References within the unit, made absolute by adding the unit's offset.
UNIT_REFERENCES = frozenset((REF1, REF2, REF4, REF8, REF_UDATA))
#: Indirect strings and addresses, resolved through tables of the unit.
INDEXED_STRINGS = frozenset((STRX, STRX1, STRX2, STRX3, STRX4))
INDEXED_ADDRESSES = frozenset((ADDRX, ADDRX1, ADDRX2, ADDRX3, ADDRX4))

_LENGTHS = {BLOCK1: 1, BLOCK2: 2, BLOCK4: 4}


def skip_form(data: bytes, position: int, form: int) -> int:
    """The position after a value of ``form``. ValueError for a form that is not known."""
    size = FIXED.get(form)
    if size is not None:
        return position + size
    if form == STRING:
        return data.index(b"\0", position) + 1
    if form in (UDATA, SDATA, REF_UDATA, STRX, ADDRX, LOCLISTX, RNGLISTX):
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
        return skip_form(data, position, form)
    raise ValueError(f"attribute form {form:#x}")


def read_number(data: bytes, position: int, form: int) -> int:
    """The value of a form that is a number, an offset, an index or a reference (unresolved)."""
    if form in (UDATA, REF_UDATA, STRX, ADDRX, LOCLISTX, RNGLISTX):
        return read_uleb128(data, position)[0]
    if form == SDATA:
        return read_sleb128(data, position)[0]
    size = FIXED.get(form)
    if size is None:
        raise ValueError(f"attribute form {form:#x} is no number")
    return int.from_bytes(data[position : position + size], "little") if size else 1
