"""Call sites: which function a call enters, and which calls are jumps (DWARF 5, 3.4)."""

from __future__ import annotations

from collections.abc import Iterator

from forensics.elf.encoding import read_uleb128
from forensics.record import record
from forensics.symbols.dwarf.entry import Entry
from forensics.symbols.dwarf.forms import FLAG_PRESENT
from forensics.symbols.dwarf.functions import AT_ABSTRACT_ORIGIN, name_of
from forensics.symbols.dwarf.info import AT_LOW_PC
from forensics.symbols.dwarf.ranges import ranges_of

#: DWARF 5, and what gcc wrote before it.
TAGS = frozenset((0x48, 0x4109))
AT_CALL_RETURN_PC, AT_CALL_ORIGIN, AT_CALL_TAIL_CALL, AT_CALL_TARGET = 0x7D, 0x7F, 0x82, 0x83
AT_GNU_CALL_SITE_TARGET, AT_GNU_TAIL_CALL = 0x2113, 0x2115
AT_DECLARATION = 0x3C

#: An origin has at most one of its own; a loop in a corrupt file must end.
_MOST_HOPS = 10


@record
class CallSite:
    """One call: where it returns to, its target, and whether it is a jump.

    The target is an entry point (``target``, 0 when not known here) or a function
    declared elsewhere (``name``); both empty for a call through a pointer.
    """

    return_pc: int
    target: int
    name: str
    tail: bool


def call_sites(function: Entry) -> list[CallSite]:
    """The call sites within ``function``, inlined calls included."""
    if not function.abbreviation.children:
        return []
    return [site for entry in call_site_entries(function) if (site := call_site(entry)).return_pc]


def call_site_entries(parent: Entry) -> Iterator[Entry]:
    """The call site entries anywhere below ``parent``."""
    info, unit = parent.info, parent.unit
    data, position, depth = info.info, parent.after, 1
    while depth and position < unit.end:
        start = position
        code, position = read_uleb128(data, position)
        if code == 0:
            depth -= 1
            continue
        shape = unit.abbreviations[code]
        if shape.tag in TAGS:
            yield Entry(info, unit, start, shape, position)
        position = shape.skip(data, position)
        depth += shape.children


def call_site(entry: Entry) -> CallSite:
    """The call that ``entry`` describes."""
    values = entry.values
    return_pc = entry.address(AT_CALL_RETURN_PC, 0) or entry.address(AT_LOW_PC, 0)
    tail = _flag(entry, AT_CALL_TAIL_CALL) or _flag(entry, AT_GNU_TAIL_CALL)
    if AT_CALL_TARGET in values or AT_GNU_CALL_SITE_TARGET in values:
        return CallSite(return_pc, 0, "", tail)  # through a pointer
    function = entry.reference(AT_CALL_ORIGIN) or entry.reference(AT_ABSTRACT_ORIGIN)
    if function is None:
        return CallSite(return_pc, 0, "", tail)
    if _is_declaration(function):
        return CallSite(return_pc, 0, name_of(function), tail)
    # Neither code nor a declaration: what link-time optimisation leaves of a function in other units. Its name would
    # lead on, but gdb lets the call lead nowhere (`read_call_site_scope` in dwarf2/read.c), and so do we.
    ranges = ranges_of(function)
    return CallSite(return_pc, ranges[0][0] if ranges else 0, "", tail)


def _is_declaration(function: Entry) -> bool:
    """Whether a function is declared here and defined elsewhere; LTO keeps declarations in units of their own."""
    one: Entry | None = function
    for _hop in range(_MOST_HOPS):
        if one is None or AT_DECLARATION in one.values:
            return one is not None
        one = one.reference(AT_ABSTRACT_ORIGIN)
    return False


def _flag(entry: Entry, name: int) -> bool:
    return entry.form(name) == FLAG_PRESENT or entry.number(name, 0) != 0
