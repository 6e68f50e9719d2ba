"""The lines of a log around a place or an instant, read again from the mark before it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

from forensics.logs.carrier import Unwrapper
from forensics.logs.encoding import TextStream
from forensics.logs.framing import Framing
from forensics.logs.interest import Readable, blocks, needles_in, newlines
from forensics.logs.line import Record
from forensics.logs.marks import Mark
from forensics.logs.parse import Found
from forensics.logs.times import LogClock
from forensics.record import replace

#: Bytes read from one mark on at the most, whatever the lines are like.
MOST = 16 << 20


def records_from(
    stream: IO[bytes], found: Found, mark: Mark, clock: LogClock, all_from: int, needles: tuple[bytes, ...]
) -> Iterator[Record]:
    """The records of a file from ``mark`` on, their lines counted from 1 in this file; some MiB of it at most.

    ``stream`` stands at the beginning of the file. From the line ``all_from`` on all are read, before it only those
    that hold one of ``needles``.
    """
    unwrapper = Unwrapper(found.framing, clock)
    line, left = mark.lines, MOST
    for _offset, more, end in blocks(_from(stream, mark.offset, found.as_it_is), found.framing):
        block = more[:end]
        lines = newlines(block, 0, end)
        chosen = _all(block, found.framing) if line + lines >= all_from else _holding(block, found.framing, needles)
        for before, unit in chosen:
            yield from unwrapper.feed(unit, line + before + 1)
        line += lines
        left -= len(block)
        if left < 0:
            break
    for record in unwrapper.close():
        yield replace(record, line=max(1, line))


def _all(block: bytes, framing: Framing) -> Iterator[tuple[int, bytes]]:
    """All units of a block, each with the number of lines above it."""
    position = lines = 0
    while position < len(block):
        end = framing.end(block, position)
        yield lines, block[position:end]
        lines += block.count(b"\n", position, end)
        position = end


def _holding(block: bytes, framing: Framing, needles: tuple[bytes, ...]) -> Iterator[tuple[int, bytes]]:
    """The units of a block that hold a needle, each with the number of lines above it."""
    position = lines = 0
    for hit in needles_in(block, needles):
        if hit < position:
            continue
        start = framing.start(block, position, hit)
        end = framing.end(block, start)
        lines += block.count(b"\n", position, start)
        yield lines, block[start:end]
        lines += block.count(b"\n", start, end)
        position = end


def _from(stream: IO[bytes], offset: int, as_it_is: bool) -> Readable:
    """The text from an offset on; what cannot be reached is read over."""
    if as_it_is and stream.seekable():
        stream.seek(offset)
        return stream
    return _Beyond(TextStream(stream), offset)


class _Beyond:
    """A text without its first bytes."""

    def __init__(self, text: TextStream, offset: int) -> None:
        self._text = text
        self._over = offset

    def read(self, size: int, /) -> bytes:
        """About ``size`` bytes."""
        while data := self._text.read(size):
            if len(data) > self._over:
                data, self._over = data[self._over :], 0
                return data
            self._over -= len(data)
        return b""
