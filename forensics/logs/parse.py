"""A log in, evidence out: one pass, one recogniser a shape."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from forensics.absence import Absence
from forensics.logs.bug import BugRecogniser, BugReport
from forensics.logs.carrier import MAX_LINE, Record, unwrap
from forensics.logs.coredump import CoredumpRecogniser, CoredumpReport
from forensics.logs.fatal import Fatal, pick_fatal
from forensics.logs.gdb import BacktraceRecogniser, PastedBacktrace
from forensics.logs.interest import INTERESTING
from forensics.logs.json_carrier import MAX_JSON
from forensics.logs.kernel import KernelFault, KernelRecogniser
from forensics.logs.master import WorkerExit, WorkerExitRecogniser
from forensics.logs.mentions import Mention, MentionRecogniser
from forensics.logs.out_of_memory import OutOfMemory, OutOfMemoryRecogniser
from forensics.logs.panic import Panic, PanicRecogniser
from forensics.logs.systemd import SystemdExit, SystemdRecogniser
from forensics.record import record

#: Lines decoded after an interesting one whatever they hold: explanations, stream dumps, wrapped frames.
_WINDOW = 48


@record
class LogEvidence:
    """Everything a log tells, each kind in the order of its lines.

    ``carriers`` are those of the lines that were looked at, sorted by name.
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

    def fatal(self) -> Fatal | Absence:
        """The latest death in the log, told by the witness closest to its cause (see `pick_fatal`)."""
        itself: tuple[Fatal, ...] = (*self.bug_reports, *self.panics, *self.mentions)
        others = (self.kernel_faults, self.coredumps, self.backtraces, self.out_of_memory)
        return pick_fatal((itself, *others, self.exits, self.systemd_exits))


class _Reader:
    """Counts lines, and lets through those that may matter."""

    def __init__(self) -> None:
        self.lines_read = 0
        self.carriers: set[str] = set()

    def records(self, lines: Iterable[bytes]) -> Iterator[Record]:
        search, window, number = INTERESTING.search, 0, 0
        for number, raw in enumerate(lines, 1):
            if search(raw, 0, MAX_LINE) or (len(raw) > MAX_LINE and search(raw, MAX_LINE, MAX_JSON)):
                window = _WINDOW
            elif window:
                window -= 1
            else:
                continue
            self.lines_read = number
            for line in unwrap(raw, number):
                self.carriers.add(line.carrier)
                yield line
        self.lines_read = number


def parse(lines: Iterable[bytes]) -> LogEvidence:
    """Read a log of any length and any origin; what is no evidence costs next to nothing."""
    bugs, panics, exits = BugRecogniser(), PanicRecogniser(), WorkerExitRecogniser()
    kernel, systemd, memory = KernelRecogniser(), SystemdRecogniser(), OutOfMemoryRecogniser()
    coredumps, backtraces, mentions = CoredumpRecogniser(), BacktraceRecogniser(), MentionRecogniser()
    recognisers = (bugs, panics, exits, kernel, systemd, memory, coredumps, backtraces, mentions)
    reader = _Reader()
    for line in reader.records(lines):
        for recogniser in recognisers:
            recogniser.feed(line)
    for recogniser in recognisers:
        recogniser.close()
    return LogEvidence(
        bug_reports=tuple(bugs.found),
        panics=tuple(panics.found),
        exits=tuple(exits.found),
        kernel_faults=tuple(kernel.found),
        systemd_exits=tuple(systemd.found),
        out_of_memory=tuple(memory.found),
        coredumps=tuple(coredumps.found),
        backtraces=tuple(backtraces.found),
        mentions=tuple(mentions.found),
        lines_read=reader.lines_read,
        carriers=tuple(sorted(reader.carriers)),
    )
