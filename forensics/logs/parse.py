"""A log in, evidence out: one pass, one recogniser a shape and a writer."""

from __future__ import annotations

import io
from collections.abc import Iterable
from functools import partial
from typing import IO

from forensics.logs.carrier import Unwrapper
from forensics.logs.encoding import TextStream
from forensics.logs.evidence import LogEvidence
from forensics.logs.framing import Framing, framing_of
from forensics.logs.incidents import group
from forensics.logs.interest import telling_units
from forensics.logs.marks import Marks
from forensics.logs.times import Instant, LogClock
from forensics.logs.writers import Writers
from forensics.record import record

_UTC = LogClock()


def parse(lines: Iterable[bytes], modified: float | None = None) -> LogEvidence:
    """The evidence in lines, each with its end (see ``parse_stream``)."""
    return parse_stream(io.BytesIO(b"".join(lines)), modified)


def parse_stream(stream: IO[bytes], modified: float | None = None) -> LogEvidence:
    """Read a log of any length and any origin; what is no evidence costs next to nothing.

    ``modified``: seconds of UTC when it was last written, from which dates without a year get theirs.
    """
    reading = LogReading()
    reading.read(stream, LogClock(modified))
    return reading.evidence()


@record
class Found:
    """What was found out of a file while it was read: how to read a part of it again.

    ``as_it_is`` tells whether its bytes are those of the text, so that an offset in one is an offset in the other.
    """

    framing: Framing
    marks: Marks
    as_it_is: bool


class LogReading:
    """A log that is read: one stream, or the files of a rotated log one after the other, the oldest first.

    Lines are counted through all of them; ``found`` has one entry a file.
    """

    def __init__(self) -> None:
        self._writers = Writers()
        self._carriers: set[str] = set()
        self.lines_read = 0
        self.found: list[Found] = []

    def read(self, stream: IO[bytes], clock: LogClock = _UTC) -> None:
        """Read one more file to its end; ``clock`` is its own."""
        self.found.append(Found(Framing(), Marks(lambda _block: None), False))
        text = TextStream(stream)
        framing = framing_of(text.head)
        marks = Marks(partial(_instant_of, framing, clock))
        self.found[-1] = Found(framing, marks, text.as_it_is)
        unwrapper = Unwrapper(framing, clock)
        before = self.lines_read
        for number, unit in telling_units(text, framing, marks):
            self.lines_read = before + number
            for one in unwrapper.feed(unit, before + number) if unit else unwrapper.close():
                self._carriers.add(one.carrier)
                self._writers.feed(one)

    def evidence(self) -> LogEvidence:
        """What all of it tells."""
        self._writers.close()
        found = self._writers.found
        return group(
            LogEvidence(
                bug_reports=found("bug_reports"),
                panics=found("panics"),
                exits=found("exits"),
                kernel_faults=found("kernel_faults"),
                systemd_exits=found("systemd_exits"),
                out_of_memory=found("out_of_memory"),
                coredumps=found("coredumps"),
                backtraces=found("backtraces"),
                mentions=found("mentions"),
                happenings=found("happenings"),
                lines_read=self.lines_read,
                carriers=tuple(sorted(self._carriers)),
                places=found("places"),
                process_lines=found("process_lines"),
                container_exits=found("container_exits"),
                address_lists=found("address_lists"),
                mappings=found("mappings"),
                earlier_incidents=self._writers.dropped,
            ),
            self._writers.complete_from,
        )


def _instant_of(framing: Framing, clock: LogClock, block: bytes) -> Instant | None:
    """The time of the first unit of a block."""
    unwrapper = Unwrapper(framing, clock)
    for one in unwrapper.feed(block[: framing.end(block, 0)], 1):
        return Instant(one.instant, one.zoned) if one.instant is not None else None
    return None
