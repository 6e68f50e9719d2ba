"""The functions active at an address: the physical one and the calls inlined into it."""

from __future__ import annotations

from collections.abc import Iterator

from forensics.absence import Absence
from forensics.elf.encoding import read_uleb128
from forensics.symbols.dwarf.abbreviations import AT_SIBLING, Abbreviation
from forensics.symbols.dwarf.entry import Entry
from forensics.symbols.dwarf.info import AT_LOW_PC, AT_NAME, AT_RANGES, DebugInfo
from forensics.symbols.dwarf.ranges import Range, holds, ranges_of
from forensics.symbols.dwarf.units import Unit

TAG_LEXICAL_BLOCK, TAG_INLINED, TAG_SUBPROGRAM = 0x0B, 0x1D, 0x2E
AT_ABSTRACT_ORIGIN, AT_SPECIFICATION, AT_LINKAGE_NAME = 0x31, 0x47, 0x6E
AT_CALL_FILE, AT_CALL_LINE = 0x58, 0x59

#: Inlined calls nest some 20 deep in HAProxy.
_DEPTH = 200

#: Entries that matter only if they have code: declarations and abstract instances have none.
_WITH_CODE = frozenset((TAG_SUBPROGRAM, TAG_INLINED))


class _Walk:
    """Bytes of entries still to be looked through for the inlined calls of one unit.

    Functions do not overlap. A file can name an entry's own child as its sibling, which makes it look as if they did;
    each such lie would double the entries to visit.
    """

    def __init__(self, left: int) -> None:
        self.left = left

    def spend(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise ValueError("functions overlap")


class Function:
    """A function, or a call inlined into one; all about it is read when asked for."""

    __slots__ = ("_entry", "_inlined", "_name", "_offset", "_parent", "_ranges", "_shape", "_start", "_walk")

    def __init__(self, parent: Entry, offset: int, shape: Abbreviation, start: int, walk: _Walk) -> None:
        """``offset``, ``shape`` and ``start`` are those of its entry, ``parent`` any entry of the same unit."""
        self._parent = parent
        self._offset = offset
        self._shape = shape
        self._start = start
        self._walk = walk
        self._entry: Entry | None = None
        self._inlined: list[Function] | None = None
        self._name: str | None = None
        self._ranges: list[Range] | None = None

    @property
    def entry(self) -> Entry:
        """The entry that describes it."""
        if self._entry is None:
            parent = self._parent
            self._entry = Entry(parent.info, parent.unit, self._offset, self._shape, self._start)
        return self._entry

    @property
    def name(self) -> str:
        """The name in the source, "" when it lies in a file that is not there."""
        if self._name is None:
            self._name = name_of(self.entry)
        return self._name

    @property
    def ranges(self) -> list[Range]:
        """Where its code lies."""
        if self._ranges is None:
            self._ranges = ranges_of(self.entry)
        return self._ranges

    @property
    def call_file(self) -> int:
        """Where an inlined call stands in its caller: an index into the unit's files."""
        return self.entry.number(AT_CALL_FILE, 0)

    @property
    def call_line(self) -> int:
        """Where an inlined call stands in its caller: the line."""
        return self.entry.number(AT_CALL_LINE, 0)

    @property
    def inlined(self) -> list[Function]:
        """The calls inlined directly into this one."""
        if self._inlined is None:
            self._inlined = _inlined_in(self.entry, self._walk)
        return self._inlined

    def open_list(self) -> list[Function]:
        """An empty list of inlined calls, for who reads the tree to fill."""
        self._inlined = []
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
    body = info.body(unit)
    if isinstance(body, Absence):
        return []
    walk = _Walk(body.unit.end - body.unit.offset)
    return [Function(body, *place, walk) for place in _places_of(body, frozenset((TAG_SUBPROGRAM,)))]


def _inlined_in(parent: Entry, walk: _Walk) -> list[Function]:
    """The calls inlined directly below ``parent``, each with those below it; blocks are only scopes.

    The whole tree is read in one go: to find the next sibling, all below must be looked at anyway.
    """
    found: list[Function] = []
    if not parent.abbreviation.children:
        return found
    unit, data = parent.unit, parent.info.info
    abbreviations, end, position = unit.abbreviations, unit.end, parent.after
    scopes = [found]
    while scopes and position < end:
        code, start = data[position], position + 1
        if code >= 0x80:
            code, start = read_uleb128(data, position)
        if code == 0:
            scopes.pop()
            position = start
            continue
        shape = abbreviations[code]
        after = start + shape.size if shape.size >= 0 else 0
        if not shape.children and shape.tag != TAG_INLINED:
            position = after or shape.skip(data, start)
        elif shape.tag == TAG_LEXICAL_BLOCK:
            scopes.append(scopes[-1])
            position = after or shape.skip(data, start)
        elif shape.tag == TAG_INLINED and _has_code(shape):
            one = Function(parent, position, shape, start, walk)
            scopes[-1].append(one)
            inner = one.open_list()
            if shape.children:
                scopes.append(inner)
            position = after or shape.skip(data, start)
        else:
            position = _next_sibling(parent, position, shape, start)
    walk.spend(position - parent.after)
    return found


def _has_code(shape: Abbreviation) -> bool:
    return AT_LOW_PC in shape.names or AT_RANGES in shape.names


def children_of(parent: Entry, tags: frozenset[int]) -> Iterator[Entry]:
    """The children of ``parent`` that have one of ``tags``; the others are skipped without being read.

    Functions without code (declarations, abstract instances) are skipped too.
    """
    info, unit = parent.info, parent.unit
    return (Entry(info, unit, *place) for place in _places_of(parent, tags))


def _places_of(parent: Entry, tags: frozenset[int]) -> Iterator[tuple[int, Abbreviation, int]]:
    """Offset, shape and start of the attributes of each of those children."""
    if not parent.abbreviation.children:
        return
    unit, data = parent.unit, parent.info.info
    abbreviations, end, position = unit.abbreviations, unit.end, parent.after
    while position < end:
        code, start = data[position], position + 1
        if code >= 0x80:
            code, start = read_uleb128(data, position)
        if code == 0:
            return
        shape = abbreviations[code]
        if shape.tag in tags and (shape.tag not in _WITH_CODE or _has_code(shape)):
            yield position, shape, start
        position = _next_sibling(parent, position, shape, start)


def _next_sibling(parent: Entry, offset: int, shape: Abbreviation, start: int) -> int:
    """Where the sibling of the entry at ``offset`` begins, whose attributes begin at ``start``."""
    data, unit = parent.info.info, parent.unit
    if not shape.children:
        return start + shape.size if shape.size >= 0 else shape.skip(data, start)
    if shape.sibling >= 0:
        place = start + shape.sibling
        sibling = unit.offset + int.from_bytes(data[place : place + 4], "little")
        if sibling > offset:
            return sibling
    elif AT_SIBLING in shape.names:
        sibling = unit.offset + Entry(parent.info, unit, offset, shape, start).number(AT_SIBLING, 0)
        if sibling > offset:
            return sibling
    return _after(data, unit, shape.skip(data, start))


def _after(data: bytes, unit: Unit, position: int) -> int:
    """The position after the children that begin at ``position``."""
    abbreviations, end, depth = unit.abbreviations, unit.end, 1
    while depth and position < end:
        code, position = read_uleb128(data, position)
        if code == 0:
            depth -= 1
            continue
        shape = abbreviations[code]
        position = position + shape.size if shape.size >= 0 else shape.skip(data, position)
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
