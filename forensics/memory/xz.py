"""The content of an xz file, within a limit of memory."""

from __future__ import annotations

import io
import lzma
from typing import IO, Any

_BLOCK = 1 << 16


class XzReader(io.RawIOBase):
    """What ``lzma.LZMAFile`` reads, which has no way to limit the decompressor's memory.

    An xz file chooses the size of its dictionary, up to 4 GiB. ``lzma.LZMAError``
    for one that needs more than ``memory_limit`` (bytes) and for damage, EOFError for a file that is cut.
    """

    def __init__(self, raw: IO[bytes], memory_limit: int) -> None:
        self._raw = raw
        self._memory_limit = memory_limit
        self._stream = self._next_stream()

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill ``buffer`` as far as the next bytes go."""
        size, data = len(buffer), b""
        while size and not data:
            packed = self._packed()
            if packed is None:
                return 0
            data = self._stream.decompress(packed, size)
        buffer[: len(data)] = data
        return len(data)

    def _next_stream(self) -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=self._memory_limit)

    def _packed(self) -> bytes | None:
        """What the decompressor wants next, None after the last stream."""
        if not self._stream.eof:
            if not self._stream.needs_input:
                return b""
            if packed := self._raw.read(_BLOCK):
                return packed
            raise EOFError("the file ends within an xz stream")
        # Several streams may follow each other, with zeros between them (the xz file format, 2.2).
        packed = self._stream.unused_data.lstrip(b"\0")
        while not packed:
            block = self._raw.read(_BLOCK)
            if not block:
                return None
            packed = block.lstrip(b"\0")
        self._stream = self._next_stream()
        return packed
