"""The one screen that answers: what died, why, what to do now, how sure."""

from __future__ import annotations

from collections.abc import Iterator

from forensics.absence import Absence
from forensics.diagnosis.finding import Finding
from forensics.report.document import Report
from forensics.report.lines import Line, clipped, heading, prose, wrapped
from forensics.report.timeline import when_text
from forensics.report.words import (
    answer_text,
    asserted_in,
    how_sure,
    is_alive,
    plural,
    possible_releases,
    signal_text,
    size_text,
    thread_text,
    title,
    where,
)

_LABEL = 10

#: Lines of explanation on the first screen, and where it may be another crash; the whole follows among the details.
_EXPLANATION, _DOUBTFUL = 4, 2

#: Candidates whose answer to the best question stands there.
_ANSWERS = 4

#: Steps on the first screen.
STEPS = 5


def first_screen(report: Report, width: int) -> Iterator[Line]:
    """What a reader at three in the morning needs, in the order of need."""
    yield from wrapped(title(report), width, "title")
    yield Line("dim", "-" * width)
    yield from _facts(report, width)
    yield from _warnings(report, width)
    yield Line("plain", "")
    yield from _verdict(report, width)
    yield from _question(report, width)
    yield from _steps(report, width)
    yield from _how_sure(report, width)


def _facts(report: Report, width: int) -> Iterator[Line]:
    crash = report.crash
    said = (
        ("check", crash.condition),
        ("where", where(report)),
        ("inside", asserted_in(report)),
        ("release", possible_releases(report)),
        ("signal", signal_text(crash)),
        ("thread", thread_text(report)),
        ("when", when_text(report)),
        ("note", crash.explanation),
    )
    for label, text in said:
        if text:
            yield from wrapped(text, width, "plain", f"{label:<{_LABEL}}")


def _warnings(report: Report, width: int) -> Iterator[Line]:
    """What weakens every answer below."""
    for each in report.inputs:
        if each.truncated:
            lost = each.truncated.missing_bytes
            amount = f" ({size_text(lost)} missing)" if lost else ""
            yield from wrapped(f"{each.path} is cut short{amount}: see INPUTS", width, "warning", "! ")
    for gap in report.gaps:
        if gap.subject.startswith("assertion at "):
            text = f"no {gap.subject} as it was released: see WHAT COULD NOT BE HAD"
            yield from wrapped(text, width, "warning", "! ")
    if report.disagreements:
        subjects = ", ".join(each.subject for each in report.disagreements)
        yield from wrapped(f"core and log disagree on {subjects}: see below", width, "warning", "! ")


def _verdict(report: Report, width: int) -> Iterator[Line]:
    if not report.findings:
        yield from _no_verdict(report, width)
        return
    best, *others = report.findings
    yield from _named(best, width)
    doubt = "If it is this one: " if best.verdict == "possible" and best.explanation else ""
    explained = list(prose(doubt + best.explanation, width, "  "))
    shown = explanation_lines(report)
    yield from explained[:shown]
    if len(explained) > shown:
        yield Line("dim", "  (the rest stands below, after the evidence)")
    for other in others[:3]:
        yield from _named(other, width, "also ")
    if len(others) > 3:
        yield Line("dim", f"  and {len(others) - 3} more below")


def explanation_lines(report: Report) -> int:
    """How many lines of the best finding's explanation the first screen has: questions need the room."""
    return _DOUBTFUL if report.questions else _EXPLANATION


def _named(finding: Finding, width: int, before: str = "") -> Iterator[Line]:
    text = f"{before}{finding.verdict.upper()}: {finding.title} [{finding.signature}]"
    yield from wrapped(text, width, finding.verdict, "", "  ")


def _question(report: Report, width: int) -> Iterator[Line]:
    """The one fact that would tell the candidates apart best, and what each of them would say."""
    if not report.questions:
        return
    best = report.questions[0]
    yield from heading("what would decide", width)
    yield from wrapped(f"{best.label} ({best.supply})" if best.supply else best.label, width, "plain", "  ")
    for answer in best.answers[:_ANSWERS]:
        yield Line("plain", f"    {clipped(answer_text(answer), width - 4)}")
    more = len(report.questions) - 1
    if more or len(best.answers) > _ANSWERS:
        rest = f"{plural(more, 'more fact')} would help" if more else "the other candidates"
        yield Line("dim", f"  ({rest}: see WHAT WOULD DECIDE, below)")


def _no_verdict(report: Report, width: int) -> Iterator[Line]:
    if is_alive(report):
        yield Line("nothing", "NO CRASH TO EXPLAIN")
        return
    yield Line("nothing", "NO KNOWN CRASH MATCHES")
    open_ones = {answer.signature for question in report.questions for answer in question.answers}
    if open_ones:
        which = "one known crash is" if len(open_ones) == 1 else f"{len(open_ones)} known crashes are"
        yield from wrapped(f"{which} not ruled out: too little is known to tell", width, "plain", "  ")
    if report.candidate_fixes:
        count = len(report.candidate_fixes)
        fixes = "one later fix touches" if count == 1 else f"{count} later fixes touch"
        text = f"{fixes} code of this crash (CANDIDATE FIXES, below): leads, nothing proven"
        yield from wrapped(text, width, "plain", "  ")


def _steps(report: Report, width: int) -> Iterator[Line]:
    if not report.next_steps:
        return
    yield from heading("what to do now", width)
    for number, step in enumerate(report.next_steps[:STEPS], 1):
        yield from wrapped(step, width, "step", f"  {number}. ")
    if len(report.next_steps) > STEPS:
        yield Line("dim", f"  ({len(report.next_steps) - STEPS} more under FURTHER STEPS)")


def _how_sure(report: Report, width: int) -> Iterator[Line]:
    if not report.findings:
        return
    best = report.findings[0]
    if report.questions and not best.contradiction and best.affected is not False:
        return  # the verdict, the questions and the first step have said it
    yield from heading("how sure", width)
    yield from wrapped(f"{best.verdict}: {how_sure(best)}", width, "plain", "  ")
    if best.contradiction:
        yield from wrapped(f"contradiction: {best.contradiction}", width, "warning", "  ! ")
    elif best.affected is False:
        text = f"{report.process.version or 'this release'} is not among the releases known to be affected"
        yield from wrapped(text, width, "warning", "  ! ")
    told = " ".join(report.next_steps)
    wanted = dict.fromkeys(each.remedy for each in best.missing if _is_news(each, told))
    if wanted and not report.questions:
        yield from wrapped(f"surer with: {'; '.join(wanted)}", width, "plain", "  ")


def _is_news(absent: Absence, told: str) -> bool:
    """A remedy that no step names. How to learn the version is a step of its own."""
    return bool(absent.remedy) and absent.remedy not in told and absent.subject != "process.version"
