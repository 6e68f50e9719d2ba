"""The parts of a diagnosis, as they stand in the report document."""

from __future__ import annotations

from forensics.absence import Absence
from forensics.evidence.fact import Fact, FactValue
from forensics.record import field, record
from forensics.source import Source

#: Verdicts that make a finding, best first.
VERDICTS = ("confirmed", "probable", "possible")


def shown_value(fact: Fact) -> FactValue:
    """The fact's value as a report shows it: addresses in hex, all else as it is."""
    if fact.name.endswith(".address") and type(fact.value) is int:
        return f"{fact.value:#x}"
    return fact.value


@record
class Evidence:
    """One fact that took part in a verdict. ``supports`` is false when it speaks against the finding."""

    fact: str = ""
    value: FactValue | None = None
    source: Source | None = None
    supports: bool = True
    because: str = ""

    @classmethod
    def of(cls, fact: Fact, supports: bool, because: str = "") -> Evidence:
        """The evidence that ``fact`` gives."""
        return cls(fact.name, shown_value(fact), fact.source, supports, because)


@record
class Finding:
    """One known crash that explains this one.

    ``missing`` names the facts that would raise or refute the verdict;
    ``upgrade_to`` is "" where no release with the fix is known; ``contradiction`` says what the version string has
    against a finding that memory proves, "" for nothing.
    """

    signature: str = ""
    title: str = ""
    kind: str = field(default="", metadata={"json": "class"})
    verdict: str = ""
    evidence: tuple[Evidence, ...] = ()
    affected: bool | None = field(default=None, metadata={"nullable": True})
    fixed_in: tuple[str, ...] = ()
    upgrade_to: str = ""
    explanation: str = ""
    remedy: str = ""
    workaround: str = ""
    references: tuple[str, ...] = ()
    missing: tuple[Absence, ...] = ()
    contradiction: str = ""


@record
class Exclusion:
    """One known crash that looks like this one and is refuted, with the reason."""

    signature: str = ""
    title: str = ""
    because: str = ""
    evidence: tuple[Evidence, ...] = ()


@record
class CandidateFix:
    """One later fix, absent from the running release, that touches code seen in this crash. No diagnosis."""

    commit: str = ""
    severity: str = ""
    area: str = ""
    fixed_in: tuple[str, ...] = ()
    because: tuple[str, ...] = ()
    issues: tuple[int, ...] = ()


@record
class Answer:
    """What one candidate says to a question.

    ``expects`` is what would speak for it, in words, "" for nothing; ``refuted_by`` what would rule it out. ``telling``
    is ``fits``, ``proves`` (memory would) or ``refutes``; with ``decides`` any other answer rules it out.
    """

    signature: str = ""
    telling: str = ""
    expects: str = ""
    refuted_by: str = ""
    decides: bool = False


@record
class Question:
    """A fact that would decide between known crashes which are possible, and what supplies it."""

    fact: str = ""
    label: str = ""
    supply: str = ""
    answers: tuple[Answer, ...] = ()


@record
class Fingerprint:
    """What groups equal crashes.

    ``stable`` is equal for the same crash in any build and from any witness;
    ``exact`` for the same crash of the same build only. ``frames`` are the functions
    that went in (`?` for one without a name), ``basis`` says what the fingerprint rests on.
    """

    exact: str = ""
    stable: str = ""
    frames: tuple[str, ...] = ()
    basis: str = ""


@record
class Diagnosis:
    """The answer to one crash: everything above the evidence."""

    findings: tuple[Finding, ...] = ()
    excluded: tuple[Exclusion, ...] = ()
    candidate_fixes: tuple[CandidateFix, ...] = ()
    fingerprint: Fingerprint = field(default_factory=Fingerprint)
    next_steps: tuple[str, ...] = ()
    questions: tuple[Question, ...] = ()
