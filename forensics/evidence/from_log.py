"""Facts that a log tells: of the last death in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from forensics.absence import Absence
from forensics.evidence.fact import Fact
from forensics.evidence.from_panic import collect_panics
from forensics.evidence.from_paste import collect_coredump, collect_pasted
from forensics.evidence.from_place import collect_place, quoted_place
from forensics.evidence.from_process import aftermath, collect_process, no_death
from forensics.evidence.from_report import announced, collect_report, silent_pool_check
from forensics.evidence.from_signal import signal_of_bug, signal_of_exit
from forensics.evidence.named_addresses import listed_stack
from forensics.evidence.told_stack import entries_of, stack_fact, traced
from forensics.logs import (
    BugReport,
    CoredumpReport,
    Fatal,
    KernelFault,
    LogEvidence,
    Mention,
    OutOfMemory,
    Panic,
    PastedBacktrace,
    SystemdExit,
    WorkerExit,
)
from forensics.logs.fatal import is_haproxy
from forensics.record import replace
from forensics.source import Source

#: Who ends HAProxy by a signal, where only the signal is known.
_DEATHS = {
    "SIGSEGV": "memory that must not be touched or, up to 2.7, a check of HAProxy's own",
    "SIGABRT": "the watchdog, the C library with a damaged heap, Lua or OpenSSL",
    "SIGILL": "a check of HAProxy's own (since 2.8), or an instruction that this processor lacks",
    "SIGBUS": "a file that shrank while it was mapped, memory that could not be had, or an address that is not aligned",
    "SIGTRAP": "a breakpoint of a debugger, or a check of HAProxy's own on some machines",
}

_NAMING = "the executable that ran, with `--exe`, which names function and line; or the call trace in the worker's log"

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
        *(collect_pasted(paste, path) for paste in reversed(log.backtraces)),
        *(collect_coredump(report, path) for report in reversed(log.coredumps) if is_haproxy(report.comm)),
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
    stack = stack_fact(entries_of(listed), Source(path, "list of addresses", line=listed.line)) if listed else None
    if isinstance(fatal, Absence):
        yield from () if quoted is not None or isinstance(stack, Fact) else _aftermath(fatal, log, path)
    else:
        yield from _death(fatal, log, path)
    if stack is not None:
        yield stack
    yield from signal_of_exit(log, path)
    yield from collect_panics(log, path)
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
            yield from collect_pasted(fatal, path)
        case CoredumpReport():
            yield from collect_coredump(fatal, path)
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
    yield from traced(bug.frames, Source(path, "call trace", line=line))


def _kind_of_bug(bug: BugReport, source: Source) -> Iterator[Fact]:
    silent = list(silent_pool_check(bug, source))
    kind = Fact("crash.kind", "abort_now" if bug.kind == "abort_now" else "bug_on", source)
    yield from silent or [kind]


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
