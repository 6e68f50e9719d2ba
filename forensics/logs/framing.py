"""Where a unit of a log begins and ends: a line, the lines of one broken by a container's runtime, a journal entry.

Formats are recognised by the first bytes of a log. Finding a unit around a place never looks further than its own
ends, so a search of gigabytes pays for it only where something was found.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

#: Lines that one broken line may consist of, and complete lines of another stream between two of its parts.
_PARTS, _BETWEEN = 256, 4
#: journalctl indents by as much as its shortest time, host and tag take.
_INDENT = b" " * 20

_EXPORT = (b"__CURSOR=", b"__REALTIME_TIMESTAMP=")
_VERBOSE = re.compile(rb"[A-Z][a-z]{2} \d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})? [A-Z0-9+-]{1,6} \[s=")
_CRI = re.compile(rb"\d{4}-\d\d-\d\dT[\d:.]{1,24}(?:Z|[+-]\d\d:\d\d) std(?:out|err) [FP]")
_CRI_PART = re.compile(rb"\d{4}-\d\d-\d\dT[\d:.]{1,24}(?:Z|[+-]\d\d:\d\d) std(?:out|err) P(?::| |$)")
_DOCKER_WHOLE = re.compile(rb'\\n", ?"stream')
_DOCKER_TEXT = re.compile(rb'\{"log": ?"')
_DOCKER_STREAM = re.compile(rb'", ?"stream": ?"(\w{1,16})"')
_CRI_TEXT = re.compile(rb"[^ ]{1,40} (std(?:out|err)) [FP](?::[^ ]{0,64})?(?: |$)")

#: Docker breaks lines at 16 KiB: no line of its file that is broken has a line end in so many bytes.
_LONG = 8192
#: Bytes on both sides of a break, and what docker may write behind the text of a part (options of its logging).
_SEAM, _BEHIND = 256, 4096


class Framing:
    """Plain lines, with those below them that journalctl indented: a message of several lines."""

    name = "lines"
    #: Words that stand before the text of each part of a broken line, where the format has such words.
    part_marks: tuple[bytes, ...] = ()
    #: Whether a unit is an entry of several lines, each ended by a line feed alone.
    of_entries = False

    def start(self, block: bytes, floor: int, place: int) -> int:
        """Where the unit around ``place`` begins, not before ``floor``."""
        start = _line_start(block, floor, place)
        for _part in range(_PARTS):
            if start <= floor or not block.startswith(_INDENT, start):
                break
            start = _line_start(block, floor, start - 1)
        return start

    def end(self, block: bytes, start: int) -> int:
        """Where the unit that begins at ``start`` ends; the end of the block when it does not."""
        end = _line_end(block, start)
        for _part in range(_PARTS):
            if not block.startswith(_INDENT, end):
                break
            end = _line_end(block, end)
        return end

    def last(self, block: bytes) -> int:
        """Where the last unit that is sure to be complete ends in a block, 0 for none."""
        end = block.rfind(b"\n") + 1
        return self.start(block, 0, end - 1) or end if end else 0

    def first(self, block: bytes) -> int:
        """Where a unit that began before the block ends, 0 when it does not."""
        return block.find(b"\n") + 1

    def seams(self, _block: bytes, _marked: Iterable[int] = ()) -> Iterable[tuple[int, bytes]]:
        """The text around each place where a line is broken, and a place in the part before it.

        ``marked`` are the places of ``part_marks``.
        """
        return ()


def _line_start(block: bytes, floor: int, place: int) -> int:
    return max(block.rfind(b"\n", floor, place) + 1, floor)


def _line_end(block: bytes, start: int) -> int:
    return block.find(b"\n", start) + 1 or len(block)


class SeparatedFraming(Framing):
    """Units with a separator: entries of ``journalctl -o export`` and ``-o json-pretty``.

    In an export an empty line ends an entry, and a field with two underscores begins one. Fields can hold
    anything, an empty line too: so both are asked for. ``own`` bytes of the separator belong to the unit before it.
    """

    of_entries = True

    def __init__(self, name: str, separator: bytes, own: int) -> None:
        self.name = name
        self._separator = separator
        self._own = own

    def start(self, block: bytes, floor: int, place: int) -> int:
        """As above."""
        found = block.rfind(self._separator, floor, place)
        return floor if found < 0 else found + self._own

    def end(self, block: bytes, start: int) -> int:
        """As above."""
        found = block.find(self._separator, start)
        return len(block) if found < 0 else found + self._own

    def last(self, block: bytes) -> int:
        """As above."""
        found = block.rfind(self._separator)
        return 0 if found < 0 else found + self._own

    def first(self, block: bytes) -> int:
        """As above."""
        found = block.find(self._separator)
        return 0 if found < 0 else found + self._own


class VerboseFraming(Framing):
    """Entries of ``journalctl -o verbose``: the first line has no indent, all others have."""

    name = "verbose"
    of_entries = True
    _BEGIN = re.compile(rb"\n(?=[^ \t\n])")

    def start(self, block: bytes, floor: int, place: int) -> int:
        """As above."""
        found = _outermost(block, floor, place)
        return floor if found < 0 else found + 1

    def end(self, block: bytes, start: int) -> int:
        """As above."""
        found = self._BEGIN.search(block, start)
        return found.end() if found else len(block)

    def last(self, block: bytes) -> int:
        """As above."""
        return _outermost(block, 0, len(block) - 1) + 1

    def first(self, block: bytes) -> int:
        """As above."""
        found = self._BEGIN.search(block)
        return found.end() if found else 0


def _outermost(block: bytes, floor: int, ceiling: int) -> int:
    """The last line end before ``ceiling`` that a line without indent follows, -1 for none."""
    found = block.rfind(b"\n", floor, ceiling)
    while found >= 0 and block[found + 1] in b" \t\n":
        found = block.rfind(b"\n", floor, found)
    return found


class PartialFraming(Framing):
    """Lines that a container's runtime broke: docker's json-file at 16 KiB, CRI wherever a read ended."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.part_marks = (b"err P ", b"out P ") if name == "cri" else ()

    def start(self, block: bytes, floor: int, place: int) -> int:
        """As above; parts of another stream may stand between."""
        start = begin = _line_start(block, floor, place)
        between = 0
        for _part in range(_PARTS):
            if start <= floor or between == _BETWEEN:
                break
            end, start = start, _line_start(block, floor, start - 1)
            between += 1
            if self._broken(block, start, end):
                begin, between = start, 0
        return begin

    def end(self, block: bytes, start: int) -> int:
        """As above."""
        end = _line_end(block, start)
        for _part in range(_PARTS):
            if end == len(block) or not self._broken(block, start, end):
                break
            start, end = end, _line_end(block, end)
        return end

    def last(self, block: bytes) -> int:
        """As above; one broken line is left for the next block, more are not."""
        end = block.rfind(b"\n") + 1
        if end:
            start = _line_start(block, 0, end - 1)
            if start and self._broken(block, start, end):
                return self.start(block, 0, end - 1) or end
        return end

    def seams(self, block: bytes, marked: Iterable[int] = ()) -> Iterator[tuple[int, bytes]]:
        """As above: a word can be broken too, so that no search finds it."""
        for start in self._parts(block, marked):
            end = _line_end(block, start)
            before, stream = self._text(block[start:end])
            following = end
            for _line in range(_BETWEEN + 1):
                stop = _line_end(block, following)
                after, other = self._text(block[following:stop])
                if other == stream:
                    yield start, before[-_SEAM:] + after[:_SEAM]
                    break
                following = stop

    def _parts(self, block: bytes, marked: Iterable[int]) -> Iterator[int]:
        """Where lines that go on elsewhere begin."""
        for place in marked:
            start = _line_start(block, max(0, place - _SEAM), place)
            if self._broken(block, start, len(block)):
                yield start
        place = len(block) if self.part_marks else 0
        while place < len(block):
            if block.find(b"\n", place, place + _LONG) >= 0:
                place += _LONG
                continue
            start, place = _line_start(block, 0, place), _line_end(block, place)
            if self._broken(block, start, place):
                yield start

    def _text(self, line: bytes) -> tuple[bytes, bytes]:
        """The text of a part, as it is in the file, and its stream."""
        if self.name == "cri":
            head = _CRI_TEXT.match(line)
            return (line[head.end() :].rstrip(b"\r\n"), head[1]) if head else (b"", b"")
        begin = _DOCKER_TEXT.match(line)
        behind = _DOCKER_STREAM.search(line, max(0, len(line) - _BEHIND))
        return (line[begin.end() : behind.start()], behind[1]) if begin and behind else (b"", b"")

    def _broken(self, block: bytes, start: int, end: int) -> bool:
        if self.name == "cri":
            return _CRI_PART.match(block, start, end) is not None
        return block.startswith(b'{"log"', start) and _DOCKER_WHOLE.search(block, start, end) is None


def framing_of(head: bytes) -> Framing:
    """The framing of a log by its first bytes (UTF-8)."""
    begin = head.lstrip(b"\xef\xbb\xbf\r\n ")
    while begin.startswith(b"-- ") and b"\n" in begin:  # "-- Journal begins at ..." of older journalctl
        begin = begin.partition(b"\n")[2]
    if begin.startswith(_EXPORT):
        return SeparatedFraming("export", b"\n\n__", 2)
    if begin.startswith(b'{\n\t"'):
        return SeparatedFraming("json", b"\n}\n{", 3)
    if _VERBOSE.match(begin):
        return VerboseFraming()
    if begin.startswith(b'{"log"') and _DOCKER_WHOLE.search(begin):
        return PartialFraming("docker")
    return PartialFraming("cri") if _CRI.match(begin) else Framing()
