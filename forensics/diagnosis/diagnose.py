"""The verdicts as a diagnosis: what it was, what it was not, and what to do now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from forensics.absence import Absence
from forensics.diagnosis.finding import VERDICTS, CandidateFix, Diagnosis, Evidence, Exclusion, Finding
from forensics.diagnosis.fingerprint import fingerprint
from forensics.diagnosis.next_steps import next_steps
from forensics.diagnosis.questions import questions
from forensics.diagnosis.releases import Upgrade, upgrade_to
from forensics.evidence.fact import Crash
from forensics.matching.verdict import Deciding, Verdict
from forensics.unwind.frame import ThreadStack
from forensics.versions import Version


def diagnose(
    crash: Crash, verdicts: Sequence[Verdict], stacks: tuple[ThreadStack, ...] = (), build_id: str = ""
) -> Diagnosis:
    """The diagnosis of a crash. Candidate fixes are looked up only when no finding is probable or better."""
    version = running_version(crash)
    findings = _findings(verdicts, version)
    sure = any(finding.verdict != "possible" for finding in findings)
    candidates: tuple[CandidateFix, ...] = ()
    if not sure:
        from forensics.diagnosis.candidates import candidate_fixes  # its table is large, and often not needed

        candidates = candidate_fixes(crash, version)
    asked = questions(verdicts, crash)
    return Diagnosis(
        findings=findings,
        excluded=_exclusions(verdicts),
        candidate_fixes=candidates,
        fingerprint=fingerprint(crash, stacks, build_id),
        next_steps=next_steps(crash, findings, candidates, stacks, version, build_id, asked),
        questions=asked,
    )


def running_version(crash: Crash) -> Version | Absence:
    """The version of the process, from the first witness whose words can be read."""
    absent: Absence = Absence("process.version", "no input says it")
    for fact in crash.all("process.version"):
        version = Version.parse(str(fact.value))
        if isinstance(version, Version):
            return version
        absent = version
    return absent


def _findings(verdicts: Iterable[Verdict], version: Version | Absence) -> tuple[Finding, ...]:
    """Best first: by verdict, then those whose version is affected, then by supporting evidence."""
    found = [_finding(verdict, version) for verdict in verdicts if verdict.outcome in VERDICTS]
    return tuple(sorted(found, key=_rank))


def _rank(finding: Finding) -> tuple[int, int, int, str]:
    affected = (True, None, False).index(finding.affected)
    supporting = sum(each.supports for each in finding.evidence)
    return VERDICTS.index(finding.verdict), affected, -supporting, finding.signature


def _finding(verdict: Verdict, version: Version | Absence) -> Finding:
    signature = verdict.signature
    upgrade = upgrade_to(version, signature.fixed_in) if isinstance(version, Version) else version
    return Finding(
        signature=signature.id,
        title=signature.title,
        kind=signature.kind,
        verdict=verdict.outcome,
        evidence=_evidence(verdict),
        affected=verdict.affected,
        fixed_in=signature.fixed_in,
        upgrade_to=upgrade.to.text if isinstance(upgrade, Upgrade) else "",
        explanation=signature.explanation,
        remedy=signature.remedy,
        workaround=signature.workaround,
        references=signature.references,
        missing=verdict.missing,
        contradiction=_contradiction(verdict, version),
    )


def _contradiction(verdict: Verdict, version: Version | Absence) -> str:
    """Where memory proves a crash that the version string rules out: memory is what ran."""
    if verdict.outcome != "confirmed" or verdict.affected is not False or isinstance(version, Absence):
        return ""
    return (
        f"the process calls itself {version.text}, which is not among the releases known to be affected, and its memory"
        " shows this crash all the same: it was built from a source that lacks the fix"
    )


def _exclusions(verdicts: Iterable[Verdict]) -> tuple[Exclusion, ...]:
    """The nearest lookalike first: the one that most facts speak for."""
    found = [_exclusion(verdict) for verdict in verdicts if verdict.outcome == "excluded"]
    return tuple(sorted(found, key=lambda one: -sum(each.supports for each in one.evidence)))


def _exclusion(verdict: Verdict) -> Exclusion:
    return Exclusion(verdict.signature.id, verdict.signature.title, verdict.because, _evidence(verdict))


def _evidence(verdict: Verdict) -> tuple[Evidence, ...]:
    """The facts that decided, in the order of the clauses; undetermined ones stand in ``missing``."""
    refuting = verdict.signature.none + verdict.signature.exclude
    found: dict[tuple[str, bool], Evidence] = {}
    for each in verdict.decided_by:
        if each.held is not None and not isinstance(each.fact, Absence):
            supports = _supports(each, refuting)
            # A fact that several clauses asked for speaks once.
            found.setdefault((each.fact.name, supports), Evidence.of(each.fact, supports, each.clause.because))
    return tuple(found.values())


def _supports(each: Deciding, refuting: Sequence[object]) -> bool:
    """A clause of ``none`` or ``exclude`` that holds speaks against the signature."""
    return not each.held if each.clause in refuting else bool(each.held)
