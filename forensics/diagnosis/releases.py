"""HAProxy's releases with their dates, and the release to install.

The table is as old as ``known_until()`` says: newer releases may exist, and every answer
that reaches a reader says so. ``tools/make_fix_index.py`` makes it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import date
from functools import cache
from typing import Any

from forensics.absence import Absence
from forensics.record import record
from forensics.versions import Version

#: A branch without any release for this long, while others have some, is taken for abandoned.
_SILENCE_DAYS = 365


@record
class Release:
    """One release: its version as printed, and its date (YYYY-MM-DD)."""

    text: str
    version: Version
    date: str

    @property
    def branch(self) -> str:
        """The branch, such as ``2.9``."""
        return self.version.branch


@record
class Upgrade:
    """The release to install, and what the reader must know about it.

    ``silent`` tells that the branch had no release for a year before the table ends,
    and ``newest`` is then the newest stable release of all.
    """

    to: Release
    from_branch: str
    known_until: str
    silent: bool
    newest: Release

    @property
    def changes_branch(self) -> bool:
        """True when the running branch has no release with the fix."""
        return self.to.branch != self.from_branch

    def describe(self) -> str:
        """One phrase: ``2.9.15 (2025-03-21, the last 2.9 known on 2026-08-21)``."""
        if not self.to.date:
            return f"{self.to.text} (newer than what was known on {self.known_until})"
        return f"{self.to.text} ({self.to.date}, the last {self.to.branch} known on {self.known_until})"


def read_table(name: str) -> Any:
    """One of the tables that come with this package."""
    with open(os.path.join(os.path.dirname(__file__), "data", name), encoding="ascii") as table:
        return json.load(table)


@cache
def _table() -> dict[str, dict[str, list[list[str]]]]:
    table: dict[str, dict[str, list[list[str]]]] = read_table("releases.json")
    return table


def _releases(rows: list[list[str]]) -> tuple[Release, ...]:
    parsed = ((text, Version.parse(text), day) for text, day in rows)
    return tuple(Release(text, version, day) for text, version, day in parsed if isinstance(version, Version))


@cache
def branch_releases(branch: str) -> tuple[Release, ...]:
    """Every release of the branch in order: the development ones, then the stable ones."""
    table = _table()
    return _releases(table["development"].get(branch, []) + table["stable"].get(branch, []))


@cache
def branches() -> tuple[str, ...]:
    """Every known branch, oldest first."""
    names = {*_table()["stable"], *_table()["development"]}
    return tuple(sorted(names, key=lambda name: tuple(int(part) for part in name.split("."))))


def known_until() -> str:
    """The date up to which the table knows releases and fixes."""
    return str(_table()["known_until"])


def release_date(version: Version) -> str | Absence:
    """The day that this release came out."""
    for release in branch_releases(version.branch):
        if release.version == version:
            return release.date
    return Absence("release date", f"not among the releases known on {known_until()}")


def latest_of_branch(version: Version) -> Release | Absence:
    """The last known release of the branch: the last stable one where there is any."""
    known = branch_releases(version.branch)
    return known[-1] if known else Absence("last release", f"no release of branch {version.branch} is known")


def newest_known() -> Release:
    """The newest stable release of the newest branch that has one."""
    table = _table()["stable"]
    return _releases(table[next(name for name in reversed(branches()) if name in table)])[-1]


def has_fix(version: Version, fixed_in: Sequence[str]) -> bool:
    """Whether ``version`` has a fix whose first releases, one a line of development, are ``fixed_in``.

    The entry of the version's own branch decides; without one, the mainline does. Fixes
    are made in the mainline first, so a branch that starts after any fixed release has it.
    """
    fixed = _parsed(fixed_in)
    own = [entry for entry in fixed if entry.branch == version.branch]
    if own:
        return any(entry <= version for entry in own)
    development = [entry for entry in fixed if _is_development(entry)]
    if development:
        return any(entry <= version for entry in development)
    started = _start_of(version.branch)
    return any(entry < version and _day_of(entry) <= started for entry in fixed)


def upgrade_to(version: Version, fixed_in: Sequence[str]) -> Upgrade | Absence:
    """The last release of the running branch where that has the fix, else of the next branch that has it."""
    subject = "release to upgrade to"
    if not fixed_in:
        return Absence(subject, "no release with a fix is known")
    if has_fix(version, fixed_in):
        return Absence(subject, "the running release has the fix already")
    for release in _last_releases(version, fixed_in):
        if release.version > version and has_fix(release.version, fixed_in):
            return Upgrade(release, version.branch, known_until(), _silent(release), newest_known())
    return Absence(subject, f"no release with the fix was known on {known_until()}", "look at https://www.haproxy.org")


def behind(version: Version) -> int:
    """How many known releases of the same branch are newer."""
    return sum(release.version > version for release in branch_releases(version.branch))


def _last_releases(version: Version, fixed_in: Sequence[str]) -> list[Release]:
    """The last release of the branch and of each later one; a signature may know newer ones than the table."""
    found = []
    told = [Release(text, entry, "") for text in fixed_in for entry in _parsed([text]) if not _is_development(entry)]
    for branch in branches():
        known = list(branch_releases(branch)) + [release for release in told if release.branch == branch]
        last = max(known, key=lambda release: release.version)
        dated = next((r for r in known if r.version == last.version and r.date), last)
        if dated.version > version or branch == version.branch:
            found.append(dated)
    return found


def _silent(release: Release) -> bool:
    if not release.date:
        return False
    return (date.fromisoformat(known_until()) - date.fromisoformat(release.date)).days > _SILENCE_DAYS


def _parsed(texts: Sequence[str]) -> list[Version]:
    return [version for version in map(Version.parse, texts) if isinstance(version, Version)]


def _is_development(version: Version) -> bool:
    return "-dev" in version.release


def _day_of(version: Version) -> str:
    day = release_date(version)
    return day if isinstance(day, str) else known_until()


def _start_of(branch: str) -> str:
    stable = _table()["stable"].get(branch, [])
    return stable[0][1] if stable else known_until()
