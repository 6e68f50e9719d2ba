"""Facts that a log tells: of the last death in it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from forensics.absence import Absence
from forensics.culprit import culprit_index
from forensics.evidence.cli_panic import is_asked, is_called
from forensics.evidence.fact import Fact
from forensics.evidence.from_panic import collect_stall
from forensics.evidence.from_place import collect_place, quoted_place
from forensics.evidence.from_process import aftermath, collect_process, no_death
from forensics.evidence.from_report import announced, collect_report, silent_pool_check
from forensics.evidence.from_signal import signal_of_bug, signal_of_exit
from forensics.evidence.how_pasted import kind_of, signal_of
from forensics.evidence.library import library_of
from forensics.evidence.named_addresses import listed_stack
from forensics.evidence.waited_lock import waited_lock
from forensics.logs import (
    BugReport,
    CoredumpFrame,
    CoredumpReport,
    Fatal,
    KernelFault,
    LogEvidence,
    Mention,
    OutOfMemory,
    Panic,
    PastedBacktrace,
    SystemdExit,
    ThreadDump,
    TraceFrame,
    WorkerExit,
    culprit_frames,
)
from forensics.logs.fatal import is_haproxy
from forensics.names import UNNAMED, plain_name
from forensics.record import replace
from forensics.source import Source

_APPLET = re.compile(r"<[A-Z_]{1,32}>")

#: Who ends HAProxy by a signal, where only the signal is known.
_DEATHS = {
    "SIGSEGV": "memory that must not be touched or, up to 2.7, a check of HAProxy's own",
    "SIGABRT": "the watchdog, the C library with a damaged heap, Lua or OpenSSL",
    "SIGILL": "a check of HAProxy's own (since 2.8), or an instruction that this processor lacks",
    "SIGBUS": "a file that shrank while it was mapped, memory that could not be had, or an address that is not aligned",
    "SIGTRAP": "a breakpoint of a debugger, or a check of HAProxy's own on some machines",
}

_NAMING = "the executable that ran, with `--exe`, which names function and line; or the call trace in the worker's log"
_BACKTRACE = "the core; gdb's backtrace of it; or the call trace of the worker's log"

_CORES = "`sysctl kernel.core_pattern`, and the program that it names"
_CORES_OF_BSD = (
    "`sysctl kern.coredump kern.corefile kern.sugid_coredump`: a process that gave up root needs the last one"
)

#: Checks that failed before the death and are told, the latest.
_MOST_WARNINGS = 32


def collect_log(log: LogEvidence, path: str) -> Iterator[Fact | Absence]:
    """The facts of the last death that the log at ``path`` tells of, or an incident of it.

    The witness closest to the death may have no stack, as the kernel: then another one's counts.
    """
    told = list(_collect(log, path))
    more = [] if any(isinstance(one, Fact) and one.name == "stack" for one in told) else _other_stack(log, path, told)
    lost = ("stack", "crash.function") if more else ()
    yield from (one for one in told if isinstance(one, Fact) or one.subject not in lost)
    yield from more


def _other_stack(log: LogEvidence, path: str, told: Sequence[Fact | Absence]) -> list[Fact]:
    """What the latest pasted or collected stack with a name tells, and nobody told yet; nothing where there is none."""
    known = {one.name for one in told if isinstance(one, Fact)}
    witnesses = (
        *(_pasted(paste, path) for paste in reversed(log.backtraces)),
        *(_coredump(report, path) for report in reversed(log.coredumps) if is_haproxy(report.comm)),
    )
    for witness in witnesses:
        facts = [one for one in witness if isinstance(one, Fact)]
        if any(one.name == "stack" for one in facts):
            return [one for one in facts if one.name not in known]
    return []


def _collect(log: LogEvidence, path: str) -> Iterator[Fact | Absence]:
    """What the witness closest to the death tells, and all that is told beside it."""
    yield from _versions(log, path)
    fatal = log.fatal()
    quoted = quoted_place(log, fatal)
    if quoted is not None:
        yield from collect_place(quoted, path)
    yield from collect_process(log, path)
    listed = listed_stack(log)
    stack = _stack(_entries_of(listed), Source(path, "list of addresses", line=listed.line)) if listed else None
    if isinstance(fatal, Absence):
        yield from () if quoted is not None or isinstance(stack, Fact) else _aftermath(fatal, log, path)
    else:
        yield from _death(fatal, log, path)
    if stack is not None:
        yield stack
    yield from signal_of_exit(log, path)
    yield from _panics(log, path)
    yield from _warnings(fatal, log, path)
    if not isinstance(fatal, Absence):
        yield from _command(fatal, log, path)
        refused = next((one for one in log.mentions if one.what == "core refused"), None)
        if refused is not None:
            reason = f"line {refused.line} of {path}: the kernel wrote none, {refused.value}"
            yield Absence("core of the process", reason, _CORES_OF_BSD if " dump" in refused.value else _CORES)


def _aftermath(absent: Absence, log: LogEvidence, path: str) -> Iterator[Fact | Absence]:
    """The death that only its aftermath tells, or that there is none."""
    left = list(aftermath(log, path))
    if not left:
        yield from no_death(absent, log, path)
    for one in left:
        yield from [one] if isinstance(one, Fact) else _exit(one, path)


def _command(fatal: Fatal, log: LogEvidence, path: str) -> Iterator[Fact]:
    """The command that is named in the death: one that is named before it made a warning only."""
    warned = isinstance(fatal, BugReport) and fatal.kind in ("warn_on", "check_if")
    for mention in log.mentions:
        if mention.what != "deliberate" or mention.line < fatal.line:
            continue
        words = mention.value.removeprefix("debug dev ")
        if words in ("warn", "check") and not warned:
            continue
        yield Fact("debug.command", words, Source(path, "command named in the log", line=mention.line))
        return


def _warnings(fatal: Fatal | Absence, log: LogEvidence, path: str) -> Iterator[Fact]:
    """What the process complained about before, and survived."""
    end = None if isinstance(fatal, Absence) else fatal.line
    checks = [one for one in log.bug_reports if not one.fatal and (end is None or one.line <= end)]
    if checks:
        told = dict.fromkeys(f"{one.kind} {one.condition} at {one.file}:{one.line_number}" for one in checks)
        source = Source(path, "warnings of checks that failed", line=checks[-1].line)
        yield Fact("warnings.checks", tuple(told)[-_MOST_WARNINGS:], source)
    blocked = [
        one for one in log.mentions if one.what == "blocked traffic warning" and (end is None or one.line <= end)
    ]
    if blocked:
        source = Source(path, f"the last of them: {blocked[-1].value}", line=blocked[-1].line)
        yield Fact("warnings.blocked_traffic", len(blocked), source)


def _versions(log: LogEvidence, path: str) -> Iterator[Fact]:
    """The last version named before or in the death: a reload may have brought another one."""
    named = [(panic.version, panic.line) for panic in log.panics if panic.version]
    named += [(mention.value, mention.line) for mention in log.mentions if mention.what == "version"]
    # What a package is called counts where the process did not name its version itself.
    named = named or [(mention.value, mention.line) for mention in log.process_lines if mention.what == "version"]
    if named:
        version, line = max(named, key=lambda one: one[1])
        yield Fact("process.version", str(version), Source(path, "version line", line=line))


def _death(fatal: Fatal, log: LogEvidence, path: str) -> Iterator[Fact | Absence]:
    match fatal:
        case BugReport():
            yield from _bug(fatal, log, path)
        case Panic():
            yield Fact("crash.kind", "watchdog", Source(path, "panic", line=fatal.line))
            yield Fact("crash.signal", "SIGABRT", Source(path, "a panic ends in abort()", line=fatal.line), "derived")
        case KernelFault():
            yield from _kernel(fatal, path)
        case PastedBacktrace():
            yield from _pasted(fatal, path)
        case CoredumpReport():
            yield from _coredump(fatal, path)
        case OutOfMemory():
            yield Fact("crash.kind", "oom", Source(path, "the kernel's out-of-memory killer", line=fatal.line))
        case Mention():
            yield from collect_report(fatal, log, path)
        case WorkerExit() | SystemdExit():
            yield from _exit(fatal, path)


def _bug(bug: BugReport, log: LogEvidence, path: str) -> Iterator[Fact | Absence]:
    source = Source(path, "assertion line", line=bug.line)
    cause = announced(bug, log)
    if cause is not None:
        yield from collect_report(cause, log, path)
    else:
        yield from _kind_of_bug(bug, source)
    if bug.condition:
        yield Fact("crash.condition", bug.condition, source)
    if bug.file and bug.line_number:
        yield Fact("crash.source_file", bug.file, source)
        yield Fact("crash.source_line", bug.line_number, source)
    if bug.explanation:
        yield Fact("crash.explanation", bug.explanation, source)
    line = bug.frames[0].line if bug.frames else bug.line
    if bug.mixed:
        yield Absence(
            "stack of this process alone",
            f"line {line} of {path}: several processes wrote at the same time, and nothing tells whose the lines are",
            "the journal, which names the process of each line; or the core",
        )
    yield from signal_of_bug(bug, log, path)
    yield from _traced(bug.frames, Source(path, "call trace", line=line))


def _traced(frames: Sequence[TraceFrame], source: Source) -> Iterator[Fact | Absence]:
    """The stack of a call trace; what an executable named of it is derived, and shown with its lines."""
    found = _stack(tuple(name for frame in culprit_frames(frames) for name in _entries(frame)), source)
    places = tuple(place for frame in frames for place in frame.places or (frame.function,))
    if isinstance(found, Absence) or not any(frame.places for frame in frames):
        yield found
        return
    source = replace(source, what=f"{source.what}, named by the executable")
    yield replace(found, source=source, trust="derived")
    yield Fact("stack.places", places, source, "derived")


def _entries(frame: TraceFrame) -> Iterator[str]:
    """The frame as the fact ``stack`` writes it: inlined functions in brackets, then the physical one."""
    yield from (place.partition(" at ")[0] for place in frame.places if place.startswith("["))
    yield frame.function


def _kind_of_bug(bug: BugReport, source: Source) -> Iterator[Fact]:
    silent = list(silent_pool_check(bug, source))
    kind = Fact("crash.kind", "abort_now" if bug.kind == "abort_now" else "bug_on", source)
    yield from silent or [kind]


def _stack(names: tuple[str, ...], source: Source) -> Fact | Absence:
    if any(name != UNNAMED for name in names):
        return Fact("stack", names, source)
    where = f"line {source.line} of {source.input}" if source.line else source.input
    addresses = f", only {len(names)} addresses" if names else ""
    reason = f"{where}: no call trace with a name stands there{addresses}"
    remedy = "the executable that ran, with `--exe`; or the core" if names else _BACKTRACE
    return Absence("stack", reason, remedy)


def _entries_of(paste: PastedBacktrace) -> tuple[str, ...]:
    """The functions of a list of addresses that an executable named, inlined ones in brackets."""
    return tuple(
        f"[{frame.function}]" if frame.inlined_guess and frame.function != UNNAMED else frame.function
        for frame in paste.threads[0].frames
    )


def _kernel(fault: KernelFault, path: str) -> Iterator[Fact | Absence]:
    source = Source(path, "kernel line", line=fault.line)
    own = fault.module is not None and "haproxy" in fault.module
    yield Fact("crash.signal", fault.signal, source)
    if fault.deliberate and (own or (fault.module is None and fault.address == 1)):
        # `ud2` is how HAProxy ends itself since 2.8; an illegal instruction in a library is something else.
        what = f"kernel line: {fault.deliberate}, as HAProxy ends itself"
        yield Fact("crash.kind", "bug_on", replace(source, what=what), "derived")
    elif fault.signal in ("SIGSEGV", "SIGBUS", "SIGFPE"):
        yield Fact("crash.kind", "segfault", source, "derived")
    if fault.address is not None:
        yield Fact("crash.address", fault.address, source)
    if own:
        reason = f"line {fault.line} of {path} tells an address and no name"
        yield Absence("crash.function", reason, _NAMING)
        yield Absence("stack", reason, _NAMING)


def _pasted(paste: PastedBacktrace, path: str) -> Iterator[Fact | Absence]:
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
    yield _stack(names, source)
    yield from waited_lock(crashed.frames, path)
    others = {plain_name(frame.function) for one in threads if one is not crashed for frame in one.frames}
    if others - {UNNAMED}:
        yield Fact("threads.functions", tuple(sorted(others - {UNNAMED})), Source(path, "pasted backtrace"))


def _library(module: str | None, file: str | None, source: Source) -> Iterator[Fact]:
    """The library that the culprit's code is in."""
    if library := library_of(module, file):
        yield Fact("crash.library", library, source)


