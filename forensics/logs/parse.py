"""A log in, evidence out: one pass, one recogniser a shape."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import IO

from forensics.absence import Absence
from forensics.logs.bug import BugRecogniser, BugReport
from forensics.logs.carrier import Unwrapper
from forensics.logs.coredump import CoredumpRecogniser, CoredumpReport
from forensics.logs.encoding import TextStream
from forensics.logs.fatal import Fatal, pick_fatal
from forensics.logs.framing import framing_of
from forensics.logs.gdb import BacktraceRecogniser, PastedBacktrace
from forensics.logs.interest import telling_units
from forensics.logs.kernel import KernelFault, KernelRecogniser
from forensics.logs.master import WorkerExit, WorkerExitRecogniser
from forensics.logs.mentions import Mention, MentionRecogniser
from forensics.logs.out_of_memory import OutOfMemory, OutOfMemoryRecogniser
from forensics.logs.panic import Panic, PanicRecogniser
from forensics.logs.systemd import SystemdExit, SystemdRecogniser
from forensics.record import record


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


def parse(lines: Iterable[bytes]) -> LogEvidence:
    """The evidence in lines, each with its end (see ``parse_stream``)."""
    return parse_stream(io.BytesIO(b"".join(lines)))


def parse_stream(stream: IO[bytes]) -> LogEvidence:
    """Read a log of any length and any origin; what is no evidence costs next to nothing."""
    bugs, panics, exits = BugRecogniser(), PanicRecogniser(), WorkerExitRecogniser()
    kernel, systemd, memory = KernelRecogniser(), SystemdRecogniser(), OutOfMemoryRecogniser()
    coredumps, backtraces, mentions = CoredumpRecogniser(), BacktraceRecogniser(), MentionRecogniser()
    recognisers = (bugs, panics, exits, kernel, systemd, memory, coredumps, backtraces, mentions)
    number, carriers = 0, set[str]()
    text = TextStream(stream)
    framing = framing_of(text.head)
    unwrapper = Unwrapper(framing)
    for number, raw in telling_units(text, framing):
        for line in unwrapper.feed(raw, number) if raw else unwrapper.close():
            carriers.add(line.carrier)
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
        lines_read=number,
        carriers=tuple(sorted(carriers)),
    )
