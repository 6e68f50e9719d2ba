"""The signal that ended a process: as its master saw it, or by the instruction with which its call trace begins.

ha_crash_now() of include/haproxy/bug.h: a store to address 1 up to 2.7, ud2 from 2.8-dev9 on. Up to 2.9 the first
line of the trace is that very place, with the bytes at it. Later traces begin at a caller, and from 3.2 show the bytes
before each address: they say nothing of the signal.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from forensics.evidence.fact import Fact
from forensics.logs import BugReport, LogEvidence, TraceFrame
from forensics.logs.signals import HARMLESS
from forensics.source import Source

#: x86-64: `ud2`; `movb $0,0x1` (2.6, 2.7); `movl $0,0x1` (up to 2.5).
_CODE = {
    b"\x0f\x0b": "SIGILL",
    b"\xc6\x04\x25\x01\x00\x00\x00\x00": "SIGSEGV",
    b"\xc7\x04\x25\x01\x00\x00\x00\x00": "SIGSEGV",
}


def signal_of_trace(frames: Sequence[TraceFrame]) -> str:
    """The signal that the first instruction of the trace raises; "" where the trace does not show it."""
    first = frames[0] if frames else None
    if first is None or first.code_at != 0:
        return ""
    return next((name for code, name in _CODE.items() if first.code.startswith(code)), "")


def signal_of_bug(bug: BugReport, log: LogEvidence, path: str) -> Iterator[Fact]:
    """The signal of a failed check by its trace, where no master tells it."""
    name = signal_of_trace(bug.frames)
    if name and not any(one.signal for one in log.exits):
        source = Source(path, "instruction at the top of the call trace", line=bug.frames[0].line)
        yield Fact("crash.signal", name, source, "derived")


def signal_of_exit(log: LogEvidence, path: str) -> Iterator[Fact]:
    """The signal and the pid as the master saw them: of the last worker that died by a signal of a fault."""
    exits = [one for one in log.exits if one.signal and one.role != "other" and one.signal not in HARMLESS]
    if exits:
        last = exits[-1]
        source = Source(path, "exit status in the master's report", line=last.line)
        yield Fact("crash.signal", str(last.signal), source)
        yield Fact("process.pid", last.pid, source)
