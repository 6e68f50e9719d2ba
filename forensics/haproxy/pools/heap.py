"""Chunks of glibc's malloc: a weak hint of where an object of the heap begins, and whether it was freed.

A chunk has the size of the one before and its own size in front of what malloc() returns; the lowest bits of the
size are flags (malloc/malloc.c: PREV_INUSE, IS_MMAPPED, NON_MAIN_ARENA). Nothing marks a chunk: a run of sizes that
lead from one to the next is what betrays it. Other allocators (musl, jemalloc) look different, and nothing is found.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from forensics.absence import Absence
from forensics.memory.process import Memory
from forensics.record import record

_IN_USE, _MAPPED, _FLAGS = 1, 2, 7
#: How far before an address its chunk is looked for, in bytes; buffers have 16 KiB, fdtab has a mapping of its own.
_FARTHEST = 1 << 17
#: Chunks that must follow one another; the end of the heap is as good.
_RUN = 3
#: MINSIZE of 64-bit glibc.
_SMALLEST = 32


@record
class Chunk:
    """``start`` is what malloc() returned, ``size`` how many bytes can be used there.

    ``freed`` says that the chunk behind it calls it free; what is false proves nothing, as tcache and
    fast bins leave the flag alone.
    """

    start: int
    size: int
    freed: bool


def chunk_size(wanted: int) -> int:
    """The bytes that can be used of a chunk for ``wanted`` bytes."""
    return max((wanted + 8 + 15) & ~15, _SMALLEST) - 8


def iter_chunks(memory: Memory, address: int) -> Iterator[Chunk]:
    """What may be the chunk that holds ``address``, the nearest start first.

    A number within an object that happens to be the distance to a later chunk looks like a start, too.
    """
    segment = memory.find(address)
    if isinstance(segment, Absence) or not segment.writable:
        return
    top = (address & ~15) + 8  # the size of a chunk lies 8 bytes before what malloc() returned, which is aligned by 16
    low = max(segment.address + 8, top - _FARTHEST)
    low += (top - low) % 16
    data = memory.read(low, top - low + 8, alone=True)
    if isinstance(data, Absence):
        return
    end = min(segment.end, segment.address + segment.file_size)
    words = struct.unpack(f"<{len(data) // 8}Q", data)
    for place in range(len(words) - 1, -1, -2):
        size = words[place]
        # The address lies in what can be used: that reaches 8 bytes into the next chunk.
        if _SMALLEST <= size <= end and not size & 8:
            start = low + place * 8 + 8
            whole = size & ~_FLAGS
            if start <= address < start + whole - 8 and start - 16 + whole <= end:
                found = _checked(memory, start, size, end)
                if found is not None:
                    yield found


def _checked(memory: Memory, start: int, size: int, end: int) -> Chunk | None:
    whole = size & ~_FLAGS
    if size & _MAPPED:
        # A mapping of its own begins at a page, and its size is one of pages.
        return Chunk(start, whole - 16, False) if start & 4095 == 16 and not whole & 4095 else None
    following = start - 8 + whole
    freed = False
    for run in range(_RUN):
        if following >= end:
            # The top chunk fills the heap up to its end.
            return Chunk(start, whole - 8, freed) if following == end + 8 else None
        word = memory.word(following)
        if word == 0 and not (following - 8) & 4095:
            break  # the top chunk of a heap of threads, in a mapping that reaches further
        if isinstance(word, Absence) or word & (_MAPPED | 8) or word & ~_FLAGS < _SMALLEST:
            return None
        freed = freed or (run == 0 and not word & _IN_USE)
        following += word & ~_FLAGS
    return Chunk(start, whole - 8, freed)
