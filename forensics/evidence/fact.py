"""A fact, and a crash as the set of its facts."""

from __future__ import annotations

from collections.abc import Iterable

from forensics.absence import Absence
from forensics.record import field, record
from forensics.source import Source

#: What a fact can hold. Stacks are tuples of StackEntry (see ``stack.py``).
FactValue = str | int | bool | tuple[str, ...]

#: Subject of the gap that a witness leaves who tells of no death.
DEATH = "death"

#: Subject of the gap that tells of a start which HAProxy refused: no death, but what some call one.
REFUSED = "start of HAProxy"

#: How the subject of the gap begins that tells of other deaths in a log.
OTHERS = "other incidents of "


@record
class Fact:
    """One named value, where it was read, and how far to trust it.

    ``name`` stands in ``evidence.catalogue``. ``trust`` is ``read`` (bytes of the
    input say so), ``derived`` (computed from what was read) or ``assumed``
    (holds for known releases, not proven for this one).
    """

    name: str
    value: FactValue
    source: Source
    trust: str = "read"


@record
class Crash:
    """All that is known of one incident: facts, and gaps with their remedies.

    A name may have several facts, one for each witness; the first is the one
    to use. ``facts`` is ordered by trust in the witness: memory before text.
    """

    facts: tuple[Fact, ...] = ()
    gaps: tuple[Absence, ...] = ()
    _index: dict[str, tuple[Fact, ...]] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, facts: Iterable[Fact], gaps: Iterable[Absence] = ()) -> Crash:
        """A crash with these facts, indexed by name."""
        ordered = tuple(facts)
        index: dict[str, tuple[Fact, ...]] = {}
        for fact in ordered:
            index[fact.name] = (*index.get(fact.name, ()), fact)
        return cls(ordered, tuple(gaps), index)

    @property
    def died(self) -> bool:
        """Whether any witness tells of a death, however little of it."""
        return any(self._index.get(name) for name in ("crash.kind", "crash.signal", "stack"))

    def all(self, name: str) -> tuple[Fact, ...]:
        """Every fact of this name, most trusted first."""
        return self._index.get(name, ())

    def get(self, name: str) -> Fact | Absence:
        """The most trusted fact of this name, or why there is none."""
        found = self._index.get(name)
        if found:
            return found[0]
        for gap in self.gaps:
            if gap.subject == name:
                return gap
        return Absence(name, "no input says it")
