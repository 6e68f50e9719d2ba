"""What matching one signature against one crash yields."""

from __future__ import annotations

from forensics.absence import Absence
from forensics.evidence.fact import Fact
from forensics.matching.signature import Clause, Signature
from forensics.record import record

#: Outcomes, best first. ``excluded`` looks alike and is refuted; ``none`` does not resemble.
OUTCOMES = ("confirmed", "probable", "possible", "excluded", "none")


@record
class Deciding:
    """A clause that took part in the decision: the fact it met, and whether it held.

    ``held`` is None when the fact is absent; ``fact`` is then the Absence that
    says what would supply it. The version range of the signature appears as a
    clause on ``process.version`` with the test ``affects``.
    """

    clause: Clause
    held: bool | None
    fact: Fact | Absence


@record
class Undecided:
    """A clause that nothing decides yet. ``group`` is that of the clause, or ``version`` for the signature's ranges."""

    clause: Clause
    group: str
    fact: Absence


@record
class Verdict:
    """The outcome for one signature.

    ``affected`` tells whether the version lies in the signature's ranges (None
    when the version is unknown or the signature names no ranges). ``missing`` are
    the undetermined facts that would raise or refute the verdict. ``because`` is
    the reason of an exclusion, "" otherwise. ``undecided`` are the clauses that would still decide: of what is
    possible, and of what nothing suggests but its circumstances, and nothing rules out either (outcome ``none``).
    """

    signature: Signature
    outcome: str
    decided_by: tuple[Deciding, ...]
    affected: bool | None
    missing: tuple[Absence, ...] = ()
    because: str = ""
    undecided: tuple[Undecided, ...] = ()
