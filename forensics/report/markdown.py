"""The document as Markdown, for a ticket."""

from __future__ import annotations

from collections.abc import Iterator

from forensics.diagnosis.finding import Evidence, Finding
from forensics.report.document import Report, group_threads, holds
from forensics.report.markup import cell, code, fenced, link, prose
from forensics.report.safe_text import paragraphs
from forensics.report.stack import stack_lines
from forensics.report.timeline import timeline_note, timeline_rows, when_text
from forensics.report.words import (
    answer_text,
    asserted_in,
    fact_name,
    fact_value,
    how_sure,
    is_alive,
    plural,
    possible_releases,
    signal_text,
    size_text,
    thread_text,
)
from forensics.report.words import title as report_title
from forensics.report.words import where as report_where

#: Columns of the fenced stack, and how many entries a list shows.
_STACK_WIDTH, _MOST = 120, 20


def render_markdown(report: Report) -> str:
    """The report for a ticket. Nothing from an input can act as Markdown or HTML."""
    lines = [f"# {prose(report_title(report))}", "", *_facts(report), *_verdict(report), *_steps(report)]
    lines += _section("What would decide", _questions(report))
    for finding in report.findings:
        lines += _section(f"Evidence for {code(finding.signature)}", _evidence(finding.evidence))
    lines += _section("Looks alike, but is not", _excluded(report))
    lines += _section("Candidate fixes (leads, not a diagnosis)", _candidates(report))
    lines += _section("Stack of the thread that died", _stack(report))
    lines += _section("Other threads", _others(report))
    lines += _section("Timeline", _timeline(report))
    lines += _section("Core and log disagree", _disagreements(report))
    lines += _section("What could not be had", _gaps(report))
    lines += _section("Inputs", _inputs(report))
    return "\n".join([*lines, "", *_footer(report)]).rstrip("\n") + "\n"


def _facts(report: Report) -> Iterator[str]:
    crash, process = report.crash, report.process
    said = (
        ("Check that failed", crash.condition),
        ("Where", report_where(report)),
        ("Inside", asserted_in(report)),
        ("Release", possible_releases(report)),
        ("Signal", signal_text(crash)),
        ("Thread", thread_text(report)),
        ("When", when_text(report)),
        ("Note", crash.explanation),
        ("Version", f"{process.version} of {process.release_date}" if process.release_date else process.version),
        ("Binary", process.executable),
        ("Build-id", process.build_id),
        ("Command", process.command_line),
        ("Fingerprint", report.fingerprint.stable),
    )
    yield from ("| fact | value |", "|---|---|")
    yield from (f"| {label} | {cell(text)} |" for label, text in said if text)


def _section(title: str, body: Iterator[str]) -> list[str]:
    lines = list(body)
    return ["", f"## {title}", "", *lines] if lines else []


def _verdict(report: Report) -> Iterator[str]:
    yield from ("", "## Verdict", "")
    if not report.findings:
        yield "**NO CRASH TO EXPLAIN**" if is_alive(report) else "**NO KNOWN CRASH MATCHES**"
    for position, finding in enumerate(report.findings):
        if position:
            yield ""
        yield f"**{prose(finding.verdict.upper())}: {prose(finding.title)}** ({code(finding.signature)})"
        yield from _explained(finding)


def _explained(finding: Finding) -> Iterator[str]:
    for paragraph in paragraphs(finding.explanation):
        yield from ("", prose(paragraph))
    sure = how_sure(finding)
    wanted = "; ".join(dict.fromkeys(each.remedy for each in finding.missing if each.remedy))
    surer = f"Surer with: {prose(wanted)}" if wanted else ""
    if sure or surer:
        yield from ("", " ".join(part for part in (f"How sure: {sure}." if sure else "", surer) if part))
    if finding.contradiction:
        yield from ("", f"Contradiction: {prose(finding.contradiction)}")
    if finding.fixed_in:
        yield from ("", f"Fixed in: {', '.join(map(code, finding.fixed_in))}")
    if finding.references:
        yield from ("", f"See: {', '.join(map(link, finding.references))}")


