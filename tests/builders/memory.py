"""Memories made up for tests: words at addresses."""

from __future__ import annotations

from collections.abc import Mapping

from forensics.memory.process import Memory, Segment
from forensics.memory.random_access import BytesInMemory

START = 0x10000
SIZE = 0x10000


def memory_of(words: Mapping[int, int], *, pieces: Mapping[int, bytes] | None = None) -> Memory:
    """64 KiB from 0x10000 on, zero but for 64-bit ``words`` and for ``pieces`` at their addresses."""
    data = bytearray(SIZE)
    for address, word in words.items():
        data[address - START : address - START + 8] = (word & (1 << 64) - 1).to_bytes(8, "little")
    for address, piece in (pieces or {}).items():
        data[address - START : address - START + len(piece)] = piece
    return Memory(BytesInMemory(bytes(data)), [Segment(START, SIZE, 0, SIZE, executable=False, writable=True)])
