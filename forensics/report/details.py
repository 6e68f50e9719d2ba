"""What stands behind the first screen: evidence, stacks, gaps, inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from forensics.diagnosis.finding import Evidence, Exclusion, Finding
from forensics.record import replace
from forensics.report.addresses import address_lines
from forensics.report.document import Report, ThreadGroup, group_threads, holds
from forensics.report.first_screen import STEPS, explanation_lines
from forensics.report.lines import Line, clipped, prose, section, wrapped
from forensics.report.safe_text import one_line
from forensics.report.stack import stack_lines
from forensics.report.timeline import timeline_lines, timeline_note
from forensics.report.waits import wait_lines
from forensics.report.words import MODULES, answer_text, evidence_text, fact_name, input_names, plural, size_text

#: Longest lists of one section; what is left out is counted.
_MOST = 20


def details(report: Report, width: int) -> Iterator[Line]:
    """All sections that have something to say, most wanted first."""
    yield from section("further steps", _further_steps(report, width), width)
    yield from section("what would decide", _questions(report, width), width)
    names = input_names(report)
    for position, finding in enumerate(report.findings):
        body = _finding(finding, names, width, 0 if position else explanation_lines(report))
        yield from section("evidence", body, width, f"for {finding.signature}")
    yield from section("looks alike, but is not", _excluded(report, names, width), width)
    yield from section("candidate fixes", _candidates(report, width), width, "(leads, not a diagnosis)")
    thread = report.crashed_thread
    if thread is not None:
        yield from section("stack of the thread that died", stack_lines(thread, width), width)
    title = "other threads" if thread is not None else "threads"
    yield from section(title, _others(report, width), width, "(equal stacks once; a <- b: b called a)")
    yield from section("timeline", timeline_lines(report, width), width, timeline_note(report))
    yield from section("core and log disagree", _disagreements(report, width), width)
    yield from section("what could not be had", _gaps(report, width), width)
    yield from section("before and after", _complaints(report.state, width), width)
    yield from section("state read from memory", _state(report.state, width), width)
    yield from section("process", _process(report, width), width)
    yield from section("inputs", _inputs(report, width), width)
    yield from section("modules not found", _modules(report, width), width)
    yield from section("fingerprint", _fingerprint(report, width), width)


def _further_steps(report: Report, width: int) -> Iterator[Line]:
    for number, step in enumerate(report.next_steps[STEPS:], STEPS + 1):
        yield from wrapped(step, width, "step", f"  {number}. ")


def _questions(report: Report, width: int) -> Iterator[Line]:
    """Each fact that would tell candidates apart, the most telling first."""
    for question in report.questions:
        supply = f" ({question.supply})" if question.supply else ""
        yield from wrapped(f"{question.label}{supply}", width, "plain", "  ", "    ")
        for answer in question.answers:
            yield from wrapped(answer_text(answer), width, "dim", "    ", "      ")


def _finding(finding: Finding, names: Mapping[str, str], width: int, told: int) -> Iterator[Line]:
    yield from _evidence(finding.evidence, names, width)
    for absent in finding.missing:
        yield from wrapped(f"{fact_name(absent.subject)}: {absent.reason}", width, "dim", "  ? ")
    if finding.fixed_in:
        yield from wrapped(f"fixed in: {', '.join(finding.fixed_in)}", width, "plain", "  ")
    for name, text in (("remedy", finding.remedy), ("workaround", finding.workaround)):
        if text:
            yield from wrapped(f"{name}: {text}", width, "plain", "  ", "    ")
    yield from _explanation(finding, width, told)
    for reference in finding.references:
        yield from wrapped(reference, width, "dim", "  see ")


def _explanation(finding: Finding, width: int, told: int) -> Iterator[Line]:
    """The whole explanation, unless the first screen, with so many lines of it, told all of it."""
    whole = list(prose(finding.explanation, width, "  "))
    if len(whole) > told:
        yield Line("plain", "  what happens:")
        yield from whole


def _evidence(evidence: Sequence[Evidence], names: Mapping[str, str], width: int) -> Iterator[Line]:
    """``+`` speaks for, ``-`` against; the source stands below, where to go and check."""
    for each in evidence:
        yield from wrapped(evidence_text(each), width, "plain", "  + " if each.supports else "  - ")
        if each.because:
            yield from wrapped(each.because, width, "plain", "    ")
        if each.source is not None:
            source = replace(each.source, input=names.get(each.source.input, each.source.input))
            yield from wrapped(source.describe(), width, "dim", "      ")


def _excluded(report: Report, names: Mapping[str, str], width: int) -> Iterator[Line]:
    for each in report.excluded[:_MOST]:
        yield from wrapped(f"{each.title or each.signature} [{each.signature}]", width, "plain", "  ", "    ")
        if each.because:
            yield from wrapped(f"because {each.because}", width, "plain", "    ")
        yield from _refuting(each, names, width)
    yield from _left_out(len(report.excluded))


def _refuting(exclusion: Exclusion, names: Mapping[str, str], width: int) -> Iterator[Line]:
    """The one fact that gave the reason; the others stand in the document."""
    against = [each for each in exclusion.evidence if not each.supports]
    against.sort(key=lambda each: each.because != exclusion.because)
    yield from _evidence([replace(each, because="") for each in against[:1]], names, width)


def _candidates(report: Report, width: int) -> Iterator[Line]:
    for each in report.candidate_fixes:
        what = " ".join(part for part in (each.commit, each.severity, each.area) if part)
        issues = "".join(f", GH-{issue}" for issue in each.issues)
        yield from wrapped(f"{what}: {', '.join(each.because)}", width, "plain", "  ", "    ")
        yield from wrapped(f"fixed in {', '.join(each.fixed_in)}{issues}", width, "dim", "    ")


def _others(report: Report, width: int) -> Iterator[Line]:
    groups = report.thread_groups or group_threads(report.threads)
    crashed = report.crashed_thread
    for group in groups[:_MOST]:
        count = group.count - (crashed is not None and holds(group, crashed))
        if count:
            yield from _group(group, count, crashed.lwp if crashed else None, width)
    yield from _left_out(len(groups))


def _group(group: ThreadGroup, count: int, crashed: int | None, width: int) -> Iterator[Line]:
    lwps = [str(lwp) for lwp in group.lwps if lwp != crashed]
    more = ", ..." if len(lwps) > 6 else ""
    named = f" (kernel ids {', '.join(lwps[:6])}{more})" if lwps else ""
    yield from wrapped(f"{plural(count, 'thread')}{named}", width, "plain", "  ")
    # The scheduler's frames below say the same of every thread.
    shown = " <- ".join(group.frames[:8]) + (" <- ..." if len(group.frames) > 8 else "")
    yield from wrapped(shown or "no frames", width, "dim", "      ")


def _disagreements(report: Report, width: int) -> Iterator[Line]:
    for each in report.disagreements:
        said = f"{each.subject}: the core says `{each.core}`, the log says `{each.log}`"
        yield from wrapped(said, width, "warning", "  ", "    ")
        if each.note:
            yield from wrapped(each.note, width, "plain", "    ")


def _gaps(report: Report, width: int) -> Iterator[Line]:
    for each in report.gaps[:_MOST]:
        yield from wrapped(f"{fact_name(each.subject)}: {each.reason}", width, "plain", "  ", "    ")
        if each.remedy:
            yield from wrapped(f"would help: {each.remedy}", width, "dim", "    ")
    yield from _left_out(len(report.gaps))


def _state(state: Mapping[str, object], width: int) -> Iterator[Line]:
    """How much of each there is; the document holds the objects themselves."""
    for name, value in state.items():
        if name == "complaints":
            continue
        if name == "checks" and isinstance(value, list | tuple):
            yield from _checks(value, width)
            continue
        if name == "stick_tables" and isinstance(value, list | tuple):
            yield from _tables(value, width)
            continue
        if name in ("threads", "tasks", "locks"):
            yield from wait_lines(name, value, width)
            continue
        if name in ("address", "registers", "pools"):
            yield from address_lines(name, value, width)
            continue
        counted = isinstance(value, list | tuple | Mapping)
        shown = plural(len(value), "entry").replace("entrys", "entries") if counted else str(value)  # type: ignore[arg-type]
        yield Line("plain", f"  {clipped(f'{name}: {shown}', width - 2)}")


def _complaints(state: Mapping[str, object], width: int) -> Iterator[Line]:
    """What texts tell of the time before the death and after it."""
    for text in _texts(state.get("complaints"))[:_MOST]:
        yield from wrapped(one_line(text), width, "plain", "  ", "    ")


def _tables(rows: Sequence[object], width: int) -> Iterator[Line]:
    """A line for each table, and its locks that are held."""
    yield Line("plain", "  stick-tables:")
    for row in rows[:_MOST]:
        if isinstance(row, Mapping):
            peers = f", peers {row['peers']}" if row.get("peers") else ""
            used = f"{row.get('used')} of {row.get('size')} entries"
            locks = "".join(f"; {lock}" for lock in _texts(row.get("held_locks"))[:4])
            text = f"{row.get('name')} ({row.get('source')}): {row.get('type')}, {used}{peers}{locks}"
            yield from wrapped(one_line(text), width, "plain", "    ", "      ")
    yield from _left_out(len(rows))


def _texts(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list | tuple) else []


def _checks(rows: Sequence[object], width: int) -> Iterator[Line]:
    """The checks of HAProxy's own that matched, each with what it found and how often."""
    yield Line("plain", "  checks that matched while it ran, the fatal one included:")
    for row in rows[:_MOST]:
        if isinstance(row, Mapping):
            said = " ".join(str(row[name]) for name in ("condition", "explanation") if row.get(name))
            text = f"{row.get('source')} in {row.get('function')}(), {plural(int(row.get('count', 0)), 'time')}: {said}"
            yield from wrapped(one_line(text), width, "plain", "    ", "      ")
    yield from _left_out(len(rows))


