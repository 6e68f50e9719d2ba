"""Members of a structure: what memory needs to be read, and what betrays a patched build."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from forensics.absence import Absence
from forensics.elf.encoding import read_uleb128
from forensics.symbols.dwarf.entry import Entry
from forensics.symbols.dwarf.forms import BLOCK, BLOCK1, BLOCK2, BLOCK4, EXPRLOC
from forensics.symbols.dwarf.functions import children_of
from forensics.symbols.dwarf.info import AT_NAME, DebugInfo
from forensics.symbols.dwarf.locate import DAMAGE, DwarfLines
from forensics.symbols.dwarf.units import Unit

TAG_MEMBER, TAG_STRUCTURE, TAG_IMPORTED_UNIT = 0x0D, 0x13, 0x3D
_PLUS_UCONST = 0x23
#: Forms of expressions, with the bytes of their length (0: a LEB128).
_BLOCKS = {BLOCK1: 1, BLOCK2: 2, BLOCK4: 4, BLOCK: 0, EXPRLOC: 0}
AT_BYTE_SIZE, AT_IMPORT, AT_MEMBER_LOCATION, AT_DECLARATION, AT_SIGNATURE = 0x0B, 0x18, 0x38, 0x3C, 0x69

_STRUCTURE, _IMPORT = frozenset((TAG_STRUCTURE,)), frozenset((TAG_IMPORTED_UNIT,))


def struct_members(dwarf: DwarfLines, name: str, pc: int) -> dict[str, int] | Absence:
    """Members of ``struct name`` and their offsets in bytes, as the unit that holds ``pc`` declares it.

    Link-time optimisation, `dwz` and -fdebug-types-section move types to units of their own: those that the unit
    imports come next, then the first unit that declares it. The member "" holds the size of the whole structure.
    """
    try:
        home = dwarf.unit_of(pc)
        if home is None:
            return Absence(f"struct {name}", f"no unit of {dwarf.info.path} holds {pc:#x}")
        for parent in _parents(dwarf.info, home):
            for entry in children_of(parent, _STRUCTURE):
                if entry.text(AT_NAME) == name:
                    found = _declared(entry)
                    if found is not None:
                        return _members(found)
        gap = dwarf.gap(pc)
        if gap is not None:
            return gap
    except DAMAGE as error:
        return Absence(f"struct {name}", f"the DWARF of {dwarf.info.path} is damaged ({error})")
    return Absence(f"struct {name}", f"no unit of {dwarf.info.path} declares it")


def _parents(info: DebugInfo, home: Unit) -> Iterator[Entry]:
    """The entries below which types stand, the likeliest first."""
    body = info.body(home)
    if not isinstance(body, Absence):
        yield body
        yield from _imported(body)
        # A split unit has its types in the same file or package.
        if body.info is not info:
            for part in chain((body.info,), body.info.parts_with_types()):
                yield from _tops(part, body.unit)
                yield from _tops(part.types, body.unit)
    for unit in info.units:
        other = info.body(unit) if unit is not home else body
        if unit is not home and not isinstance(other, Absence):
            yield other
    yield from _tops(info.types, home)
    if info.supplement is not None:
        yield from _tops(info.supplement, home)


def _tops(info: DebugInfo, known: Unit) -> Iterator[Entry]:
    return (info.top(unit) for unit in info.units if unit is not known)


def _imported(top: Entry) -> Iterator[Entry]:
    """The units that ``top`` imports, and that these import (DW_TAG_imported_unit); each once."""
    seen, pending = set[tuple[int, int]](), [top]
    while pending:
        for one in children_of(pending.pop(), _IMPORT):
            unit = one.reference(AT_IMPORT)
            if unit is not None and (id(unit.info), unit.offset) not in seen:
                seen.add((id(unit.info), unit.offset))
                pending.append(unit)
                yield unit


def _declared(entry: Entry) -> Entry | None:
    """The structure itself: a declaration may name the type unit that has it."""
    return entry.reference(AT_SIGNATURE) if AT_DECLARATION in entry.values else entry


def _members(structure: Entry) -> dict[str, int]:
    found = {"": structure.number(AT_BYTE_SIZE, 0)}
    for member in children_of(structure, frozenset((TAG_MEMBER,))):
        found[member.text(AT_NAME) or f"(anonymous at {len(found)})"] = _offset(member)
    return found


def _offset(member: Entry) -> int:
    """The member's offset: a number, or until DWARF 3 the expression `DW_OP_plus_uconst offset`."""
    value = member.values.get(AT_MEMBER_LOCATION)
    if value is None or value[0] not in _BLOCKS:
        return member.number(AT_MEMBER_LOCATION, 0)
    data = member.info.info
    size = _BLOCKS[value[0]]
    position = value[1] + size if size else read_uleb128(data, value[1])[1]
    if data[position] != _PLUS_UCONST:
        raise ValueError(f"member location {data[position]:#x}")
    return read_uleb128(data, position + 1)[0]
