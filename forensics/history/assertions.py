"""Which assertion stood at which line in which release: a printed line alone dates a binary.

``data/assertions.txt`` has every BUG_ON, WARN_ON, CHECK_IF and ABORT_NOW of HAProxy's release tags; its
first line tells the source and the tags. Each other line is one assertion of one function::

    ["src/task.c", "__task_queue", "BUG_ON", "", [["2c1f..", "90ab.."]], " 285:262-268,291-297 1479+2:330"]

file, function, kind, flags (``b``: the text depends on options of the build; ``o``: not compiled in a common build),
hashes of the printed condition (whole, and with integers masked; with the tags that print it where it
changed), and the lines with the tags that have it there, as indices of the list in the first line. ``+2`` says
that the statement goes on for two more lines: gcc 12 prints the first one, other compilers may print the last.

``tools/make_assertions.py`` makes the file. What a macro's body asserts is printed with the line of its use, so
such sites are left out, as are checks that are only counted.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from forensics.absence import Absence
from forensics.record import record
from forensics.versions import Version, VersionRange

_DATA = os.path.join(os.path.dirname(__file__), "data", "assertions.txt")
_INTEGER = re.compile(r"(?<!\w)(?:0[xX][0-9a-fA-F]+|\d+)[uUlL]*(?!\w)")
_SUBJECT = "assertion in the catalogue"
#: Longest path that a log may print; longer ones have no file here.
_LONGEST_PATH = 1024
#: A printed condition is no longer than a log's line.
_LONGEST_TEXT = 8192


@record
class Assertion:
    """One assertion of one function, and the releases that have it at the line that was asked for.

    ``kind`` is BUG_ON, ABORT_NOW and so on. ``releases`` are ranges as :meth:`VersionRange.parse` reads them, each in
    one branch; one that ends in ``.*`` goes on to the last release known, in a branch that may get more of them.
    ``line`` is where the statement begins. With ``moved`` nothing like it stands at the line that was asked for: it was
    found by its condition, and ``releases`` are those that have it at any line (``line`` is 0).
    """

    file: str
    line: int
    function: str
    kind: str
    releases: tuple[str, ...]
    moved: bool = False

    def stands_in(self, version: Version) -> bool:
        """Whether this release has the assertion there."""
        return any(version.in_range(each) for each in self.releases)


@record
class _Row:
    """One line of the file; ``places`` and the parts of ``conditions`` are read when they are needed."""

    file: str
    function: str
    kind: str
    flags: str
    conditions: list[list[str]]
    places: str


def find_assertions(file: str, line: int, condition: str = "") -> tuple[Assertion, ...] | Absence:
    """The assertions that may have printed ``matched at FILE:LINE`` or ``ABORT at FILE:LINE``.

    ``condition`` is what was printed with it; "" takes those with and without one. The line decides first; where
    nothing begins there, what ends there; of several the condition decides. Without any, file and condition alone.
    """
    rows = list(_rows_of(file[-_LONGEST_PATH:]))
    if not rows:
        return Absence(_SUBJECT, f"no release has assertions in a file `{file[-200:]}`")
    for places in (_beginning(rows, line), _ending(rows, line)):
        found = _merged(_fitting(places, condition))
        if found:
            return found
    if condition:
        moved = _merged(
            _fitting(((row, 0, _everywhere(row)) for row in _alike(rows, condition)), condition, strict=True),
            moved=True,
        )
        if moved:
            return moved
    what = "with this condition " if condition else ""
    return Absence(_SUBJECT, f"no release known has an assertion {what}at {file[-200:]}:{line}")


def places_of(file: str, condition: str) -> tuple[Assertion, ...]:
    """Every line of a file at which releases have an assertion with this condition, by line."""
    every = [
        (row, int(found[1]), _indices(found[2]))
        for row in _alike(_rows_of(file[-_LONGEST_PATH:]), condition)
        for found in re.finditer(r" (\d+)(?:\+\d+)?:(\S+)", row.places)
    ]
    return tuple(sorted(_merged(_fitting(every, condition, strict=True)), key=lambda one: one.line))


def functions_in(file: str) -> frozenset[str]:
    """The functions that have an assertion in a file in any release; none for a file that has none."""
    return frozenset(row.function for row in _rows_of(file[-_LONGEST_PATH:]))


def nearest_in(version: Version, file: str, line: int, condition: str) -> Assertion | Absence:
    """The assertion of this release with this condition whose line is next to the one asked for.

    For builds whose lines moved a little: 99 % of the assertions of 3.2.26 are found so by those of 3.2.20.
    """
    there = [one for one in places_of(file, condition) if one.stands_in(version)]
    if not there:
        return Absence(_SUBJECT, f"{version.release} has no assertion with this condition in {file[-200:]}")
    return min(there, key=lambda one: abs(one.line - line))


def newest_before(version: Version) -> Version | Absence:
    """The last release of the catalogue in the same branch up to ``version``."""
    known = [one for one in _branch(version.branch) if one <= version]
    return known[-1] if known else Absence(_SUBJECT, f"no release of {version.branch} up to {version.release} is known")


def is_known(version: Version) -> bool:
    """Whether the catalogue has this release."""
    return version in _branch(version.branch)


def is_complete(version: Version) -> bool:
    """Whether the catalogue has this release, or all releases that its branch will ever have."""
    return is_known(version) or version.branch in _head()["ended"]


def releases_in(text: str) -> tuple[Version, ...]:
    """Every release of the catalogue in a range, which must be of one branch; none for what is no range."""
    found = VersionRange.parse(text)
    if isinstance(found, Absence):
        return ()
    return tuple(version for version in _branch(found.first.branch) if version in found)


def known_until() -> str:
    """The newest release of the catalogue, and the newest stable one: how old its answers are."""
    tags = [tag for tags in _head()["branches"].values() for tag in tags]
    return f"{next(tag for tag in reversed(tags) if '-dev' not in tag)} and {tags[-1]}"


def condition_hashes(text: str) -> tuple[str, str]:
    """The hashes by which conditions are compared: blanks removed, and integer literals masked as well."""
    from hashlib import sha256

    bare = "".join(text[:_LONGEST_TEXT].split())
    masked = _INTEGER.sub("#", bare)
    whole, shortened = (sha256(text.encode("utf-8", "replace")).hexdigest()[:8] for text in (bare, masked))
    return whole, shortened


@cache
def _text() -> str:
    with open(_DATA, encoding="ascii") as file:
        return file.read()


@cache
def _head() -> Any:
    return json.loads(_text()[: _text().index("\n")])


@cache
def _branch(branch: str) -> tuple[Version, ...]:
    parsed = (Version.parse(tag) for tag in _head()["branches"].get(branch, ()))
    return tuple(version for version in parsed if isinstance(version, Version))


def _rows_of(file: str) -> Iterator[_Row]:
    """The rows of a file whose path ends like that of the catalogue, or the other way round."""
    parts = file.replace("\\", "/").split("/")
    for start in range(len(parts)):
        rows = list(_lines_with('\n["' + "/".join(parts[start:]) + '",'))
        if rows:
            yield from rows
            return
    ends = {found[1] for found in re.finditer(rf'\n\["([^"]*/{re.escape(file)})",', _text())} if file else set()
    if len(ends) == 1:
        yield from _lines_with('\n["' + ends.pop() + '",')


def _lines_with(start: str) -> Iterator[_Row]:
    text = _text()
    place = text.find(start)
    while place >= 0:
        end = text.index("\n", place + 1)
        yield _Row(*json.loads(text[place + 1 : end]))
        place = end if text.startswith(start, end) else -1  # the rows of a file stand together


_Place = tuple[_Row, int, set[int]]


def _beginning(rows: Iterable[_Row], line: int) -> Iterator[_Place]:
    wanted = re.compile(rf" {line}(?:\+\d+)?:(\S+)")
    for row in rows:
        for found in wanted.finditer(row.places):
            yield row, line, _indices(found[1])


def _ending(rows: Iterable[_Row], line: int) -> Iterator[_Place]:
    for row in rows:
        for found in re.finditer(r" (\d+)\+(\d+):(\S+)", row.places):
            if int(found[1]) + int(found[2]) == line:
                yield row, int(found[1]), _indices(found[3])


def _everywhere(row: _Row) -> set[int]:
    return {index for found in re.finditer(r":(\S+)", row.places) for index in _indices(found[1])}


def _indices(text: str) -> set[int]:
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found


def _fitting(places: Iterable[_Place], condition: str, *, strict: bool = False) -> list[_Place]:
    """The places whose condition is the printed one: by its text, else with integers masked, else where none is known.

    ``strict`` leaves out those whose text is not known.
    """
    if not condition:
        return _common(list(places))
    whole, masked = condition_hashes(condition)
    ranked: tuple[list[_Place], ...] = ([], [], [])
    for row, line, tags in places:
        if row.kind == "ABORT_NOW":
            continue
        by_whole, by_masked = _printing(row, 0, whole, tags), _printing(row, 1, masked, tags)
        if by_whole:
            ranked[0].append((row, line, by_whole))
        elif by_masked:
            ranked[1].append((row, line, by_masked))
        elif not strict and (not row.conditions or "b" in row.flags):
            ranked[2].append((row, line, tags))
    return next((_common(each) for each in ranked if each), [])


def _printing(row: _Row, which: int, wanted: str, tags: set[int]) -> set[int]:
    """Those of the tags in which the condition of ``row`` has this hash."""
    found: set[int] = set()
    for condition in row.conditions:
        if condition[which] == wanted:
            found |= tags & _indices(condition[2]) if len(condition) > 2 else tags
    return found


def _alike(rows: Iterable[_Row], condition: str) -> list[_Row]:
    """The rows that print this condition in some release, but for its integers."""
    masked = condition_hashes(condition)[1]
    return [row for row in rows if any(each[1] == masked for each in row.conditions)]


def _common(places: list[_Place]) -> list[_Place]:
    """Without those that few builds have, where others are left."""
    return [place for place in places if "o" not in place[0].flags] or places


def _merged(places: Iterable[_Place], *, moved: bool = False) -> tuple[Assertion, ...]:
    """One answer a function and kind: a statement twice in a function is one for the reader."""
    found: dict[tuple[str, int, str, str], set[int]] = {}
    for row, line, tags in places:
        found.setdefault((row.file, line, row.function, row.kind), set()).update(tags)
    return tuple(
        Assertion(file, line, function, kind, _ranges(tags), moved)
        for (file, line, function, kind), tags in found.items()
    )


def _ranges(tags: set[int]) -> tuple[str, ...]:
    """Runs of releases, each in one branch."""
    ranges, start = [], 0
    for branch, names in _head()["branches"].items():
        run: list[int] = []
        for index in range(start, start + len(names) + 1):
            if index in tags and index < start + len(names):
                run.append(index)
            elif run:
                ranges.append(_range(branch, names, run[0] - start, run[-1] - start))
                run = []
        start += len(names)
    return tuple(ranges)


def _range(branch: str, names: list[str], first: int, last: int) -> str:
    if last == len(names) - 1 and branch not in _head()["ended"]:
        return f"{names[first]}..{branch}.*"
    return names[first] if first == last else f"{names[first]}..{names[last]}"