def _process(report: Report, width: int) -> Iterator[Line]:
    process = report.process
    platform = ", ".join(f"{name} {value}" for name, value in process.platform.items())
    said = (
        ("release", f"{process.version} of {process.release_date}" if process.release_date else process.version),
        ("binary", process.executable),
        ("build-id", process.build_id),
        ("command", process.command_line),
        ("pid", "" if process.pid is None else str(process.pid)),
        ("threads", "" if process.threads is None else str(process.threads)),
        ("features", " ".join(process.features)),
        ("platform", platform),
    )
    for label, text in said:
        if text:
            yield from wrapped(text, width, "plain", f"  {label:<10}")


def _inputs(report: Report, width: int) -> Iterator[Line]:
    for each in report.inputs:
        size = f", {size_text(each.size)}" if each.size is not None else ""
        digest = f", sha256 {each.sha256[:16]}" if each.sha256 else ""
        yield from wrapped(f"{each.path} ({each.kind or 'unknown kind'}{size}{digest})", width, "plain", "  ", "    ")
        if each.truncated:
            cut = each.truncated
            missing = f"{size_text(cut.missing_bytes)} missing" if cut.missing_bytes else "cut short"
            lost = f"; lost: {cut.lost}" if cut.lost else ""
            cause = f"; likely cause: {cut.likely_cause}" if cut.likely_cause else ""
            yield from wrapped(f"{missing}{lost}{cause}", width, "warning", "    ! ")


