"""What DWARF says of a structure, in a form that two builds of one source have in common."""

from __future__ import annotations

from forensics.absence import Absence
from forensics.symbols.dwarf.locate import DwarfLines
from forensics.symbols.dwarf.structures import Structures


def members_of(dwarf: DwarfLines, name: str) -> dict[str, int] | Absence:
    """Members of ``struct name`` and their offsets in bytes; the member "" holds the size of the whole."""
    found = Structures(dwarf.info).layouts(name)
    if isinstance(found, Absence):
        return found
    return {"": found[name].size} | {member: field.offset for member, field in found[name].fields.items()}
