"""Structures and enumerations by name, from DWARF: the layouts that memory is read with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from forensics.absence import Absence
from forensics.symbols.dwarf.damage import DAMAGE
from forensics.symbols.dwarf.entry import Entry
from forensics.symbols.dwarf.functions import children_of
from forensics.symbols.dwarf.info import AT_NAME, DebugInfo
from forensics.symbols.dwarf.types import (
    AT_DECLARATION,
    AT_SIGNATURE,
    BOOLEAN,
    FLOAT,
    SIGNED,
    SIGNED_CHAR,
    Type,
    dimensions,
    enumerators,
    iter_members,
    type_of,
)
from forensics.symbols.layout import Field, Layout

_STRUCT, _UNION, _ENUM, _TYPEDEF = 0x13, 0x17, 0x04, 0x16
_NAMED = frozenset((_STRUCT, _UNION, _ENUM, _TYPEDEF))

#: Inner structures nest some 4 deep in HAProxy, pointers 3.
_DEPTH = 16
#: Members of all inner structures together; `struct global` has some 300.
_MOST = 20_000


class Structures:
    """The structures of one file's DWARF; units are looked through one by one, until one has the name.

    ``first`` names source files (without directory) whose units are looked through first: those that include much.
    """

    def __init__(self, info: DebugInfo, first: Iterable[str] = ()) -> None:
        self._info = info
        self._first = tuple(first)
        self._tables: list[dict[tuple[str, bool], Entry]] = []
        self._pending: Iterator[Entry] | None = None

    def layouts(self, name: str) -> dict[str, Layout] | Absence:
        """The layout of ``struct name`` (or union, or of the structure that the typedef means).

        With it come those of its inner structures without a name, by the names that fields call them.
        """
        try:
            entry = self._find(name, enum=False)
            if entry is None:
                return Absence(f"struct {name}", f"no unit of {self._info.path} declares it")
            found: dict[str, Layout] = {}
            _Writer(found, f"{self._info.path} (DWARF)").add(name, entry)
            return found
        except DAMAGE as error:
            return Absence(f"struct {name}", f"the DWARF of {self._info.path} is damaged ({error})")

    def enumeration(self, name: str) -> dict[int, str] | Absence:
        """The names of ``enum name`` by value (unsigned)."""
        try:
            entry = self._find(name, enum=True)
            if entry is None:
                return Absence(f"enum {name}", f"no unit of {self._info.path} declares it")
            return enumerators(entry, 4)
        except DAMAGE as error:
            return Absence(f"enum {name}", f"the DWARF of {self._info.path} is damaged ({error})")

    def _find(self, name: str, *, enum: bool) -> Entry | None:
        key = name, enum
        for table in self._tables:
            if key in table:
                return table[key]
        if self._pending is None:
            self._pending = self._tops()
        for top in self._pending:
            table = dict(_named(top))
            self._tables.append(table)
            if key in table:
                return table[key]
        return None

    def _tops(self) -> Iterator[Entry]:
        """The entries below which types stand, the likeliest first; damaged ones are left out."""
        units = []
        for unit in self._info.units:
            try:
                body = self._info.body(unit)
                if not isinstance(body, Absence):
                    units.append(body)
            except DAMAGE:
                continue
        ranks = {file: rank for rank, file in enumerate(self._first)}
        yield from sorted(units, key=lambda top: ranks.get(top.text(AT_NAME).rsplit("/", 1)[-1], len(ranks)))
        # Link-time optimisation, `dwz`, -fdebug-types-section and split units keep types elsewhere.
        seen: set[int] = set()
        for body in units:
            if body.info is not self._info and id(body.info) not in seen:
                seen.add(id(body.info))
                for part in (body.info, *body.info.parts_with_types()):
                    yield from _all_tops(part)
                    yield from _all_tops(part.types)
        yield from _all_tops(self._info.types)
        if self._info.supplement is not None:
            yield from _all_tops(self._info.supplement)


def _all_tops(info: DebugInfo) -> Iterator[Entry]:
    for unit in info.units:
        try:
            yield info.top(unit)
        except DAMAGE:
            continue


def _named(top: Entry) -> Iterator[tuple[tuple[str, bool], Entry]]:
    """Structures and enumerations below ``top`` by name; a name stands for the last one declared."""
    aliases = []
    try:
        for entry in children_of(top, _NAMED):
            tag, name = entry.abbreviation.tag, entry.text(AT_NAME)
            if not name:
                continue
            if tag == _TYPEDEF:
                aliases.append((name, entry))
                continue
            found = entry.reference(AT_SIGNATURE) if AT_DECLARATION in entry.values else entry
            if found is not None and AT_DECLARATION not in found.values:
                yield (name, tag == _ENUM), found
        for name, entry in aliases:
            meant = type_of(entry)
            if meant.entry is None or meant.kind not in ("struct", "union", "enum"):
                continue
            # A structure's own name wins over a typedef's: `typedef struct proxy proxy` adds nothing.
            if not meant.entry.text(AT_NAME):
                yield (name, meant.kind == "enum"), meant.entry
    except DAMAGE:
        return  # what was read so far is right


class _Writer:
    """Turns entries into layouts; inner structures without a name are written beside their owner."""

    def __init__(self, found: dict[str, Layout], source: str) -> None:
        self._found = found
        self._source = source
        self._left = _MOST

    def add(self, name: str, structure: Entry, depth: int = 0) -> None:
        fields: dict[str, Field] = {}
        self._members(name, structure, 0, fields, depth)
        self._found[name] = Layout(name, structure.number(0x0B, 0), fields, self._source)

    def _members(self, owner: str, structure: Entry, base: int, fields: dict[str, Field], depth: int) -> None:
        if depth > _DEPTH:
            raise ValueError("structures nest too deeply")
        for member in iter_members(structure):
            self._left -= 1
            if self._left < 0:
                raise ValueError("structures have too many members")
            inner = member.type
            if not member.name:
                if inner.entry is not None and inner.kind in ("struct", "union"):
                    self._members(owner, inner.entry, base + member.bit // 8, fields, depth + 1)
                continue
            shape = self._shape(f"{owner}.{member.name}", inner, depth)
            if member.bit_size:
                # The bytes that hold the bits: as wide as the declared type, aligned to it.
                width = max(inner.size, 1)
                offset = member.bit // (8 * width) * width
                place = Field(base + offset, width, shape[1], shape[2], (), member.bit - 8 * offset, member.bit_size)
            else:
                place = Field(base + member.bit // 8, shape[0], *shape[1:])
            fields.setdefault(member.name, place)

    def _shape(self, name: str, found: Type, depth: int) -> tuple[int, str, str, tuple[int, ...]]:
        """Size of one element, kind, target and counts."""
        counts: list[int] = []
        while found.kind == "array" and found.entry is not None and len(counts) < _DEPTH:
            counts += [max(count, 0) for count in dimensions(found.entry)] or [0]
            found = type_of(found.entry)
        return found.size, _kind(found), self._target(name, found, depth), tuple(counts)

    def _target(self, name: str, found: Type, depth: int) -> str:
        entry = found.entry
        if entry is None:
            return ""
        if found.kind in ("struct", "union"):
            called = entry.text(AT_NAME)
            if not called:
                self.add(name, entry, depth + 1)
            return called or name
        if found.kind == "enum":
            return entry.text(AT_NAME)
        return _pointee(entry) if found.kind == "pointer" else ""


def _kind(found: Type) -> str:
    if found.kind != "base":
        return found.kind if found.kind in ("pointer", "struct", "union", "enum") else "other"
    if found.textual:
        return "char"
    if found.encoding == BOOLEAN:
        return "bool"
    if found.encoding == FLOAT:
        return "float"
    return "int" if found.encoding in (SIGNED, SIGNED_CHAR) else "uint"


def _pointee(pointer: Entry) -> str:
    """What a pointer leads to."""
    stars = ""
    current = pointer
    for _level in range(_DEPTH):
        meant = type_of(current)
        if meant.kind == "function":
            return f"{stars}()"
        if meant.textual:
            return f"{stars}char"
        if meant.entry is None:
            return f"{stars}{meant.kind if meant.kind == 'void' else ''}"
        if meant.kind == "pointer":
            stars, current = f"{stars}*", meant.entry
            continue
        return stars + meant.entry.text(AT_NAME) if meant.kind in ("struct", "union", "enum") else stars
    return stars
