"""The functions active at an address: the physical one and the calls inlined into it."""

from __future__ import annotations

from collections.abc import Iterator

from forensics.absence import Absence
from forensics.elf.encoding import read_uleb128
from forensics.symbols.dwarf.abbreviations import AT_SIBLING
from forensics.symbols.dwarf.entry import Entry
from forensics.symbols.dwarf.info import AT_LOW_PC, AT_NAME, AT_RANGES, DebugInfo
from forensics.symbols.dwarf.ranges import Range, holds, ranges_of
from forensics.symbols.dwarf.units import Unit

TAG_LEXICAL_BLOCK, TAG_INLINED, TAG_SUBPROGRAM = 0x0B, 0x1D, 0x2E
AT_ABSTRACT_ORIGIN, AT_SPECIFICATION, AT_LINKAGE_NAME = 0x31, 0x47, 0x6E
AT_CALL_FILE, AT_CALL_LINE = 0x58, 0x59

#: Blocks and inlined calls nest some 20 deep in HAProxy; a loop in a corrupt file must end.
_DEPTH = 200

#: Entries that matter only if they have code: declarations and abstract instances have none.
_WITH_CODE = frozenset((TAG_SUBPROGRAM, TAG_INLINED))
_SCOPES = frozenset((TAG_LEXICAL_BLOCK, TAG_INLINED))


class Function:
    """A function, or a call inlined into one; ``inlined`` calls and ``name`` are read when asked for.

    ``call_file`` (an index into the unit's files) and ``call_line`` say where an
    inlined call stands in its caller.
    """

    __slots__ = ("_claimed", "_entry", "_inlined", "_name", "call_file", "call_line", "ranges")

    def __init__(self, entry: Entry, ranges: list[Range], claimed: set[int]) -> None:
        self._entry = entry
        self._claimed = claimed
        self._inlined: list[Function] | None = None
        self._name: str | None = None
        self.ranges = ranges
        self.call_file = entry.number(AT_CALL_FILE, 0)
        self.call_line = entry.number(AT_CALL_LINE, 0)

    @property
    def name(self) -> str:
        """The name in the source."""
        if self._name is None:
            self._name = name_of(self._entry)
        return self._name

    @property
    def entry(self) -> Entry:
        """The entry that describes it."""
        return self._entry

    @property
    def inlined(self) -> list[Function]:
        """The calls inlined directly into this one."""
        if self._inlined is None:
            self._inlined = list(_inlined_in(self._entry, self._claimed, 0))
        return self._inlined

    def active(self, pc: int) -> list[Function]:
        """This function and the calls inlined into it that are active at ``pc``, outermost first."""
        chain, current = [self], self
        while len(chain) < _DEPTH:
            inner = next((one for one in current.inlined if holds(one.ranges, pc)), None)
            if inner is None:
                break
            chain.append(inner)
            current = inner
        return chain


def functions_of_unit(info: DebugInfo, unit: Unit) -> list[Function]:
    """The functions of ``unit`` that have code. IndexError, KeyError or ValueError for a damaged unit.

    None when the unit is a skeleton whose split file is not there: ``info.body`` says so.
    """
    body, claimed = info.body(unit), set[int]()
    if isinstance(body, Absence):
        return []
    subprograms = children_of(body, frozenset((TAG_SUBPROGRAM,)))
    return [Function(entry, ranges_of(entry), claimed) for entry in subprograms]


def _inlined_in(parent: Entry, claimed: set[int], depth: int) -> Iterator[Function]:
    """The inlined calls below ``parent``, looking through blocks: they are only scopes.

    ``claimed`` holds the offsets of the unit's entries that have a parent already. A file can
    name an entry's own child as its sibling; each such lie would double the entries to visit.
    """
    if depth > _DEPTH or not parent.abbreviation.children:
        return
    for entry in children_of(parent, _SCOPES):
        if entry.offset in claimed:
            return
        claimed.add(entry.offset)
        if entry.abbreviation.tag == TAG_INLINED:
            yield Function(entry, ranges_of(entry), claimed)
        else:
            yield from _inlined_in(entry, claimed, depth + 1)


def children_of(parent: Entry, tags: frozenset[int]) -> Iterator[Entry]:
    """The children of ``parent`` that have one of ``tags``; the others are skipped without being read.

    Functions without code (declarations, abstract instances) are skipped too.
    """
    info, unit = parent.info, parent.unit
    data, abbreviations, position = info.info, unit.abbreviations, parent.after
    while position < unit.end:
        code, start = data[position], position + 1
        if code >= 0x80:
            code, start = read_uleb128(data, position)
        if code == 0:
            return
        shape = abbreviations[code]
        names = shape.names
        if shape.tag in tags and (AT_LOW_PC in names or AT_RANGES in names or shape.tag not in _WITH_CODE):
            entry = Entry(info, unit, position, shape, start)
            yield entry
            position = _after(entry) if shape.children else entry.after
        elif not shape.children:
            position = start + shape.size if shape.size >= 0 else shape.skip(data, start)
        else:
            position = _after(Entry(info, unit, position, shape, start))


def _after(entry: Entry) -> int:
    """Where the next sibling of an entry with children begins."""
    info, unit = entry.info, entry.unit
    if AT_SIBLING in entry.values:
        sibling = unit.offset + entry.number(AT_SIBLING, 0)
        if sibling > entry.offset:
            return sibling
    data, abbreviations, position, depth = info.info, unit.abbreviations, entry.after, 1
    while depth and position < unit.end:
        code, position = read_uleb128(data, position)
        if code == 0:
            depth -= 1
            continue
        shape = abbreviations[code]
        position = shape.skip(data, position)
        depth += shape.children
    return position


def name_of(entry: Entry) -> str:
    """The name of a function, found through its abstract origin or its declaration."""
    current: Entry | None = entry
    for _hop in range(10):
        if current is None:
            break
        # In C a linkage name is an alias given in the source (`__GI_raise`), and gdb shows it; in C++ it is mangled.
        linkage = current.text(AT_LINKAGE_NAME)
        name = linkage if linkage and not linkage.startswith("_Z") else current.text(AT_NAME)
        if name:
            return name
        current = current.reference(AT_ABSTRACT_ORIGIN) or current.reference(AT_SPECIFICATION)
    return ""
