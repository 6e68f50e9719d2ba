"""A signature: a known crash that we can recognise."""

from __future__ import annotations

from typing import Any

from forensics.evidence.fact import FactValue
from forensics.record import record

#: The tests a clause can make, by the key that stands in the file. `is_not` holds only for a fact that is known
#: and differs; `within` takes version ranges.
TESTS = ("is", "is_not", "in", "contains", "matches", "at_least", "at_most", "within", "frames")

#: The groups of clauses, as :class:`Signature` names them.
GROUPS = ("all", "any", "none", "confirm", "exclude")


@record
class Clause:
    """One fact and one test. ``operand`` is what the file says after ``test``.

    ``because`` is the sentence a report shows when this clause decides (mandatory
    in ``exclude``, where it is the reason shown to the reader).
    """

    fact: str
    test: str
    operand: FactValue
    because: str = ""


@record
class Lookalike:
    """What resembles this crash, and how to tell the two apart."""

    what: str
    tell: str
    signature: str = ""


@record
class Signature:
    """One TOML file of ``signatures/``; ``id`` is its path without the suffix.

    ``affects`` holds version ranges, each ``"FROM..TO"`` (both inclusive, one
    branch or development line each, such as ``2.9-dev3..2.9-dev12``; ``3.0.8..3.0.*``
    where the branch was never fixed) or a single version; empty means that no
    version rules it in or out. ``fixed_in`` lists the first fixed release of each line.
    """

    id: str
    title: str
    kind: str  # the field `class` of the file: bug | configuration | resource | corruption | environment
    status: str  # draft | tested | confirmed
    explanation: str
    remedy: str
    workaround: str
    references: tuple[str, ...]
    affects: tuple[str, ...]
    fixed_in: tuple[str, ...]
    lookalikes: tuple[Lookalike, ...]
    all: tuple[Clause, ...] = ()
    any: tuple[Clause, ...] = ()
    none: tuple[Clause, ...] = ()
    confirm: tuple[Clause, ...] = ()
    exclude: tuple[Clause, ...] = ()

    def group(self, name: str) -> tuple[Clause, ...]:
        """The clauses of one of :data:`GROUPS`."""
        groups = {"all": self.all, "any": self.any, "none": self.none, "confirm": self.confirm, "exclude": self.exclude}
        return groups[name]


def to_plain(signature: Signature) -> dict[str, Any]:
    """The signature in what JSON can hold; tuples become lists on the way through JSON."""
    from dataclasses import asdict  # only where signatures were parsed anew

    return asdict(signature)  # a record answers as a dataclass


def from_plain(plain: dict[str, Any]) -> Signature:
    """The signature that :func:`to_plain` wrote, also after a walk through JSON."""
    values: dict[str, Any] = {key: tuple(each) if isinstance(each, list) else each for key, each in plain.items()}
    values["lookalikes"] = tuple(Lookalike(**each) for each in plain["lookalikes"])
    values.update((name, tuple(_plain_clause(each) for each in plain[name])) for name in GROUPS)
    return Signature(**values)


def _plain_clause(plain: dict[str, Any]) -> Clause:
    operand = plain["operand"]
    return Clause(**{**plain, "operand": tuple(operand) if isinstance(operand, list) else operand})
