"""The rules that every signature keeps, besides being readable.

It has cases: one that it recognises, one near miss, and one that stays open; each
gives what it expects. Every clause earns its place: without it some case has another
outcome or another reason. Its text patterns end in time on hostile text. It recognises nothing in
a crash without facts or in a healthy process.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from forensics.errors import SignatureError
from forensics.evidence.fact import Crash
from forensics.matching.cases import Case, Reader, crash_of, read_cases
from forensics.matching.clause import holds
from forensics.matching.load import load_signature
from forensics.matching.locate import CASES_SUFFIX, signature_files
from forensics.matching.match import judge
from forensics.matching.signature import GROUPS, Clause, Signature
from forensics.record import record, replace

#: Texts on which careless patterns take for ever.
HOSTILE = ("a" * 5_000 + "!", "(" * 5_000, " " * 5_000 + "x", "task->expire " * 400, "ab" * 3_000)

#: A case with its crash, as far as it could be had.
_Run = tuple[Case, Crash]


@record
class Complaint:
    """One broken rule: whose, and what to do."""

    signature: str
    problem: str
    hint: str = ""


def lint_directory(
    directory: Path,
    readers: Mapping[str, Reader] | None = None,
    healthy: Iterable[tuple[str, Crash]] = (),
) -> tuple[Complaint, ...]:
    """Every complaint about the signatures below a directory.

    ``readers`` turn the evidence of cases into crashes, by the key in the case
    (``log``, ``sample``); cases without a reader are not run. ``healthy`` are
    crashes, with a name each, that nothing may recognise.
    """
    complaints = list(_orphans(directory))
    controls = (("a crash without facts", Crash.of(())), *healthy)
    for file in signature_files(directory):
        try:
            signature = load_signature(directory, file)
            complaints += lint_signature(signature, read_cases(directory, signature.id), readers or {}, controls)
        except SignatureError as error:
            complaints.append(Complaint(file.relative_to(directory).as_posix(), error.message, error.hint))
    return tuple(complaints)


def lint_signature(
    signature: Signature,
    cases: Iterable[Case],
    readers: Mapping[str, Reader],
    controls: Iterable[tuple[str, Crash]] = (),
) -> tuple[Complaint, ...]:
    """Every complaint about one signature and its cases."""
    cases = tuple(cases)
    found = ((case, crash_of(case, readers)) for case in cases)
    runs = [(case, crash) for case, crash in found if crash is not None]
    problems = [*_coverage(signature, cases), *_wrong(signature, runs), *_slow(signature)]
    problems += [*_idle(signature, runs, complete=len(runs) == len(cases)), *_alarms(signature, controls)]
    return tuple(Complaint(signature.id, *problem) for problem in problems)


def _orphans(directory: Path) -> Iterator[Complaint]:
    for file in sorted(directory.rglob(f"*{CASES_SUFFIX}")):
        if not file.with_name(file.name.removesuffix(CASES_SUFFIX) + ".toml").is_file():
            yield Complaint(file.relative_to(directory).as_posix(), "has no signature beside it")


def _coverage(signature: Signature, cases: Iterable[Case]) -> Iterator[tuple[str, str]]:
    """A match, a near miss, an open case; a confirmed signature has a real sample."""
    expected = {case.expect for case in cases}
    best = {"possible"} if signature.status == "draft" else {"confirmed", "probable"}
    if not expected & best:
        yield "has no case that it recognises", f"add a case that expects {' or '.join(sorted(best))}"
    if not expected & {"excluded", "none"}:
        yield "has no near miss", "add a case of a lookalike that expects excluded or none"
    if "possible" not in expected:
        yield "has no case that stays open", "add a case with a fact missing that expects possible"
    if signature.status == "confirmed" and not any(case.evidence == "sample" for case in cases):
        yield "is `confirmed` without a real sample", "add a case with `sample`, or say `tested`"


def _wrong(signature: Signature, runs: Iterable[_Run]) -> Iterator[tuple[str, str]]:
    for case, crash in runs:
        verdict = judge(signature, crash)
        if verdict.outcome != case.expect:
            yield f"case `{case.name}` gives {verdict.outcome}, not {case.expect}", verdict.because


def _idle(signature: Signature, runs: list[_Run], *, complete: bool) -> Iterator[tuple[str, str]]:
    """Clauses whose absence no case would notice; not judged while some cases cannot run."""
    for name in GROUPS if complete else ():
        for clause in signature.group(name):
            less = _without(signature, name, clause)
            if all(_answer(less, crash) == _answer(signature, crash) for _, crash in runs):
                yield f"`{name}` clause on {clause.fact} ({clause.test}) decides no case", "add the case, or remove it"


def _answer(signature: Signature, crash: Crash) -> tuple[str, str]:
    """What a reader would notice: the outcome, and the reason of an exclusion."""
    verdict = judge(signature, crash)
    return verdict.outcome, verdict.because


def _without(signature: Signature, name: str, clause: Clause) -> Signature:
    left = tuple(each for each in signature.group(name) if each is not clause)
    return replace(signature, **{name: left})


def _slow(signature: Signature) -> Iterator[tuple[str, str]]:
    for clause in (each for name in GROUPS for each in signature.group(name) if each.test == "matches"):
        if any(holds(clause, text) is None for text in HOSTILE):
            yield f"pattern `{clause.operand}` does not end in time on hostile text", "bound its repetitions"


def _alarms(signature: Signature, controls: Iterable[tuple[str, Crash]]) -> Iterator[tuple[str, str]]:
    for name, crash in controls:
        outcome = judge(signature, crash).outcome
        if outcome != "none":
            yield f"finds itself {outcome} in {name}", "a clause that only the crash can hold is missing"
