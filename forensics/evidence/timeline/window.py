"""The part of a log around a death, found by its line or by its time."""

from __future__ import annotations

from collections.abc import Iterator

from forensics.errors import InputError
from forensics.evidence.log_files import LogFile, LogFiles
from forensics.logs import Found, Origin, Record
from forensics.logs.happenings.surroundings import NEEDLES
from forensics.logs.marks import Mark
from forensics.logs.nearby import records_from
from forensics.memory.streams import damage_errors
from forensics.record import record, replace

#: Seconds before and after a death that are looked at.
BEFORE, AFTER = 3600.0, 600.0
#: Lines that are all read before and after it; bytes before it in which lines are looked through for what tells more.
LINES_BEFORE, LINES_AFTER, BYTES_BEFORE = 2000, 400, 8 << 20


@record
class Window:
    """Where the death is in one log: its first ``line``, counted through all files, and its ``instant``.

    One of both may be None. ``instant`` is in seconds by the log's own clock.
    """

    line: int | None
    instant: float | None

    def after(self, one: Origin) -> bool:
        """Whether something stands behind the beginning of the death."""
        if self.line is not None:
            return one.line >= self.line
        return one.instant is not None and self.instant is not None and one.instant > self.instant

    def holds(self, one: Origin) -> bool:
        """Whether something is near enough in time; without a time, lines have decided."""
        if one.instant is None or self.instant is None:
            return self.line is not None
        return -BEFORE <= one.instant - self.instant <= AFTER


def records_near(log: LogFiles, window: Window) -> Iterator[Record]:
    """The records around the death, their lines counted through all files."""
    if window.line is not None:
        yield from _by_line(log, window.line)
    elif window.instant is not None:
        yield from _by_time(log, window)


def _by_line(log: LogFiles, line: int) -> Iterator[Record]:
    ends = (*log.starts[1:], 1 << 62)
    for file, found, start, end in zip(log.files, log.found, log.starts, ends, strict=True):
        if start >= line + LINES_AFTER or end < line - LINES_BEFORE:
            continue
        mark = found.marks.before_line(max(1, line - LINES_BEFORE - start), BYTES_BEFORE)
        for each in _read(file, found, mark, line - LINES_BEFORE - start):
            if each.line + start > line + LINES_AFTER:
                return
            yield replace(each, line=each.line + start)


def _by_time(log: LogFiles, window: Window) -> Iterator[Record]:
    assert window.instant is not None
    behind = 0
    for file, found, start in _from_the_file_of(log, window.instant):
        for each in _read(file, found, found.marks.before_instant(window.instant), 0):
            placed = replace(each, line=each.line + start)
            yield placed
            behind += window.after(placed.origin)
            if behind > LINES_AFTER:
                return


def _from_the_file_of(log: LogFiles, instant: float) -> list[tuple[LogFile, Found, int]]:
    """The file in which an instant is, and the one behind it."""
    every = list(zip(log.files, log.found, log.starts, strict=True))
    first = 0
    for index, (_file, found, _start) in enumerate(every):
        begins = found.marks.first_instant
        if begins is not None and begins.seconds <= instant:
            first = index
    return every[first : first + 2]


def _read(file: LogFile, found: Found, mark: Mark, all_from: int) -> Iterator[Record]:
    """The records of one file from a mark on: all from a line, and before it those that tell something.

    What is damaged ends there, as it did when the file was read first; so does a file that is gone by now.
    """
    ends: tuple[type[Exception], ...] = (OSError, InputError)
    ends += damage_errors(file.compression) if file.compression else ()
    try:
        stream = file.again()
        if stream is None:
            return
        with stream:
            yield from records_from(stream, found, mark, file.clock, all_from, NEEDLES)
    except ends:
        return
