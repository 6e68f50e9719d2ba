"""HAProxy's version numbers: how they are written, ordered and put in ranges.

Within a branch X.Y the order is X.Y-dev0 .. X.Y-devN, then X.Y.0, X.Y.1 and so on.
What follows the release (a commit, a distribution's revision, the number of
commits since the release) names a build of that release and takes no part in the
order: a snapshot compares as the release it is named after.
"""

from __future__ import annotations

import re

from forensics.absence import Absence
from forensics.errors import UsageError
from forensics.record import field, record

_NUMBER = r"(\d{1,4})\.(\d{1,4})"
_VERSION = re.compile(rf"v?{_NUMBER}(?:-dev(\d{{1,4}})|\.(\d{{1,4}}))(?![\d.]|[A-Za-z])")
_WHOLE_BRANCH = re.compile(rf"v?{_NUMBER}\.\*")

#: Stages of a branch: development snapshots come before its releases.
_DEVELOPMENT, _RELEASED = 0, 1

#: Above any number that a version can have.
_LAST = 10**9


@record
class Version:
    """One release of HAProxy. ``text`` is what was parsed and takes no part in comparisons."""

    major: int
    minor: int
    stage: int
    number: int
    text: str = field(default="", compare=False)

    @property
    def order(self) -> tuple[int, int, int, int]:
        """What versions are ordered by."""
        return self.major, self.minor, self.stage, self.number

    def __lt__(self, other: Version) -> bool:
        """Whether this release came before."""
        return self.order < other.order

    def __le__(self, other: Version) -> bool:
        """Whether this release is the same or came before."""
        return self.order <= other.order

    @staticmethod
    def parse(text: str) -> Version | Absence:
        """The release that a version string names, such as ``2.9.6-9eafce5`` or ``3.0-dev6-aede60b``."""
        found = _VERSION.match(text.strip())
        if found is None:
            return Absence("process.version", f"`{text[:60]}` is not written like a version of HAProxy")
        major, minor, dev, patch = found.groups()
        stage = _RELEASED if dev is None else _DEVELOPMENT
        return Version(int(major), int(minor), stage, int(patch if dev is None else dev), text.strip())

    @property
    def branch(self) -> str:
        """The branch, such as ``2.9``."""
        return f"{self.major}.{self.minor}"

    @property
    def release(self) -> str:
        """The release without what names the build: ``2.9.6``, ``3.0-dev6``."""
        return f"{self.branch}.{self.number}" if self.stage == _RELEASED else f"{self.branch}-dev{self.number}"

    def in_range(self, text: str) -> bool:
        """Whether this release lies in a range as :meth:`VersionRange.parse` reads it."""
        parsed = VersionRange.parse(text)
        if isinstance(parsed, Absence):
            raise UsageError(parsed.reason, parsed.remedy)
        return self in parsed


@record
class VersionRange:
    """Releases from ``first`` to ``last``, both inclusive."""

    first: Version
    last: Version

    def __contains__(self, version: Version) -> bool:
        """Whether the release lies in the range."""
        return self.first <= version <= self.last

    @staticmethod
    def parse(text: str) -> VersionRange | Absence:
        """``2.9-dev3..2.9-dev12``, one version, or ``3.0.8..3.0.*`` where nothing fixed the rest of a branch."""
        start, dots, end = text.partition("..")
        first = Version.parse(start)
        last = _range_end(end if dots else start)
        if isinstance(first, Absence) or isinstance(last, Absence) or last < first:
            return Absence("version range", f"`{text[:80]}` is no range of versions", "write `2.9.0..2.9.6` or `2.9.6`")
        return VersionRange(first, last)


def _range_end(text: str) -> Version | Absence:
    """The last release of a range; ``X.Y.*`` is above every release of its branch."""
    whole = _WHOLE_BRANCH.fullmatch(text.strip())
    if whole is None:
        return Version.parse(text)
    return Version(int(whole[1]), int(whole[2]), _RELEASED, _LAST, text.strip())
