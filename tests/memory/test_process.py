"""Memory of a process: what a core holds of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from forensics.absence import Absence
from forensics.memory.process import Memory, Segment
from forensics.memory.random_access import BytesInMemory

DATA = bytes(range(256)) * 512


def memory(*segments: tuple[int, int, int, int], data: bytes = DATA) -> Memory:
    """Segments as (address, size, offset, dumped size)."""
    return Memory(BytesInMemory(data), [Segment(*one, executable=False, writable=True) for one in segments])


ONE = memory((0x1000, 0x2000, 0x100, 0x1000), (0x3000, 0x1000, 0x1100, 0x1000))


def test_bytes_are_read_where_the_segment_lies_in_the_file() -> None:
    """Address to offset."""
    assert ONE.read(0x1010, 4) == DATA[0x110:0x114]
    assert ONE.read(0x3000, 2) == DATA[0x1100:0x1102]


def test_nothing_is_mapped_below_between_and_above() -> None:
    """Also at the ends of the address space."""
    for address in (0, 0xFFF, 0x4000, 1 << 63, (1 << 64) - 1, -5):
        found = ONE.read(address, 1)
        assert isinstance(found, Absence)
        assert "nothing mapped" in found.reason


def test_pages_that_were_not_dumped_are_absent_with_a_remedy() -> None:
    """p_filesz < p_memsz."""
    found = ONE.read(0x2000, 8)
    assert isinstance(found, Absence)
    assert "coredump_filter" in found.remedy
    assert isinstance(ONE.read(0x1FFC, 8), Absence)
    assert ONE.read(0x1FF8, 8) == DATA[0x10F8:0x1100]


def test_a_read_does_not_cross_into_the_next_segment() -> None:
    """All of it or nothing."""
    two = memory((0x1000, 0x1000, 0, 0x1000), (0x2000, 0x1000, 0x1000, 0x1000))
    assert isinstance(two.read(0x1FFC, 8), Absence)
    assert two.read(0x1FF8, 8) == DATA[0xFF8:0x1000]


def test_a_truncated_file_is_said_to_end() -> None:
    """The segment promises more than the file has."""
    cut = memory((0x1000, 0x10000, 0, 0x10000), data=DATA[:0x8004])
    assert cut.read(0x8FFC, 8) == DATA[0x7FFC:0x8004]
    found = cut.read(0x9000, 8)
    assert isinstance(found, Absence)
    assert "ends before" in found.reason


def test_an_address_inside_an_enclosing_segment_is_found_behind_a_nested_one() -> None:
    """Segments of real cores do not overlap; those of liars do, and one of them must answer."""
    nested = memory((0x1000, 0x4000, 0, 0x4000), (0x2000, 0x1000, 0x4000, 0x1000))
    assert nested.read(0x1800, 4) == DATA[0x800:0x804]
    assert nested.read(0x2800, 4) in (DATA[0x1800:0x1804], DATA[0x4800:0x4804])


def test_the_same_segment_twice_answers_once() -> None:
    """Duplicate program headers."""
    twice = memory((0x1000, 0x1000, 0, 0x1000), (0x1000, 0x1000, 0, 0x1000))
    assert twice.read(0x1100, 4) == DATA[0x100:0x104]


def test_a_word_is_little_endian() -> None:
    """Eight bytes, or why not."""
    assert memory((0, 8, 1, 8)).word(0) == int.from_bytes(DATA[1:9], "little")
    assert isinstance(ONE.word(0x3FF9), Absence)


def test_a_string_ends_at_its_nul_at_the_limit_or_with_the_segment() -> None:
    """Names of objects are read so."""
    text = memory((0x1000, 16, 0, 12), data=b"abc\0de\xff\0ghij")
    assert text.string(0x1000) == "abc"
    assert text.string(0x1004) == "de\ufffd"
    assert text.string(0x1008) == "ghij"
    assert text.string(0x1008, limit=2) == "gh"
    assert isinstance(text.string(0x2000), Absence)


def test_the_string_of_a_page_that_was_not_dumped_is_not_an_empty_string() -> None:
    """Absent is not empty."""
    assert isinstance(memory((0x1000, 0x1000, 0, 0)).string(0x1800), Absence)


@given(st.integers(0x0F00, 0x4100), st.integers(1, 0x1100))
def test_a_read_gives_exactly_what_was_asked_for_or_an_absence(address: int, size: int) -> None:
    """Never fewer bytes."""
    data = ONE.read(address, size)
    assert isinstance(data, Absence) or len(data) == size


def test_many_chunks_are_read_equal_however_the_cache_turns_over() -> None:
    """More chunks than are kept, then the first again."""
    data = b"".join(number.to_bytes(8, "little") for number in range(1 << 17)) * 10
    large = memory((0x10000, len(data), 0, len(data)), data=data)
    for offset in (*range(0, len(data) - 8, 1 << 13), 0, 1 << 14, (1 << 14) - 4):
        assert large.read(0x10000 + offset, 8) == data[offset : offset + 8]
