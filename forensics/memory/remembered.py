"""A stream that comes once, kept in memory while it is short."""

from __future__ import annotations

import io
from typing import IO, Any, cast

#: Bytes that are kept; of a longer stream nothing is.
MOST = 8 << 20


class Remembered:
    """What was read of one stream."""

    def __init__(self) -> None:
        self._kept: io.BytesIO | None = io.BytesIO()

    def reading(self, stream: IO[bytes]) -> IO[bytes]:
        """The stream, remembered as it is read."""
        return cast(IO[bytes], _Reader(stream, self))

    def again(self) -> IO[bytes] | None:
        """All that was read, from its beginning; None when it was too much."""
        return io.BytesIO(self._kept.getvalue()) if self._kept is not None else None

    def add(self, data: bytes) -> None:
        """Some more was read."""
        if self._kept is None:
            return
        if self._kept.tell() + len(data) > MOST:
            self._kept = None
        else:
            self._kept.write(data)


class _Reader(io.RawIOBase):
    def __init__(self, stream: IO[bytes], kept: Remembered) -> None:
        self._stream = stream
        self._kept = kept

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        self._kept.add(data)
        return len(data)
