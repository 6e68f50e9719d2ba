"""Equal crashes together: what a fleet's crashes come down to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from forensics.batch.digest import Digest
from forensics.diagnosis.finding import VERDICTS

#: Paths kept of each group; the count goes on.
KEPT = 100

#: From good to bad; what is not in it is worse.
_ORDER = {verdict: place for place, verdict in enumerate((*VERDICTS, "unexplained"))}


@dataclass(slots=True)
class Group:
    """Crashes of one stable fingerprint: how many, what the best of them says, and the first of their inputs.

    Equal stacks need not have one cause: a release with the fix of a known crash can die at
    the same place. ``verdicts`` counts what each input says for itself.
    """

    best: Digest
    count: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)
    inputs: list[str] = field(default_factory=list)

    def add(self, one: Digest) -> None:
        """One more crash."""
        self.count += 1
        self.verdicts[f"{one.verdict} {one.what}"] += 1
        if one.version:
            self.versions[one.version] += 1
        if len(self.inputs) < KEPT:
            self.inputs.append(one.path)
        if _rank(one) < _rank(self.best):
            self.best = one


@dataclass(slots=True)
class Groups:
    """A batch in the making. ``alone``: crashes of which too little is known to group them.

    ``total`` counts answers; an input that tells of several incidents has one for each.
    """

    total: int = 0
    inputs: int = 0
    alone_count: int = 0
    healthy_count: int = 0
    failed_count: int = 0
    alone: list[Digest] = field(default_factory=list)
    healthy: list[Digest] = field(default_factory=list)
    failed: list[Digest] = field(default_factory=list)
    _of: dict[str, Group] = field(default_factory=dict)

    def add(self, one: Digest) -> None:
        """Take in the next answer."""
        self.total += 1
        self.inputs += one.first
        if not one.analysed:
            self.failed_count += 1
            _keep(self.failed, one)
        elif one.verdict == "no crash":
            self.healthy_count += 1
            _keep(self.healthy, one)
        elif not one.groups:
            self.alone_count += 1
            _keep(self.alone, one)
        else:
            self._of.setdefault(one.fingerprint, Group(one)).add(one)

    def biggest_first(self) -> list[Group]:
        """The groups, those of equal size by verdict and fingerprint."""
        return sorted(self._of.values(), key=lambda each: (-each.count, _rank(each.best), each.best.fingerprint))

    @property
    def crashes(self) -> int:
        """How many crashes there are."""
        return self.total - self.healthy_count - self.failed_count


def _keep(kept: list[Digest], one: Digest) -> None:
    if len(kept) < KEPT:
        kept.append(one)


def _rank(one: Digest) -> int:
    return _ORDER.get(one.verdict, len(_ORDER))
