"""The files of one log read as one, and facts that say in which file they stand."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import IO

from forensics.absence import Absence
from forensics.evidence.fact import Fact
from forensics.logs import Found, LogEvidence, LogReading
from forensics.logs.times import LogClock
from forensics.memory.streams import damage_errors, zstd_is_cut
from forensics.record import record, replace

_UTC = LogClock()


@record
class LogFile:
    """One file of a log: how to open it, its compression, and its clock.

    ``again`` opens it once more, without being watched; it gives None where that is not possible.
    """

    path: str
    open: Callable[[], IO[bytes]]
    compression: str = ""
    clock: LogClock = _UTC
    again: Callable[[], IO[bytes] | None] = lambda: None


@record
class LogFiles:
    """A log that was read. ``starts`` are the lines before each of ``files``, ``gaps`` what was damaged.

    ``found`` tells for each file how a part of it is read again.
    """

    files: tuple[LogFile, ...]
    starts: tuple[int, ...]
    evidence: LogEvidence
    gaps: tuple[Absence, ...]
    found: tuple[Found, ...]

    @property
    def paths(self) -> tuple[str, ...]:
        """The path of each file, the oldest first."""
        return tuple(file.path for file in self.files)

    @property
    def name(self) -> str:
        """The youngest file, by which users know the log."""
        return self.paths[-1]

    def placed(self, told: Iterable[Fact | Absence]) -> Iterator[Fact | Absence]:
        """Facts with the file that each was read in, and the line there."""
        for one in told:
            if isinstance(one, Fact) and one.source.line is not None and len(self.paths) > 1:
                path, line = self.place(one.source.line)
                yield replace(one, source=replace(one.source, input=path, line=line))
            else:
                yield one

    def place(self, line: int) -> tuple[str, int]:
        """The file and the line in it, of a line counted through all files."""
        index = max(0, bisect_right(self.starts, line - 1) - 1)
        return self.paths[index], line - self.starts[index]


def read_log(files: Sequence[LogFile]) -> LogFiles:
    """Read the files of one log, the oldest first. Of a damaged file counts what comes before the damage."""
    reading = LogReading()
    starts, gaps = [], []
    for file in files:
        starts.append(reading.lines_read)
        try:
            with file.open() as stream:
                reading.read(stream, file.clock)
        except damage_errors(file.compression) as error:
            if not file.compression:
                raise
            gaps.append(_rest_of(file, f"its {file.compression} data is damaged: {error}"))
        else:
            if file.compression == "zstd" and zstd_is_cut(file.path):
                gaps.append(_rest_of(file, "its zstd data ends within a frame"))
    return LogFiles(tuple(files), tuple(starts), reading.evidence(), tuple(gaps), tuple(reading.found))


def _rest_of(file: LogFile, why: str) -> Absence:
    return Absence(f"the rest of {file.path}", why, "supply the complete file")
