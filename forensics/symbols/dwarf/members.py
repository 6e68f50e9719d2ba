"""Members of a structure: what memory needs to be read, and what betrays a patched build."""

from __future__ import annotations

from forensics.absence import Absence
from forensics.elf.encoding import read_uleb128
from forensics.symbols.dwarf.entry import Entry
from forensics.symbols.dwarf.forms import BLOCK, BLOCK1, BLOCK2, BLOCK4, EXPRLOC
from forensics.symbols.dwarf.functions import children_of
from forensics.symbols.dwarf.info import AT_NAME
from forensics.symbols.dwarf.locate import DAMAGE, DwarfLines

TAG_MEMBER, TAG_STRUCTURE = 0x0D, 0x13
_PLUS_UCONST = 0x23
#: Forms of expressions, with the bytes of their length (0: a LEB128).
_BLOCKS = {BLOCK1: 1, BLOCK2: 2, BLOCK4: 4, BLOCK: 0, EXPRLOC: 0}
AT_BYTE_SIZE, AT_MEMBER_LOCATION, AT_DECLARATION = 0x0B, 0x38, 0x3C


def struct_members(dwarf: DwarfLines, name: str, pc: int) -> dict[str, int] | Absence:
    """Members of ``struct name`` and their offsets in bytes, as the unit that holds ``pc`` declares it.

    Link-time optimisation moves types to units of their own: then the first unit
    that declares it tells. The member "" holds the size of the whole structure.
    """
    try:
        home = dwarf.unit_of(pc)
        if home is None:
            return Absence(f"struct {name}", f"no unit of {dwarf.info.path} holds {pc:#x}")
        for unit in (home, *(unit for unit in dwarf.info.units if unit is not home)):
            for entry in children_of(dwarf.info.top(unit), frozenset((TAG_STRUCTURE,))):
                if entry.text(AT_NAME) == name and AT_DECLARATION not in entry.values:
                    return _members(entry)
    except DAMAGE as error:
        return Absence(f"struct {name}", f"the DWARF of {dwarf.info.path} is damaged ({error})")
    return Absence(f"struct {name}", f"no unit of {dwarf.info.path} declares it")


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
