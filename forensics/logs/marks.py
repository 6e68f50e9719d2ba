"""Where in a log a line is, known every some hundred KiB: so that a place can be found again without reading all."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable

from forensics.logs.times import Instant
from forensics.record import record

#: Bytes between two marks; marks kept of one file: when there are more, every other one goes.
_APART, _MOST = 1 << 19, 8192


#: Bytes kept of the unit that a mark stands before, in which its time is looked for when somebody asks.
_HEAD = 1 << 10


@record
class Mark:
    """Before byte ``offset`` of the text stand ``lines`` lines. ``head`` are the first bytes of the unit behind it."""

    lines: int
    offset: int
    head: bytes = b""


class Marks:
    """The marks of one file. ``instant_of`` gives the time of the unit that a head begins with."""

    def __init__(self, instant_of: Callable[[bytes], Instant | None]) -> None:
        self._marks: list[Mark] = []
        self._apart = _APART
        self._instant_of = instant_of

    def add(self, lines: int, offset: int, block: bytes) -> None:
        """A block begins at ``offset``, below ``lines`` lines."""
        if self._marks and offset - self._marks[-1].offset < self._apart:
            return
        self._marks.append(Mark(lines, offset, block[:_HEAD]))
        if len(self._marks) > _MOST:
            self._apart *= 2
            self._marks = self._marks[::2]

    def before_line(self, line: int, apart: int = 0) -> Mark:
        """The last mark above a line, which counts from 1; or the first that is at most ``apart`` bytes above that."""
        index = bisect_right(self._marks, line - 1, key=lambda mark: mark.lines) - 1
        here = self._nth(index)
        while index > 0 and here.offset - self._marks[index - 1].offset <= apart:
            index -= 1
        return self._nth(index)

    def before_instant(self, instant: float) -> Mark:
        """The mark before the last one whose time is not later: what stands above that one is wanted too."""
        index = 0
        for place in range(len(self._marks)):
            found = self._instant(place)
            if found is not None and found.seconds > instant:
                break
            index = place
        return self._nth(index - 1)

    @property
    def first_instant(self) -> Instant | None:
        """The earliest time that a mark has."""
        found = (self._instant(place) for place in range(len(self._marks)))
        return next((one for one in found if one is not None), None)

    def _instant(self, place: int) -> Instant | None:
        return self._instant_of(self._marks[place].head)

    def _nth(self, index: int) -> Mark:
        return self._marks[max(0, index)] if self._marks else Mark(0, 0)
