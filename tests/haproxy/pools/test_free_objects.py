"""Free objects, chunks of the heap and patterns, in memories made up for it."""

from __future__ import annotations

import pytest

from forensics.haproxy.pools.free_objects import ITEM, is_pattern, overwritten
from forensics.haproxy.pools.heap import Chunk, chunk_size, iter_chunks
from tests.builders.memory import SIZE, START, memory_of

THIRD = 0x5555555555555555
OBJECT = START + 0x1000


def filled(size: int, pattern: int, **wrong: int) -> dict[int, int]:
    words = {OBJECT + at: pattern for at in range(ITEM, size, 8)}
    return words | {OBJECT + int(at[1:], 16): value for at, value in wrong.items()}


@pytest.mark.parametrize("frees", [1, 2, 3, 1000, 123_456_789])
def test_patterns_are_multiples_of_a_third_of_all_ones(frees: int) -> None:
    pattern = frees * THIRD & (1 << 64) - 1
    assert is_pattern(pattern)
    assert overwritten(memory_of(filled(256, pattern)), OBJECT, 256) == -1
    for offset in (ITEM, ITEM + 8, 128, 248):
        memory = memory_of(filled(256, pattern, **{f"x{offset:x}": 0x1234_5678_9ABC}))
        assert overwritten(memory, OBJECT, 256) == offset


def test_objects_without_room_for_a_pattern_are_never_overwritten() -> None:
    for size in (8, 32, 40):
        assert overwritten(memory_of({OBJECT + at: at for at in range(0, 64, 8)}), OBJECT, size) == -1
    assert overwritten(memory_of({}), START + SIZE - 16, 1 << 20) == -1


def heap(*sizes: int, last: bool = True) -> dict[int, int]:
    """Chunks from the start of the memory on, the last one up to its end."""
    words, at = {}, START
    for size in sizes:
        words[at + 8] = size | 1
        at += size
    if last:
        words[at + 8] = START + SIZE - at | 1
    return words


def test_a_chunk_is_found_from_anywhere_in_it() -> None:
    memory = memory_of(heap(0x30, 0x110, 0x1010, 0x40))
    for start, size in ((START + 0x10, 0x28), (START + 0x40, 0x108), (START + 0x150, 0x1008)):
        for address in (start, start + size // 2, start + size - 1):
            assert next(iter_chunks(memory, address)) == Chunk(start, size, False)


def test_the_chunk_behind_tells_that_one_is_free() -> None:
    words = heap(0x30, 0x110, 0x1010, 0x40)
    words[START + 0x30 + 0x110 + 8] &= ~1
    assert next(iter_chunks(memory_of(words), START + 0x50)) == Chunk(START + 0x40, 0x108, True)


def test_what_is_no_heap_has_no_chunks() -> None:
    assert list(iter_chunks(memory_of({}), OBJECT)) == []
    assert list(iter_chunks(memory_of(dict.fromkeys(range(START, START + SIZE, 8), (1 << 64) - 1)), OBJECT)) == []
    assert list(iter_chunks(memory_of({}), 0x10)) == []


def test_sizes_are_rounded_as_malloc_does() -> None:
    assert [chunk_size(wanted) for wanted in (1, 24, 25, 40, 41, 136)] == [24, 24, 40, 40, 56, 136]
