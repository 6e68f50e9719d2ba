"""A range of a process's memory as random-access bytes: a file that was kept there."""

from __future__ import annotations

from functools import cached_property

from forensics.absence import Absence
from forensics.memory.process import Memory

#: Bytes read at a time where all of them are needed.
_STRIDE = 1 << 20


class MemoryWindow:
    """``size`` bytes of ``memory`` from address ``start`` on. Nothing is copied; what is read goes through."""

    def __init__(self, memory: Memory, start: int, size: int, name: str) -> None:
        self.name = name
        self.size = size
        self.damage: Absence | None = None
        self._memory = memory
        self._start = start

    def read(self, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes from ``offset``; none where the core does not hold them all."""
        if offset < 0 or size <= 0 or offset >= self.size:
            return b""
        data = self._memory.read(self._start + offset, min(size, self.size - offset))
        return data if isinstance(data, bytes) else b""

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of all bytes."""
        from hashlib import sha256

        found = sha256()
        for offset in range(0, self.size, _STRIDE):
            found.update(self.read(offset, _STRIDE))
        return found.hexdigest()

    def close(self) -> None:
        """Nothing was lent."""
