"""Facts of stacks that a debugger printed or a collector stored."""

from __future__ import annotations

from collections.abc import Iterator

from forensics.absence import Absence
from forensics.culprit import culprit_index
from forensics.evidence.cli_panic import is_called
from forensics.evidence.fact import Fact
from forensics.evidence.how_pasted import kind_of, signal_of
from forensics.evidence.library import library_of
from forensics.evidence.told_stack import stack_fact
from forensics.evidence.waited_lock import waited_lock
from forensics.logs import CoredumpFrame, CoredumpReport, PastedBacktrace
from forensics.names import UNNAMED, plain_name
from forensics.source import Source


def collect_pasted(paste: PastedBacktrace, path: str) -> Iterator[Fact | Absence]:
    """What a stack that a debugger printed tells: how it died, the functions, the lock that was waited for."""
    threads, crashed = paste.threads, paste.crashed
    if crashed is None:
        source = Source(path, "signal that a debugger or collector names", line=paste.line)
        yield kind_of(paste.signal, (), source)
        if paste.signal:
            yield Fact("crash.signal", paste.signal, source)
        return
    source = Source(path, "pasted backtrace", line=crashed.frames[0].line if crashed.frames else paste.line)
    functions = [plain_name(frame.function) for frame in crashed.frames]
    start = culprit_index(functions, [frame.module for frame in crashed.frames])
    names = tuple(
        UNNAMED if frame.function == UNNAMED else f"[{name}]" if frame.inlined_guess else name
        for frame, name in zip(crashed.frames, functions, strict=True)
    )[start:]
    yield kind_of(paste.signal, functions, source)
    yield from signal_of(paste.signal, functions, source)
    culprit = crashed.frames[start] if start < len(crashed.frames) else None
    if culprit is not None and culprit.file and culprit.line_number:
        yield Fact("crash.source_file", culprit.file, source)
        yield Fact("crash.source_line", culprit.line_number, source)
    if is_called(functions, [frame.module for frame in crashed.frames]):
        yield Fact("debug.command", "panic", source, "derived")
    if culprit is not None:
        yield from _library(culprit.module, culprit.file, source)
    yield stack_fact(names, source)
    yield from waited_lock(crashed.frames, path)
    others = {plain_name(frame.function) for one in threads if one is not crashed for frame in one.frames}
    if others - {UNNAMED}:
        yield Fact("threads.functions", tuple(sorted(others - {UNNAMED})), Source(path, "pasted backtrace"))


def collect_coredump(report: CoredumpReport, path: str) -> Iterator[Fact | Absence]:
    """What systemd-coredump tells of a core that it stored."""
    source = Source(path, "systemd-coredump's message", line=report.line)
    yield Fact("process.pid", report.pid, source)
    frames = report.threads[0].frames if report.threads else ()
    functions = [plain_name(frame.function) for frame in frames]
    yield from signal_of(report.signal, functions, source)
    yield kind_of(report.signal, functions, source)
    start = culprit_index(functions, [frame.module for frame in frames])
    if is_called(functions, [frame.module for frame in frames]):
        yield Fact("debug.command", "panic", source, "derived")
    if start < len(frames):
        yield from _library(frames[start].module, None, source)
        yield from _offset(frames[start], source)
    # With debug information the collector names the innermost inlined function: whose frame that was is not said.
    hidden = (UNNAMED,) if functions[start - 1 : start] == ["ha_crash_now"] else ()
    yield stack_fact((*hidden, *functions[start:]), source)
    others = {plain_name(frame.function) for one in report.threads[1:] for frame in one.frames}
    if others - {UNNAMED}:
        yield Fact("threads.functions", tuple(sorted(others - {UNNAMED})), source)


def _library(module: str | None, file: str | None, source: Source) -> Iterator[Fact]:
    """The library that the culprit's code is in."""
    if library := library_of(module, file):
        yield Fact("crash.library", library, source)


def _offset(frame: CoredumpFrame, source: Source) -> Iterator[Fact]:
    """Where in the executable a function without a name was."""
    if frame.function == UNNAMED and frame.module_offset is not None and not library_of(frame.module):
        yield Fact("crash.offset", frame.module_offset, source)
