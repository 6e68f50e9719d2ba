"""Texts that are not UTF-8 with lines: UTF-16 from Windows' tools, byte order marks, and other ends of lines."""

from __future__ import annotations

import codecs
import io
from typing import IO

from forensics.logs.framing import framing_of
from forensics.logs.pasted_text import ODD_BLANKS

#: Read at once for the judgement; as much as a console's log needs to show its line ends.
_HEAD = 1 << 16
_MARKS = ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


def encoding_of(head: bytes) -> str:
    """``utf-16-le`` or ``utf-16-be``, "" for everything that is read as bytes.

    It is told by the zero bytes: in UTF-16 every other byte of mostly Latin text is one. With a mark fewer will do.
    """
    sample = head[: min(len(head), 4096) & ~1]
    for mark, name in _MARKS:
        if head.startswith(mark) and sample.count(0) * 8 >= len(sample):
            return name
    if len(sample) < 8:
        return ""
    even, odd = sample[0::2], sample[1::2]
    most = len(sample) // 2 * 3 // 4
    if odd.count(0) > most and even.count(0) * 50 <= len(even):
        return "utf-16-le"
    return "utf-16-be" if even.count(0) > most and odd.count(0) * 50 <= len(odd) else ""


def readable_head(head: bytes) -> bytes:
    """The first bytes of an input as UTF-8, for recognition."""
    encoding = encoding_of(head)
    return head.decode(encoding, "replace").lstrip("\ufeff").encode("utf-8", "replace") if encoding else head


class TextStream:
    """A stream as UTF-8 with line feeds, ``head`` being what was looked at already."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        head = _fill(stream, _HEAD)
        encoding = encoding_of(head)
        self._decode = codecs.getincrementaldecoder(encoding)("replace").decode if encoding else None
        head = self._converted(head)
        self._marked = head.startswith(codecs.BOM_UTF8)
        head = head.removeprefix(codecs.BOM_UTF8)
        self._odd = self._decode is None and any(odd in head for odd, _blank in ODD_BLANKS)
        head = self._without_odd(head)
        self._lone_returns = b"\r" in head and b"\n" not in head
        # Lines alone may end as they like, entries of several lines may not.
        ends = head.count(b"\n")
        self._pairs = head.count(b"\r\n") == ends > 0 and framing_of(head.replace(b"\r\n", b"\n")).of_entries
        self._open_return = b""
        self._waiting = self.head = self._with_line_feeds(head)

    @property
    def as_it_is(self) -> bool:
        """Whether nothing is converted."""
        return self._decode is None and not (self._lone_returns or self._pairs or self._marked or self._odd)

    def read(self, size: int) -> bytes:
        """About ``size`` more bytes, b"" at the end."""
        if self._waiting:
            waiting, self._waiting = self._waiting, b""
            return waiting
        while data := self._stream.read(size):
            converted = self._with_line_feeds(self._without_odd(self._converted(data)))
            if converted:
                return converted
        last, self._open_return = self._open_return, b""
        return last

    def _with_line_feeds(self, data: bytes) -> bytes:
        if self._lone_returns:
            return data.replace(b"\r", b"\n")
        if not self._pairs:
            return data
        data = self._open_return + data
        self._open_return = b"\r" if data.endswith(b"\r") else b""
        return data.removesuffix(b"\r").replace(b"\r\n", b"\n")

    def _without_odd(self, data: bytes) -> bytes:
        """Blanks of web pages as plain ones, where the head has some."""
        for odd, blank in ODD_BLANKS if self._odd else ():
            data = data.replace(odd, blank)
        return data

    def _converted(self, data: bytes) -> bytes:
        return self._decode(data).encode("utf-8", "replace") if self._decode else data


def _fill(stream: IO[bytes], size: int) -> bytes:
    """Up to ``size`` bytes, however little each read gives; what comes before damage, where the stream tells of it."""
    found = io.BytesIO()
    while found.tell() < size and (data := stream.read(size - found.tell())):
        found.write(data)
        if getattr(stream, "damaged", False):
            break
    return found.getvalue()