def _offset(frame: CoredumpFrame, source: Source) -> Iterator[Fact]:
    """Where in the executable a function without a name was."""
    if frame.function == UNNAMED and frame.module_offset is not None and not library_of(frame.module):
        yield Fact("crash.offset", frame.module_offset, source)


def _coredump(report: CoredumpReport, path: str) -> Iterator[Fact | Absence]:
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
    yield _stack((*hidden, *functions[start:]), source)
    others = {plain_name(frame.function) for one in report.threads[1:] for frame in one.frames}
    if others - {UNNAMED}:
        yield Fact("threads.functions", tuple(sorted(others - {UNNAMED})), source)


def _ends(signal: str) -> str:
    """Which deaths end in a signal."""
    return f": it may be {_DEATHS[signal]}" if signal in _DEATHS else ""


def _exit(fatal: WorkerExit | SystemdExit, path: str) -> Iterator[Fact | Absence]:
    source = Source(path, "exit status", line=fatal.line)
    signal = fatal.signal or ""
    if signal and isinstance(fatal, SystemdExit):
        yield Fact("crash.signal", signal, source)
    if signal in ("SIGKILL", "SIGTERM"):
        yield Fact("crash.kind", "signal_from_outside", source, "derived")
    elif not signal:
        yield Fact("crash.kind", "exit", source, "derived")
    else:
        reason = f"{signal} alone does not say why{_ends(signal)}"
        yield Absence("crash.kind", reason, "the worker's own log, the kernel's, or the core")


