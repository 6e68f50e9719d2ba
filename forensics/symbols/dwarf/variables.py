"""The arguments and locals of a function that are in scope at an address."""

from __future__ import annotations

from collections.abc import Iterator

from forensics.record import record
from forensics.symbols.dwarf.entry import Entry
from forensics.symbols.dwarf.functions import (
    AT_ABSTRACT_ORIGIN,
    AT_SPECIFICATION,
    TAG_LEXICAL_BLOCK,
    children_of,
)
from forensics.symbols.dwarf.info import AT_NAME
from forensics.symbols.dwarf.location_lists import AT_LOCATION
from forensics.symbols.dwarf.ranges import holds, ranges_of
from forensics.symbols.dwarf.types import AT_CONST_VALUE, AT_DECLARATION, AT_TYPE

TAG_PARAMETER, TAG_VARIABLE = 0x05, 0x34
_SCOPED = frozenset((TAG_PARAMETER, TAG_VARIABLE, TAG_LEXICAL_BLOCK))

#: The largest function of HAProxy has some 150 of them, inlined calls apart.
_MOST = 2000
_DEPTH = 200
_HOPS = 10

#: An entry among those of all files: an origin may lie in the supplementary one.
_Key = tuple[int, int]


def _key(entry: Entry) -> _Key:
    return id(entry.info), entry.offset


@record
class Declaration:
    """One variable: ``entry`` has its place, ``typed`` its type, which an inlined copy leaves to its origin."""

    name: str
    parameter: bool
    entry: Entry
    typed: Entry


def declarations_at(function: Entry, pc: int) -> list[Declaration]:
    """The arguments in order, then the locals in scope at ``pc``, the innermost block's first.

    ``function`` is a function or an inlined call. What its abstract origin declares and this copy
    does not mention is there too: it has no place, but may have a constant value.
    """
    scopes: list[list[Declaration]] = [[]]
    seen: set[_Key] = set()
    _collect(function, pc, scopes, 0, seen)
    origin = function.reference(AT_ABSTRACT_ORIGIN)
    if origin is not None:
        mentioned = {_key(one.entry) for scope in scopes for one in scope} | seen
        scopes[0] += [one for one in _inherited(origin, mentioned, 0) if _key(one.entry) not in mentioned]
    parameters = [one for one in scopes[0] if one.parameter]
    found = parameters + [one for scope in reversed(scopes) for one in scope if not one.parameter]
    return found[:_MOST]


def _collect(parent: Entry, pc: int, scopes: list[list[Declaration]], depth: int, seen: set[_Key]) -> None:
    """Fill ``scopes``, outermost first; ``seen`` is every entry visited and the origin of each."""
    if depth > _DEPTH:
        return
    own = scopes[-1]
    for entry in _children(parent, seen):
        if entry.abbreviation.tag != TAG_LEXICAL_BLOCK:
            own += _declared(entry, seen)
            continue
        ranges = ranges_of(entry)
        _remember_origin(entry, seen)
        if not ranges:
            _collect(entry, pc, scopes, depth + 1, seen)
        elif holds(ranges, pc):
            scopes.append([])
            _collect(entry, pc, scopes, depth + 1, seen)
        else:
            _remember_below(entry, seen, depth + 1)


def _children(parent: Entry, seen: set[_Key]) -> Iterator[Entry]:
    """The children not visited yet: a lying sibling must not make us visit one twice."""
    if not parent.abbreviation.children:
        return
    for entry in children_of(parent, _SCOPED):
        if _key(entry) in seen or len(seen) > 20 * _MOST:
            return
        seen.add(_key(entry))
        yield entry


def _declared(entry: Entry, seen: set[_Key]) -> Iterator[Declaration]:
    if AT_DECLARATION in entry.values and AT_LOCATION not in entry.values:
        return
    name, typed = "", entry
    for current in _origins(entry):
        seen.add(_key(current))
        name = name or current.text(AT_NAME)
        typed = current if AT_TYPE in current.values else typed
        if AT_DECLARATION in current.values and not _has_value(entry):
            return  # `extern` inside of a function
    if name:
        yield Declaration(name, entry.abbreviation.tag == TAG_PARAMETER, entry, typed)


def _has_value(entry: Entry) -> bool:
    return AT_LOCATION in entry.values or AT_CONST_VALUE in entry.values


def _origins(entry: Entry) -> Iterator[Entry]:
    """The entry and what it is a copy of."""
    current: Entry | None = entry
    for _hop in range(_HOPS):
        if current is None:
            return
        yield current
        current = current.reference(AT_ABSTRACT_ORIGIN) or current.reference(AT_SPECIFICATION)


def _remember_origin(entry: Entry, seen: set[_Key]) -> None:
    seen.update(_key(one) for one in _origins(entry))


def _remember_below(block: Entry, seen: set[_Key], depth: int) -> None:
    """What a block that is not in scope copies is mentioned all the same."""
    if depth > _DEPTH:
        return
    for entry in _children(block, seen):
        _remember_origin(entry, seen)
        if entry.abbreviation.tag == TAG_LEXICAL_BLOCK:
            _remember_below(entry, seen, depth + 1)


def _inherited(origin: Entry, mentioned: set[_Key], depth: int) -> Iterator[Declaration]:
    """What the abstract origin declares and no copy mentions (gdb: inherit_abstract_dies in dwarf2/read.c)."""
    if depth > _DEPTH or not origin.abbreviation.children:
        return
    visited: set[_Key] = set()
    for entry in _children(origin, visited):
        if _key(entry) in mentioned:
            continue
        if entry.abbreviation.tag == TAG_LEXICAL_BLOCK:
            yield from _inherited(entry, mentioned, depth + 1)
        else:
            yield from _declared(entry, visited)