def _steps(report: Report) -> list[str]:
    return _section("What to do now", (f"{number}. {prose(step)}" for number, step in enumerate(report.next_steps, 1)))


def _questions(report: Report) -> Iterator[str]:
    for question in report.questions:
        supply = f" ({prose(question.supply)})" if question.supply else ""
        yield f"- **{prose(question.label)}**{supply}"
        for answer in question.answers:
            said = answer_text(answer).removeprefix(f"{answer.signature}: ")
            yield f"  - {code(answer.signature)}: {prose(said)}"


def _evidence(evidence: tuple[Evidence, ...]) -> Iterator[str]:
    for each in evidence:
        side = "for" if each.supports else "against"
        source = f", read in {code(each.source.describe())}" if each.source else ""
        because = f" ({prose(each.because)})" if each.because else ""
        yield f"- {side}: {prose(fact_name(each.fact))} {code(fact_value(each.fact, each.value))}{because}{source}"


def _excluded(report: Report) -> Iterator[str]:
    for each in report.excluded[:_MOST]:
        because = f": {prose(each.because)}" if each.because else ""
        yield f"- {prose(each.title)} ({code(each.signature)}){because}"


def _candidates(report: Report) -> Iterator[str]:
    for each in report.candidate_fixes:
        fixed, because = ", ".join(map(code, each.fixed_in)), prose(", ".join(each.because))
        issues = ", ".join(f"GH-{issue}" for issue in each.issues)
        area = " ".join(prose(part) for part in (each.severity, each.area) if part)
        yield f"- {code(each.commit)} {area}: {because}; fixed in {fixed}" + (f"; {issues}" if issues else "")


def _stack(report: Report) -> Iterator[str]:
    thread = report.crashed_thread
    if thread is not None and thread.frames:
        yield from fenced([line.text for line in stack_lines(thread, _STACK_WIDTH)])


def _others(report: Report) -> Iterator[str]:
    crashed = report.crashed_thread
    for group in (report.thread_groups or group_threads(report.threads))[:_MOST]:
        count = group.count - (crashed is not None and holds(group, crashed))
        if count:
            yield f"- {plural(count, 'thread')}: {code(' <- '.join(group.frames[:8])) or 'no frames'}"


def _timeline(report: Report) -> Iterator[str]:
    rows = timeline_rows(report)
    if rows:
        yield from (f"| {cell(timeline_note(report) or 'time')} | what |", "|---|---|")
    for row in rows:
        when = " ".join(part for part in (row.clock, row.apart) if part)
        yield f"| {cell(when)} | {cell(f'{row.what}: {row.text}')} |"


def _disagreements(report: Report) -> Iterator[str]:
    for each in report.disagreements:
        note = f" ({prose(each.note)})" if each.note else ""
        yield f"- {prose(each.subject)}: the core says {code(each.core)}, the log says {code(each.log)}{note}"


def _gaps(report: Report) -> Iterator[str]:
    for each in report.gaps[:_MOST]:
        remedy = f" Would help: {prose(each.remedy)}" if each.remedy else ""
        yield f"- {prose(fact_name(each.subject))}: {prose(each.reason)}.{remedy}"


def _inputs(report: Report) -> Iterator[str]:
    for each in report.inputs:
        size = f", {size_text(each.size)}" if each.size is not None else ""
        lost = prose(each.truncated.lost) if each.truncated else ""
        cut = f", **cut short**{f': lost {lost}' if lost else ''}" if each.truncated else ""
        yield f"- {code(each.path)} ({prose(each.kind or 'unknown kind')}{size}){cut}"


def _footer(report: Report) -> Iterator[str]:
    if report.tool.version:
        known = report.tool.releases_known_until
        until = f", which knows releases until {prose(known)}" if known else ""
        yield f"Made by haproxy-forensics {prose(report.tool.version)}{until}."
