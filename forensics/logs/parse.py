"""A log in, evidence out: one pass, one recogniser a shape and a writer."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import IO

from forensics.logs.carrier import Unwrapper
from forensics.logs.encoding import TextStream
from forensics.logs.evidence import LogEvidence
from forensics.logs.framing import framing_of
from forensics.logs.incidents import group
from forensics.logs.interest import telling_units
from forensics.logs.writers import Writers


def parse(lines: Iterable[bytes], modified: float | None = None) -> LogEvidence:
    """The evidence in lines, each with its end (see ``parse_stream``)."""
    return parse_stream(io.BytesIO(b"".join(lines)), modified)


def parse_stream(stream: IO[bytes], modified: float | None = None) -> LogEvidence:
    """Read a log of any length and any origin; what is no evidence costs next to nothing.

    ``modified``: seconds of UTC when it was last written, from which dates without a year get theirs.
    """
    reading = LogReading()
    reading.read(stream, modified)
    return reading.evidence()


class LogReading:
    """A log that is read: one stream, or the files of a rotated log one after the other, the oldest first.

    Lines are counted through all of them.
    """

    def __init__(self) -> None:
        self._writers = Writers()
        self._carriers: set[str] = set()
        self.lines_read = 0

    def read(self, stream: IO[bytes], modified: float | None = None) -> None:
        """Read one more file to its end."""
        text = TextStream(stream)
        framing = framing_of(text.head)
        unwrapper = Unwrapper(framing, modified)
        before = self.lines_read
        for number, unit in telling_units(text, framing):
            self.lines_read = before + number
            for record in unwrapper.feed(unit, before + number) if unit else unwrapper.close():
                self._carriers.add(record.carrier)
                self._writers.feed(record)

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
                lines_read=self.lines_read,
                carriers=tuple(sorted(self._carriers)),
                earlier_incidents=self._writers.dropped,
            )
        )
