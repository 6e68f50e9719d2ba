"""Crash reports of apport (`/var/crash/*.crash`): the core in them, as a stream.

A report is `Key: value` with lines that go on behind a blank. The core is the value `base64`, and below it lines of
base64 that together are one gzip stream, or one zstd frame in recent releases (problem_report.py of apport).
"""

from __future__ import annotations

import binascii
import io
from typing import IO, Any

#: What every report begins with.
MAGIC = b"ProblemType: "
_CORE = b"CoreDump: base64"
#: Bytes of a line that are read at once; apport writes lines of 1.4 MB.
_PIECE = 1 << 20


class EncodedCore(io.RawIOBase):
    """The bytes that the lines of base64 below `CoreDump:` stand for; none where there is no core. Owns ``raw``."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self._decoded = memoryview(b"")
        self._rest = b""
        self._fresh = True
        self._open = _skip_to_core(raw)

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill ``buffer`` as far as the next line goes. Raises ValueError for what is no base64."""
        while not self._decoded and self._open:
            self._decoded = memoryview(self._next())
        size = min(len(buffer), len(self._decoded))
        buffer[:size] = self._decoded[:size]
        self._decoded = self._decoded[size:]
        return size

    def _next(self) -> bytes:
        """The next piece of a line; ends the stream at a line that begins with no blank."""
        piece = self._raw.readline(_PIECE)
        if not piece or (self._fresh and not piece.startswith(b" ")):
            self._open = False
            if self._rest:
                raise ValueError("the base64 data is cut")
            return b""
        self._fresh = piece.endswith(b"\n")
        data = self._rest + piece.strip()
        whole = len(data) // 4 * 4
        self._rest = data[whole:]
        return binascii.a2b_base64(data[:whole])

    def close(self) -> None:
        """Close the report too."""
        self._raw.close()
        super().close()


def _skip_to_core(raw: IO[bytes]) -> bool:
    """Go to the first line of the core; False where there is none."""
    fresh = True
    while line := raw.readline(_PIECE):
        if fresh and line.startswith(_CORE):
            return True
        fresh = line.endswith(b"\n")
    return False


def is_apport(path: str) -> bool:
    """Tell whether a file is such a report. Raises OSError for one that cannot be opened."""
    with open(path, "rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def field_of(path: str, name: str) -> str:
    """The value of a short field, "" where the report has none before its core. Raises OSError."""
    key = name.encode() + b": "
    with open(path, "rb") as file:
        fresh = True
        while line := file.readline(_PIECE):
            if fresh and line.startswith(key):
                return line[len(key) :].strip().decode("utf-8", "replace")
            fresh = line.endswith(b"\n")
    return ""


def has_core(path: str) -> bool:
    """Tell whether a report holds a core. Raises OSError."""
    with open(path, "rb") as file:
        return _skip_to_core(file)
