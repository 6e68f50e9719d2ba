"""BUG_ON, WARN_ON, CHECK_IF and ABORT_NOW: the assertion line, its explanation, its call trace."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from forensics.logs.clues import Clue
from forensics.logs.limits import Kept
from forensics.logs.line import Origin, Record, origin_field
from forensics.logs.mixed_traces import is_whole, of_one_process, shared_out
from forensics.logs.thread_dump import is_thread_line
from forensics.logs.trace import (
    MAX_FRAMES,
    TraceFrame,
    announced_frames,
    indent_of,
    is_trace_header,
    name_by_callers,
    parse_frame,
    same_indent,
)
from forensics.record import record, replace

#: Those of `places` too, which reads what is left of such a line.
CLUES = (Clue(b"matched at ", rb"[^:\n]{1,256}:\d"), Clue(b"ABORT at ", rb"[^:\n]{1,256}:\d"))

_KINDS = {"bug": "bug_on", "warn": "warn_on", "check": "check_if"}
_CONDITION = re.compile(r'(FATAL|WARNING): (bug|warn|check) condition "(.*)', re.DOTALL)
_PLACE = re.compile(r"([^:]{1,1024}):(\d{1,9})(?!\w)")
#: 3.0-dev3; up to then ABORT_NOW() prints nothing but the call trace.
_ABORT = re.compile(r"([^:\s][^:]{0,1023}\.[ch]):(\d{1,9})(?:: (.*))?", re.DOTALL)
#: What may stand below an assertion without being its explanation.
_OTHER = re.compile(
    r"\s*(?:$|\[(?:ALERT|WARNING|NOTICE|DIAG)\]|\[\d|Hint:|PANIC!|WARNING!|FATAL|HA-?Proxy version|#\d"
    r"|[^\s\[]{1,64}:\d{1,5} \[)"
)
#: A macro-expanded condition can be a long statement, but hardly longer.
_MAX_TEXT = 8192
#: Reports that may stand above the first of their traces, and lines between a report and the next one of these.
_TOGETHER = 4
#: Lines of a writer between two frames of a trace, where another process writes under its name.
_CLOSE = 3
_PANIC = ("is about to kill the process", "has stopped processing traffic")


@record
class BugReport:
    """One assertion that fired.

    ``kind`` is bug_on, abort_now, warn_on or check_if. ``condition`` is macro-expanded, as
    printed, and "" for abort_now; ``file`` and ``line_number`` are None where only the call
    trace was printed (ABORT_NOW up to 2.9). ``process_pid`` is the pid in the carrier's tag,
    which may be the master's. ``mixed`` tells that another process wrote at the same time under the same name, and
    nothing says which lines of the call trace are whose.
    """

    kind: str
    condition: str
    file: str | None
    line_number: int | None
    explanation: str
    fatal: bool
    frames: tuple[TraceFrame, ...]
    process_pid: int | None
    line: int
    origin: Origin = origin_field()
    mixed: bool = False


def parse_bug(record: Record) -> BugReport | None:
    """The assertion that a line reports, without what follows it; None for any other line."""
    if " matched at " in record.text:
        return _parse_condition(record)
    return _parse_abort(record) if "ABORT at " in record.text else None


def _parse_condition(record: Record) -> BugReport | None:
    """The condition may hold quotes, so the last ``" matched at `` ends it."""
    head, _, tail = record.text.rpartition('" matched at ')
    condition, place = _CONDITION.search(head), _PLACE.match(tail)
    if condition is None or place is None:
        return None
    return BugReport(
        kind=_KINDS[condition[2]],
        condition=condition[3][:_MAX_TEXT],
        file=place[1],
        line_number=int(place[2]),
        explanation="",
        fatal=condition[1] == "FATAL",
        frames=(),
        process_pid=record.pid,
        line=record.line,
        origin=record.origin,
    )


def _parse_abort(record: Record) -> BugReport | None:
    before, _, rest = record.text.partition("ABORT at ")
    match = _ABORT.match(rest.lstrip("`'\"*"))
    if match is None or before[-1:].isalnum() or " HTTP/" in record.text:
        return None
    place, said = (match[1], int(match[2])), match[3] or ""
    return BugReport("abort_now", "", *place, said, True, (), record.pid, record.line, record.origin)


@dataclass(slots=True)
class _Open:
    """A report whose trace is still being read; ``age`` counts the lines of its writer below it.

    ``announced`` and ``indent`` are those of the header of the trace, ``began`` counts the loose frames above it.
    """

    report: BugReport
    explanation: str
    age: int = 0
    traced: bool = False
    frames: list[TraceFrame] = field(default_factory=list)
    announced: int = 0
    indent: int = 0
    began: int = 0
    mixed: bool = False

    @property
    def whole(self) -> bool:
        """Whether all of its trace was read."""
        return is_whole(self.frames, self.announced)


