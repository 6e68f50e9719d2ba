"""The contract of this floor: bytes that can be read at any offset."""

from __future__ import annotations

import os
import stat
from typing import Protocol

from forensics.absence import Absence
from forensics.errors import UnreadableInput


class RandomAccess(Protocol):
    """Bytes that can be read at any offset.

    ``size`` is the number of bytes there are; ``damage`` says why there are
    fewer than there should be (None when nothing is known to be lost).
    """

    name: str
    size: int
    damage: Absence | None

    def read(self, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes from ``offset``: fewer at the end, never an error."""

    def close(self) -> None:
        """Give back what the operating system lent."""


class LocalFile:
    """A file read with ``pread``.

    Not mapped on purpose: a file that shrinks while we read it would kill us
    with SIGBUS, and resident memory would grow with a core of any size.
    """

    def __init__(self, path: str) -> None:
        self.name = path
        self.damage: Absence | None = None
        self._descriptor = -1
        try:
            # Without O_NONBLOCK, opening a FIFO waits for a writer that may never come.
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
            status = os.fstat(self._descriptor)
        except (OSError, ValueError) as error:
            raise UnreadableInput(
                f"cannot open `{path}`: {getattr(error, 'strerror', error)}",
                "check the path and the permissions of the file",
            ) from error
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableInput(f"`{path}` is no regular file", "write its content to a file and give that")
        self.size = status.st_size

    def read(self, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes from ``offset``."""
        if offset < 0 or size <= 0 or offset >= self.size:
            return b""
        wanted = min(size, self.size - offset)
        pieces = []
        while wanted:
            try:
                piece = os.pread(self._descriptor, min(wanted, 1 << 30), offset)
            except OSError as error:
                raise UnreadableInput(
                    f"cannot read `{self.name}` at {offset:#x}: {error.strerror}", "check the disk or the mount"
                ) from error
            if not piece:
                break
            pieces.append(piece)
            wanted -= len(piece)
            offset += len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __del__(self) -> None:
        self.close()


class BytesInMemory:
    """Bytes that are already in memory: a vdso copied from a core, a test."""

    def __init__(self, data: bytes, name: str = "memory") -> None:
        self.name = name
        self.size = len(data)
        self.damage: Absence | None = None
        self._data = data

    def read(self, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes from ``offset``."""
        if offset < 0 or size <= 0:
            return b""
        return self._data[offset : offset + size]

    def close(self) -> None:
        """Nothing was lent."""
