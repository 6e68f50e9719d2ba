"""A stream that comes once is there a second time while it is short."""

from __future__ import annotations

import io

from forensics.memory import remembered
from forensics.memory.remembered import Remembered


def test_what_was_read_is_there_again() -> None:
    """However it was read."""
    kept = Remembered()
    stream = kept.reading(io.BytesIO(b"abc" * 1000))
    assert stream.read(5) == b"abcab"
    assert len(stream.read(1 << 20)) == 2995
    again = kept.again()
    assert again is not None and again.read() == b"abc" * 1000


def test_a_long_stream_is_not_kept() -> None:
    """Memory is bounded."""
    kept = Remembered()
    stream = kept.reading(io.BytesIO(bytes(remembered.MOST + 1)))
    while stream.read(1 << 20):
        pass
    assert kept.again() is None