class BugRecogniser:
    """Collects the assertions of a log, each with its explanation and its call trace."""

    def __init__(self) -> None:
        self.found: Kept[BugReport] = Kept()
        self._open: _Open | None = None
        self._waiting: list[_Open] = []
        self._running: list[_Open] = []
        self._loose: list[TraceFrame] = []
        self._silent = 0
        self._dump_awaits_trace = False

    def feed(self, record: Record) -> None:
        """Read one record."""
        self._silent += 1
        if report := parse_bug(record):
            self._start(report)
        elif is_thread_line(record.text) or any(phrase in record.text for phrase in _PANIC):
            self._cut()
            self._dump_awaits_trace = True
        elif is_trace_header(record.text):
            self._trace(record)
        elif self._open is not None:
            self._continue(self._open, record)
        if self._open is not None:
            self._open.age += 1

    def close(self) -> None:
        """End the open report, and those whose trace never came."""
        self._share_out()
        for opened in (*self._waiting, *self._running, self._open):
            self._end(opened)
        self._waiting, self._running, self._loose, self._open = [], [], [], None

    def _cut(self) -> None:
        """A thread dump: of another process where the trace above is not at its end, as blanks before lines tell."""
        opened = self._open
        if opened is None or not self._goes_on(opened) or not opened.frames:
            self.close()
        elif not opened.indent:
            opened.mixed = True
            self.close()

    def _goes_on(self, opened: _Open) -> bool:
        """Whether more frames of a trace can come: it has no end, and its last line is not far above."""
        return opened.traced and not opened.whole and self._silent <= _CLOSE

    def _share_out(self) -> None:
        """Give loose frames to those who were writing: by their addresses, or in the order of headers as a guess."""
        traces = [each for each in (*self._running, self._open) if each is not None and each.traced]
        if not self._running or not traces:
            return
        shared = shared_out([each.frames for each in traces], self._loose)
        ends = [*(each.began for each in traces[1:]), len(self._loose)]
        for place, each in enumerate(traces):
            guess = (*each.frames, *self._loose[each.began : ends[place]])
            each.frames = list(guess if shared is None else shared[place])[:MAX_FRAMES]
            each.mixed = each.mixed or shared is None

    def _end(self, opened: _Open | None) -> None:
        if opened is not None:
            frames = name_by_callers(opened.frames)
            said = opened.explanation[:_MAX_TEXT]
            mixed = opened.mixed or not of_one_process(frames)
            report = replace(opened.report, explanation=said, frames=frames, mixed=mixed)
            self.found.append(report, 1 + len(frames) + len(report.condition) // 256)

    def _start(self, report: BugReport) -> None:
        """Assertion and trace are two writes: those of two processes at one time can come in any order."""
        opened = self._open
        if opened is not None and self._goes_on(opened) and len(self._running) < _TOGETHER:
            self._run_on(opened)
        elif opened is None and self._running and self._silent <= _CLOSE:
            pass
        elif opened is None or opened.traced or opened.age > _TOGETHER or len(self._waiting) >= _TOGETHER:
            self.close()
        else:
            self._waiting.append(opened)
        self._dump_awaits_trace = False
        self._open = _Open(report, report.explanation)

    def _run_on(self, opened: _Open) -> None:
        """Somebody else begins to write while this trace is not at its end."""
        opened.began = 0 if not self._running else opened.began
        self._running.append(opened)
        self._open = None

    def _trace(self, record: Record) -> None:
        """A trace belongs to the assertion above it, or to a thread dump, or is a wordless ABORT_NOW (2.4-3.4)."""
        opened = self._open
        if opened is not None and self._dump_awaits_trace and not same_indent(opened.indent, indent_of(record.text)):
            self._dump_awaits_trace = False
            return
        if opened is not None and self._goes_on(opened) and len(self._running) < _TOGETHER:
            self._run_on(opened)
        if (untraced := self._next_untraced()) is not None:
            untraced.traced, untraced.announced = True, announced_frames(record.text)
            untraced.indent, untraced.began = indent_of(record.text), len(self._loose)
            untraced.mixed = self._in_doubt(untraced)
            self._open, self._silent = untraced, 0
        elif self._dump_awaits_trace:
            self._dump_awaits_trace = False
        else:
            wordless = BugReport("abort_now", "", None, None, "", True, (), record.pid, record.line, record.origin)
            self._start(wordless)
            self._trace(record)

    def _in_doubt(self, chosen: _Open) -> bool:
        """Whether the trace that begins can be that of another report: two processes wrote theirs before it."""
        others = [each for each in self._waiting if not _same(each, chosen)]
        for each in others:
            each.mixed = True
        return chosen.mixed or bool(others)

    def _next_untraced(self) -> _Open | None:
        """The report that a trace belongs to: the first that has none; of equal ones the last, as people quote them."""
        opened = self._open
        if not self._waiting:
            return None if opened is None or opened.traced else opened
        if opened is not None and not opened.traced:
            if _same(opened, self._waiting[0]):
                return opened
            self._waiting.append(opened)
        else:
            self._end(opened)
        return self._waiting.pop(0)

    def _continue(self, opened: _Open, record: Record) -> None:
        if frame := parse_frame(record):
            self._add(opened, frame, indent_of(record.text))
        elif _explains(opened, record):
            opened.explanation = record.text.strip()

    def _add(self, opened: _Open, frame: TraceFrame, indent: int) -> None:
        if not same_indent(indent, opened.indent):
            return
        self._silent = 0
        frames = self._loose if self._running else opened.frames
        if len(frames) < MAX_FRAMES * (1 + len(self._running)):
            frames.append(frame)


def _same(one: _Open, other: _Open) -> bool:
    ours, theirs = one.report, other.report
    return (ours.condition, ours.file, ours.line_number) == (theirs.condition, theirs.file, theirs.line_number)


def _explains(opened: _Open, record: Record) -> bool:
    """The explanation of BUG_ON(cond, "text") (3.0) is written with the assertion, hence on the very next line."""
    return (
        not (opened.explanation or opened.traced or opened.frames or opened.report.kind == "abort_now")
        and opened.age == 1
        and _OTHER.match(record.text) is None
    )
