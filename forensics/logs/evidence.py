"""What a log tells, and of which deaths."""

from __future__ import annotations

from forensics.absence import Absence
from forensics.logs.addresses import Mapping
from forensics.logs.bug import BugReport
from forensics.logs.container import ContainerExit
from forensics.logs.coredump import CoredumpReport
from forensics.logs.fatal import Fatal, pick_fatal
from forensics.logs.gdb import PastedBacktrace
from forensics.logs.happenings.happening import Happening
from forensics.logs.kernel import KernelFault
from forensics.logs.line import Origin
from forensics.logs.master import WorkerExit
from forensics.logs.mentions import Mention
from forensics.logs.out_of_memory import OutOfMemory
from forensics.logs.panic import Panic
from forensics.logs.places import AssertionPlace
from forensics.logs.systemd import SystemdExit
from forensics.record import record


@record
class LogEvidence:
    """Everything a log tells, each kind in the order of its lines.

    ``carriers`` are those of the lines that were looked at, sorted by name. ``incidents`` are the deaths in order of
    time, the latest last; ``earlier_incidents`` counts those before them that were too many to keep.
    """

    bug_reports: tuple[BugReport, ...]
    panics: tuple[Panic, ...]
    exits: tuple[WorkerExit, ...]
    kernel_faults: tuple[KernelFault, ...]
    systemd_exits: tuple[SystemdExit, ...]
    out_of_memory: tuple[OutOfMemory, ...]
    coredumps: tuple[CoredumpReport, ...]
    backtraces: tuple[PastedBacktrace, ...]
    mentions: tuple[Mention, ...]
    lines_read: int
    carriers: tuple[str, ...]
    happenings: tuple[Happening, ...] = ()
    places: tuple[AssertionPlace, ...] = ()
    process_lines: tuple[Mention, ...] = ()
    container_exits: tuple[ContainerExit, ...] = ()
    address_lists: tuple[PastedBacktrace, ...] = ()
    mappings: tuple[Mapping, ...] = ()
    incidents: tuple[Incident, ...] = ()
    earlier_incidents: int = 0

    def fatal(self) -> Fatal | Absence:
        """The latest death in the log, told by the witness closest to its cause (see `pick_fatal`)."""
        return pick_fatal(self.ranked())

    def ranked(self) -> tuple[tuple[Fatal, ...], ...]:
        """All events by how close their witness is to the cause, as `pick_fatal` wants them."""
        itself: tuple[Fatal, ...] = (*self.bug_reports, *self.panics, *self.mentions)
        others = (self.kernel_faults, self.coredumps, self.backtraces, self.out_of_memory)
        return (itself, *others, self.exits, self.systemd_exits)


@record
class Incident:
    """The death of one process.

    ``number`` counts the incidents of a log from 1 in order of time. ``pid`` is the process that died, None where
    no line names it; ``pids`` are all numbers that lines about it bear (the kernel's are those of threads, those of
    carriers can be the master's). ``first`` and ``last`` are the origins of its first and its last event,
    ``evidence`` what the log tells of this death alone.
    """

    number: int
    pid: int | None
    pids: tuple[int, ...]
    first: Origin
    last: Origin
    evidence: LogEvidence