def _panics(log: LogEvidence, path: str) -> Iterator[Fact | Absence]:
    """Stacks, peers and stuck threads of the last panic."""
    if not log.panics:
        return
    panic = log.panics[-1]
    source = Source(path, "thread dump of the panic", line=panic.line)
    stuck = [one for one in panic.threads if one.stuck]
    if panic.threads:
        yield Fact("threads.stuck", len(stuck), source)
    yield from collect_stall(panic, path)
    dying = next((one for one in panic.threads if one.requested), None)
    if dying is not None:
        yield from _dying(dying, path)
    if panic.on_purpose or (dying is not None and is_asked(dying)):
        # The watchdog marks the thread as stuck before it panics; a panic without one was asked for.
        what = "panic of a thread that runs the CLI, with no thread stuck"
        yield Fact("debug.command", "panic", Source(path, what, line=panic.line), "derived")
    others = {frame.function for one in panic.threads if one is not dying for frame in one.frames}
    if others - {UNNAMED}:
        yield Fact("threads.functions", tuple(sorted(others - {UNNAMED})), source)
    peers = next((one for one in panic.threads if one.peer_applet), None)
    if peers is not None:
        yield Fact("peers.in_use", True, Source(path, "a thread runs the applet <PEER>", line=peers.line))


def _dying(thread: ThreadDump, path: str) -> Iterator[Fact | Absence]:
    """The thread that called for the panic."""
    source = Source(path, f"call trace of thread {thread.number}", line=thread.line)
    yield from _traced(thread.frames, source)
    if thread.task_function and thread.task_function != UNNAMED:
        yield Fact("task.function", thread.task_function, Source(path, "fct= of the thread dump", line=thread.line))
    if applet := _APPLET.search(f"{thread.task_context} {thread.exec_context}"):
        yield Fact("task.applet", applet[0], Source(path, "applet of the thread dump", line=thread.line))
