"""Types of variables: what the bytes of a value mean (DWARF 5, chapter 5)."""

from __future__ import annotations

from collections.abc import Iterator

from forensics.elf.encoding import read_uleb128
from forensics.record import record
from forensics.symbols.dwarf.entry import Entry
from forensics.symbols.dwarf.forms import BLOCK, BLOCK1, BLOCK2, BLOCK4, DATA16, EXPRLOC, REF_ADDR, UNIT_REFERENCES
from forensics.symbols.dwarf.functions import children_of
from forensics.symbols.dwarf.info import AT_NAME

AT_BYTE_SIZE, AT_BIT_OFFSET, AT_BIT_SIZE, AT_CONST_VALUE = 0x0B, 0x0C, 0x0D, 0x1C
AT_UPPER_BOUND, AT_COUNT, AT_MEMBER_LOCATION, AT_DECLARATION = 0x2F, 0x37, 0x38, 0x3C
AT_ENCODING, AT_TYPE, AT_SIGNATURE, AT_DATA_BIT_OFFSET = 0x3E, 0x49, 0x69, 0x6B

#: DW_ATE_*: how a base type is encoded.
BOOLEAN, FLOAT, SIGNED, SIGNED_CHAR, UNSIGNED, UNSIGNED_CHAR, UTF = 0x02, 0x04, 0x05, 0x06, 0x07, 0x08, 0x10

_KINDS = {
    0x01: "array", 0x02: "struct", 0x04: "enum", 0x0F: "pointer", 0x10: "pointer", 0x13: "struct", 0x15: "function",
    0x17: "union", 0x24: "base", 0x2E: "function", 0x42: "pointer",
}  # fmt: skip
#: typedef, const, volatile, restrict, packed, shared, atomic: names and promises, no shape.
_TRANSPARENT = frozenset((0x16, 0x26, 0x2D, 0x35, 0x37, 0x40, 0x47))
_TAG_MEMBER, _TAG_SUBRANGE, _TAG_ENUMERATOR = 0x0D, 0x21, 0x28

#: A chain of typedefs in a corrupt file may be a ring.
_HOPS = 50
#: The widest structure of HAProxy has some 200 members, its longest enumeration some 300 names.
_MOST = 5000

_BLOCKS = {BLOCK1: 1, BLOCK2: 2, BLOCK4: 4, BLOCK: 0, EXPRLOC: 0}
_REFERENCES = UNIT_REFERENCES | {REF_ADDR}


@record
class Type:
    """A type behind its typedefs.

    ``kind`` is one of base, pointer, struct, union, array, enum, function, void and unknown;
    ``size`` is in bytes, 0 where unknown; ``encoding`` a DW_ATE_* of a base type.
    ``entry`` describes it further; None for void and unknown.
    """

    kind: str
    size: int
    encoding: int
    entry: Entry | None

    @property
    def aggregate(self) -> bool:
        """Whether it is made of parts: a structure, a union or an array."""
        return self.kind in ("struct", "union", "array")

    @property
    def textual(self) -> bool:
        """Whether it is one byte wide and may be a character: its arrays are shown as strings."""
        return self.kind == "base" and self.size == 1 and self.encoding in (SIGNED_CHAR, UNSIGNED_CHAR, UTF)


@record
class Member:
    """One member of a structure: ``bit_size`` 0 for all but bit-fields; ``bit`` counts from the structure's start."""

    name: str
    bit: int
    bit_size: int
    type: Type


_VOID = Type("void", 0, 0, None)
_UNKNOWN = Type("unknown", 0, 0, None)


def type_of(entry: Entry) -> Type:
    """The type that ``entry`` (a variable, a member, a pointer, an array) refers to."""
    current = entry
    for _hop in range(_HOPS):
        if AT_TYPE not in current.values:
            return _VOID
        found = current.reference(AT_TYPE)
        if found is not None and AT_SIGNATURE in found.values:
            found = found.reference(AT_SIGNATURE)  # a type unit has the rest
        if found is None:
            return _UNKNOWN
        if found.abbreviation.tag not in _TRANSPARENT:
            return _shape(found)
        current = found
    return _UNKNOWN


