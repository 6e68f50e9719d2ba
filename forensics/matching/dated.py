"""Whether a crash of unknown version is affected: by the releases that have its assertion at its line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

from forensics.absence import Absence
from forensics.evidence.fact import Crash, Fact
from forensics.versions import Version, VersionRange


def dating(crash: Crash) -> Fact | Absence:
    """The fact that names the releases, if the line itself told them: a condition alone says too little."""
    for fact in crash.all("assertion.releases"):
        if fact.trust != "assumed" and isinstance(fact.value, tuple) and fact.value:
            return fact
    return Absence("assertion.releases", "no assertion with a place that releases have")


def all_affected(releases: Sequence[str], affects: Iterable[str]) -> bool | None:
    """Whether all of the ``releases`` lie in ``affects`` (True), none does (False), or it cannot be told.

    ``releases`` are ranges. The end of one that goes on to the last release known, ``X.Y.*``, counts as a release of
    its own, since later ones may have the line, too. In the same way a range of ``affects`` that goes on beyond
    what is known is never ruled out, unless its branch has ended.
    """
    affected = [each for each in map(VersionRange.parse, affects) if isinstance(each, VersionRange)]
    inside = {any(version in each for each in affected) for version in _possible(tuple(releases))}
    if inside == {True}:
        return True
    return False if inside == {False} and all(map(_is_complete, affected)) else None


@cache
def _possible(releases: tuple[str, ...]) -> tuple[Version, ...]:
    from forensics.history.assertions import releases_in

    found: list[Version] = []
    for text in releases:
        parsed = VersionRange.parse(text)
        if isinstance(parsed, VersionRange):
            known = releases_in(text)
            # The end of `X.Y.*` stands for what comes; a range of which nothing is known counts by its ends.
            found += (*known, parsed.last) if known else (parsed.first, parsed.last)
    return tuple(found)


def _is_complete(affected: VersionRange) -> bool:
    """Whether the catalogue has all releases of a range."""
    from forensics.history.assertions import is_complete

    return is_complete(affected.last)