def _modules(report: Report, width: int) -> Iterator[Line]:
    lacking = [each for each in report.modules if each.status != "found"]
    for each in lacking[:_MOST]:
        build_id = f", build-id {each.build_id}" if each.build_id else ""
        status = MODULES.get(each.status, each.status or "unknown")
        yield from wrapped(f"{each.path}: {status}{build_id}", width, "plain", "  ", "    ")
        if each.tried:
            more = f" and {len(each.tried) - 3} more" if len(each.tried) > 3 else ""
            yield from wrapped(f"tried {', '.join(each.tried[:3])}{more}", width, "dim", "    ")
    yield from _left_out(len(lacking))


def _fingerprint(report: Report, width: int) -> Iterator[Line]:
    mark = report.fingerprint
    if mark.stable.startswith("unknown"):
        yield Line("plain", f"  {mark.stable} (groups no crashes)")
    elif mark.stable:
        yield from wrapped(
            f"{mark.stable} (same crash, any build); exact {mark.exact} (this build)", width, "plain", "  "
        )
    if mark.basis:
        yield from wrapped(f"rests on {mark.basis}", width, "dim", "  ")


def _left_out(count: int) -> Iterator[Line]:
    if count > _MOST:
        yield Line("dim", f"  and {count - _MOST} more in the JSON document")