def _shape(entry: Entry) -> Type:
    kind = _KINDS.get(entry.abbreviation.tag, "unknown")
    if kind == "array":
        return Type(kind, _array_size(entry), 0, entry)
    size = entry.number(AT_BYTE_SIZE, 8 if kind == "pointer" else 0)
    encoding = entry.number(AT_ENCODING, 0)
    if kind == "enum":
        # What lies below says whether it has a sign; gcc always tells, clang mostly.
        below = type_of(entry)
        encoding = below.encoding if below.kind == "base" else UNSIGNED
    return Type(kind, size, encoding, entry)


def _array_size(entry: Entry) -> int:
    if AT_BYTE_SIZE in entry.values:
        return entry.number(AT_BYTE_SIZE, 0)
    size = type_of(entry).size
    for count in dimensions(entry):
        size *= max(count, 0)
    return size


def dimensions(array: Entry) -> list[int]:
    """The number of elements of each dimension, -1 where it is only known while the program runs."""
    found = []
    for subrange in children_of(array, frozenset((_TAG_SUBRANGE,))):
        if AT_COUNT in subrange.values:
            found.append(subrange.number(AT_COUNT, 0) if _is_number(subrange, AT_COUNT) else -1)
        elif AT_UPPER_BOUND in subrange.values:
            found.append(_bound(subrange) + 1 if _is_number(subrange, AT_UPPER_BOUND) else -1)
        else:
            found.append(0)
        if len(found) >= 16:
            break
    return found


def _bound(subrange: Entry) -> int:
    """The upper bound; -1, that of an empty array, is written unsigned in the width of its form."""
    value = subrange.number(AT_UPPER_BOUND, 0)
    return -1 if value in (0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF) else value


def _is_number(entry: Entry, name: int) -> bool:
    form = entry.form(name)
    return form not in _BLOCKS and form not in _REFERENCES


def iter_members(structure: Entry) -> Iterator[Member]:
    """The members of a structure or union in order."""
    for count, member in enumerate(children_of(structure, frozenset((_TAG_MEMBER,)))):
        if count >= _MOST:
            return
        bits = member.number(AT_BIT_SIZE, 0)
        found = type_of(member)
        yield Member(member.text(AT_NAME), _bit_of(member, bits, found), bits, found)


def _bit_of(member: Entry, bits: int, found: Type) -> int:
    if AT_DATA_BIT_OFFSET in member.values:
        return member.number(AT_DATA_BIT_OFFSET, 0)
    if AT_MEMBER_LOCATION in member.values and not _is_number(member, AT_MEMBER_LOCATION):
        code = block_of(member, AT_MEMBER_LOCATION)
        # Until DWARF 3 it is the expression `DW_OP_plus_uconst offset`.
        start = read_uleb128(code, 1)[0] * 8 if code[:1] == b"\x23" else 0
    else:
        start = member.number(AT_MEMBER_LOCATION, 0) * 8
    if AT_BIT_OFFSET in member.values:
        # Until DWARF 4 it counts from the most significant bit of the storage unit.
        unit = member.number(AT_BYTE_SIZE, found.size)
        return start + unit * 8 - member.number(AT_BIT_OFFSET, 0) - bits
    return start


def enumerators(entry: Entry, size: int) -> dict[int, str]:
    """The names of an enumeration by value, each value as the unsigned number of ``size`` bytes."""
    found: dict[int, str] = {}
    mask = (1 << 8 * max(size, 1)) - 1
    for each in children_of(entry, frozenset((_TAG_ENUMERATOR,))):
        found.setdefault(each.number(AT_CONST_VALUE, 0) & mask, each.text(AT_NAME))
        if len(found) >= _MOST:
            break
    return found


def block_of(entry: Entry, name: int) -> bytes:
    """The bytes of an attribute that is a block or an expression, b"" for any other."""
    value = entry.values.get(name)
    if value is None:
        return b""
    form, position, _implicit = value
    data = entry.info.info
    if form == DATA16:
        return data[position : position + 16]
    if form not in _BLOCKS:
        return b""
    width = _BLOCKS[form]
    if width:
        size, position = int.from_bytes(data[position : position + width], "little"), position + width
    else:
        size, position = read_uleb128(data, position)
    return data[position : position + size]
