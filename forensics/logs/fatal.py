"""Which of the things a log tells is the death that is asked about."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from forensics.absence import Absence
from forensics.logs.bug import BugReport
from forensics.logs.coredump import CoredumpReport
from forensics.logs.gdb import PastedBacktrace
from forensics.logs.kernel import KernelFault
from forensics.logs.master import WorkerExit
from forensics.logs.mentions import FATAL_MENTIONS, Mention
from forensics.logs.out_of_memory import OutOfMemory
from forensics.logs.panic import Panic
from forensics.logs.signals import HARMLESS
from forensics.logs.systemd import SystemdExit

Fatal = (
    BugReport
    | Panic
    | Mention
    | KernelFault
    | CoredumpReport
    | PastedBacktrace
    | OutOfMemory
    | WorkerExit
    | SystemdExit
)

_OURS = ("haproxy", "hapee")
#: haproxy_exporter of Prometheus is a program of its own, often on the same host.
_FOREIGN = re.compile(r"(?:haproxy|hapee)[_-]export[^/]*\Z")


def is_haproxy(name: str | None) -> bool:
    """Tell whether a program or unit is an HAProxy by its name."""
    return name is not None and any(word in name.lower() for word in _OURS) and not _FOREIGN.search(name.lower())


def is_death(event: Fatal) -> bool:
    """Tell whether an event is the death of an HAProxy by a fault."""
    match event:
        case BugReport():
            return event.fatal
        case Mention():
            return event.what in FATAL_MENTIONS
        case KernelFault():
            return is_haproxy(event.comm) or is_haproxy(event.module)
        case CoredumpReport() | OutOfMemory():
            return is_haproxy(event.comm)
        case WorkerExit():
            return event.role != "other" and event.signal is not None and event.signal not in HARMLESS
        case SystemdExit():
            return is_haproxy(event.unit) and event.signal is not None and event.signal not in HARMLESS
        case PastedBacktrace() | Panic():
            return True


def pick_fatal(ranked: Sequence[Iterable[Fatal]]) -> Fatal | Absence:
    """The latest death, told by its best witness.

    ``ranked`` holds the events by closeness to the cause: what the process wrote of itself,
    the kernel, systemd-coredump, a debugger, the out-of-memory killer, and last the two who
    only saw it go, the master and systemd. One death has witnesses of several ranks, so the
    last exit and the one before it bound the incident; inside it the best rank wins, and in
    the rank the latest.
    """
    deaths = [told_once([event for event in events if is_death(event)]) for events in ranked]
    exits = next((rank for rank in deaths[-2:] if rank), [])
    after = exits[-2].line if len(exits) > 1 else 0
    for rank in deaths:
        recent = [event for event in rank if event.line > after]
        if recent:
            return max(recent, key=lambda event: event.line)
    return Absence("fatal event", "the log tells of no death of an HAProxy", "the stderr of the worker, or the journal")


def told_once(deaths: list[Fatal]) -> list[Fatal]:
    """The deaths without those that a BSD kernel tells of and the master too."""
    master = {one.pid for one in deaths if isinstance(one, WorkerExit) and one.role != "process"}
    return [one for one in deaths if not (isinstance(one, WorkerExit) and one.role == "process" and one.pid in master)]
