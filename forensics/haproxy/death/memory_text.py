"""Text that a process kept in its writable memory: what it printed last lies in a buffer, also when stderr was lost."""

from __future__ import annotations

import re
from collections.abc import Iterator

from forensics.absence import Absence
from forensics.memory.process import Memory, Segment
from forensics.record import record

#: Bytes that one search reads in all, and of one mapping. HAProxy makes its dump buffers while it starts, so they lie
#: at the beginning of the heap and of each thread's arena.
_BUDGET, _OF_ONE = 256 << 20, 64 << 20
#: Bytes read at once, and how far two such pieces overlap: no text that is looked for is longer.
_PIECE, _OVERLAP = 1 << 20, 4096


@record
class MemoryText:
    """A text found at ``address``; ``groups`` are those of the pattern that matched, decoded."""

    address: int
    text: str
    groups: tuple[str, ...] = ()


def find_text(memory: Memory, guard: bytes, pattern: re.Pattern[bytes]) -> MemoryText | Absence:
    """The first text that ``pattern`` matches, at or around a place that holds the bytes ``guard``."""
    found = next(iter_texts(memory, guard, pattern), None)
    return found or Absence("text in memory", f"no buffer of the process holds `{guard.decode('ascii', 'replace')}`")


def iter_texts(memory: Memory, guard: bytes, pattern: re.Pattern[bytes], most: int = 64) -> Iterator[MemoryText]:
    """Every text that ``pattern`` matches, by address, at most ``most``; pieces without ``guard`` cost little."""
    seen = set[int]()
    for start, data in iter_writable(memory):
        if guard not in data:
            continue
        for match in pattern.finditer(data):
            address = start + match.start()
            if address in seen:
                continue
            seen.add(address)
            yield MemoryText(address, _decoded(match[0]), tuple(_decoded(one or b"") for one in match.groups()))
            if len(seen) >= most:
                return


def iter_writable(memory: Memory) -> Iterator[tuple[int, bytes]]:
    """Address and bytes of all writable memory, in overlapping pieces, until the budget is spent."""
    left = _BUDGET
    for segment in memory.segments:
        if not segment.writable or segment.executable:
            continue
        for start, size in _cut(segment, min(left, _OF_ONE)):
            data = memory.read(start, size, alone=True)
            if isinstance(data, Absence):
                break  # the core is cut here
            left -= size
            yield start, data
        if left <= 0:
            return


def _cut(segment: Segment, most: int) -> Iterator[tuple[int, int]]:
    held = min(segment.file_size, segment.size, most)
    for offset in range(0, held, _PIECE):
        begin = max(offset - _OVERLAP, 0)
        yield segment.address + begin, min(offset + _PIECE, held) - begin


def _decoded(data: bytes) -> str:
    return data.split(b"\0", 1)[0].decode("utf-8", "replace")
