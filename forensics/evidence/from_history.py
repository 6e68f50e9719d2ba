"""What HAProxy's releases tell of the assertion that failed: its function, and which release printed it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from forensics.absence import Absence
from forensics.evidence.fact import Crash, Fact
from forensics.record import record, replace
from forensics.source import Source
from forensics.versions import Version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from forensics.history.assertions import Assertion

#: Kinds of death that an assertion with a place of its own explains.
_ASSERTED = ("bug_on", "abort_now")

#: Checks at one line that are listed: each release has one there at the most.
_MOST_CANDIDATES = 16
_WHOLE = "the whole line with its condition"

#: Ranges that a sentence spells out.
_SPELT = 4

_MOVED = "lines moved: a distribution's patch, or a snapshot between two releases"
_UNKNOWN = f"{_MOVED}, or a release newer than these"


@record
class _Place:
    """The assertion as a witness told it."""

    file: str
    line: int
    condition: str
    source: Source

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def is_assertion(crash: Crash) -> bool:
    """Whether an assertion failed whose file and line are known."""
    kind, line = crash.get("crash.kind"), crash.get("crash.source_line")
    return isinstance(kind, Fact) and kind.value in _ASSERTED and isinstance(line, Fact)


def collect_history(crash: Crash) -> Iterator[Fact | Absence]:
    """Function and releases of the assertion; where the running release has no such one there, that gap."""
    from forensics.history.assertions import find_assertions, is_known, known_until

    place = _place(crash)
    if place is None:
        return
    place = replace(place, source=replace(place.source, what=f"assertions of the releases up to {known_until()}"))
    found = find_assertions(place.file, place.line, place.condition)
    version = _version(crash)
    if version is None:
        yield from _undated(crash, place, found)
    elif not is_known(version):
        yield from _newer(place, version)
    else:
        yield from _dated(crash, place, found, version)


def _place(crash: Crash) -> _Place | None:
    """File, line and condition, all of one witness."""
    file, line = crash.get("crash.source_file"), crash.get("crash.source_line")
    if not isinstance(file, Fact) or not isinstance(line, Fact) or not isinstance(line.value, int):
        return None
    same = [fact for fact in crash.all("crash.condition") if fact.source.input == file.source.input]
    return _Place(str(file.value), line.value, str(same[0].value) if same else "", line.source)


def _version(crash: Crash) -> Version | None:
    parsed = (Version.parse(str(fact.value)) for fact in crash.all("process.version"))
    return next((version for version in parsed if isinstance(version, Version)), None)


def _undated(crash: Crash, place: _Place, found: Sequence[Assertion] | Absence) -> Iterator[Fact | Absence]:
    """No input names the version: the releases that have the assertion there are those that it may be."""
    if isinstance(found, Absence):
        yield Absence("assertion.releases", found.reason, "the version that ran (`haproxy -v`)")
        return
    yield from _function(crash, place, found)
    releases = tuple(dict.fromkeys(each for one in found for each in one.releases))
    if found[0].moved:
        what = f"{place.source.what}, by file and condition; none has it at line {place.line} ({_UNKNOWN})"
        yield Fact("assertion.releases", releases, replace(place.source, what=what), "assumed")
    else:
        yield Fact("assertion.releases", releases, place.source, "derived")


def _newer(place: _Place, version: Version) -> Iterator[Fact]:
    """The running release is none of those known: the one before it has the same checks, at other lines."""
    from forensics.history.assertions import newest_before

    before = newest_before(version)
    if isinstance(before, Version):
        yield from _near(place, before, f"{version.release} is not among them")


def _near(place: _Place, release: Version, why: str) -> Iterator[Fact]:
    """The function of the nearest assertion with this condition, in a release that is almost the one that ran."""
    from forensics.history.assertions import nearest_in

    near = nearest_in(release, place.file, place.line, place.condition) if place.condition else None
    if near:
        what = f"{place.source.what}; {why}: nearest is line {near.line} in {release.release}"
        yield Fact("assertion.function", near.function, replace(place.source, what=what), "assumed")


def _dated(
    crash: Crash, place: _Place, found: Sequence[Assertion] | Absence, version: Version
) -> Iterator[Fact | Absence]:
    """The running release is known: it has the assertion there, or the build is not quite that release."""
    here = [one for one in found or () if not one.moved and one.stands_in(version)]
    if here:
        yield from _function(crash, place, here)
        releases = tuple(dict.fromkeys(each for one in here for each in one.releases))
        yield Fact("assertion.releases", releases, place.source, "derived")
        return
    yield from _near(place, version, "no such assertion at this line")
    yield Absence(f"assertion at {place} in {version.release}", _contradiction(place, found, version))


def _contradiction(place: _Place, found: Sequence[Assertion] | Absence, version: Version) -> str:
    """What the release has instead. It proves nothing: many builds carry patches."""
    from forensics.history.assertions import places_of

    places = places_of(place.file, place.condition) if place.condition else ()
    lines = sorted({one.line for one in places if one.stands_in(version)})
    told = f"; this condition stands at line {', '.join(map(str, lines[:_SPELT]))}" if lines else ""
    others = [each for one in found or () if not one.moved for each in one.releases]
    whose = f"; {spelt(others)} have it there" if others else ""
    return (
        f"{version.release} as it was released has no such assertion there{told}{whose} ({_MOVED}; or another version)"
    )


def _function(crash: Crash, place: _Place, found: Sequence[Assertion]) -> Iterator[Fact | Absence]:
    """The function, where all releases agree on it, or the call trace decides."""
    names = {one.function for one in found}
    stack = crash.get("stack.functions") or crash.get("stack")
    traced = names & set(stack.value) if isinstance(stack, Fact) and isinstance(stack.value, tuple) else set()
    names = traced or names
    if len(names) == 1:
        trust = "assumed" if found[0].moved else "derived"
        yield Fact("assertion.function", names.pop(), place.source, trust)
    elif names:
        told = [one for one in found if one.function in names]
        said = "; ".join(f"in {one.function}() in {spelt(one.releases)}" for one in told[:_SPELT])
        remedy = "the version that ran (`haproxy -v`)"
        remedy = remedy if place.condition else f"{_WHOLE}, or {remedy}"
        yield Absence("assertion.function", f"{place} stands {said}", remedy)
        candidates = tuple(f"{one.kind} in {one.function}(): {spelt(one.releases)}" for one in told[:_MOST_CANDIDATES])
        yield Fact("assertion.candidates", candidates, place.source, "derived")


def candidate_functions(crash: Crash) -> tuple[str, ...]:
    """The functions in which the assertion may stand: by its line, else all of its file; none where nothing tells."""
    named, candidates = crash.get("assertion.function"), crash.get("assertion.candidates")
    if isinstance(named, Fact):
        return (str(named.value),)
    if isinstance(candidates, Fact) and isinstance(candidates.value, tuple):
        return tuple(each.partition(" in ")[2].partition("()")[0] for each in candidates.value)
    file = crash.get("crash.source_file")
    # What stands in a header is inlined: the innermost frame is a caller.
    if not is_assertion(crash) or isinstance(file, Absence) or not str(file.value).endswith(".c"):
        return ()
    from forensics.history.assertions import functions_in

    return tuple(sorted(functions_in(str(file.value))))


def spelt(ranges: Sequence[str]) -> str:
    """Ranges as a sentence has them, the first few."""
    more = f" and {len(ranges) - _SPELT} more ranges" if len(ranges) > _SPELT else ""
    return ", ".join(ranges[:_SPELT]) + more
