"""Rings: messages of every length, around the end, half written, and with numbers that cannot be."""

from __future__ import annotations

import random

import pytest

from forensics.absence import Absence
from forensics.haproxy.ring import LARGEST, Ring, read_ring
from tests.builders.bounds import within_seconds
from tests.builders.memory import SIZE, START, memory_of
from tests.builders.typed import MadeUp

RING, STORAGE = START, START + 0x100
AREA = STORAGE + 192
#: RING_TAIL_LOCK.
LOCKED = 1 << 63


def varint(value: int) -> bytes:
    """As src/tools.c writes it: below 240 one byte, else 4 bits in it and 7 in each that follows."""
    if value < 0xF0:
        return bytes([value])
    found, value = bytearray([value & 0xF | 0xF0]), (value - 0xF0) >> 4
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value = (value - 0x80) >> 7
    return bytes([*found, value])


def content(*messages: str) -> bytes:
    """A ring's bytes: one for readers, and after each message another."""
    return b"\0" + b"".join(varint(len(one.encode())) + one.encode() + b"\0" for one in messages)


def since_3_0(data: bytes, *, size: int, head: int, tail: int | None = None) -> MadeUp:
    """A ring with ``data`` from ``head`` on, around the end."""
    area = bytearray(size)
    for index, byte in enumerate(data):
        area[(head + index) % size] = byte
    end = (head + len(data)) % size if tail is None else tail
    words = {RING: STORAGE, STORAGE: size, STORAGE + 64: end, STORAGE + 128: head}
    return MadeUp(memory_of(words, pieces={AREA: bytes(area)}))


def up_to_2_9(data: bytes, *, size: int, head: int) -> MadeUp:
    area = bytearray(size)
    for index, byte in enumerate(data):
        area[(head + index) % size] = byte
    words = {RING: size, RING + 8: AREA, RING + 16: len(data), RING + 24: head}
    return MadeUp(memory_of(words, pieces={AREA: bytes(area)}))


MESSAGES = ("", "one", "x" * 239, "y" * 240, "z" * 3000, "two\nlines", "last")


@pytest.mark.parametrize("head", [0, 1, 5000, 8191])
@pytest.mark.parametrize("make", [since_3_0, up_to_2_9])
def test_messages_come_in_their_order_wherever_the_ring_begins(make: object, head: int) -> None:
    ring = read_ring(make(content(*MESSAGES), size=8192, head=head), RING)  # type: ignore[operator]
    assert isinstance(ring, Ring)
    assert tuple(ring.messages()) == MESSAGES
    assert ring.damage is None


def test_integers_are_those_that_haproxy_writes() -> None:
    """Values around each step, by the rule that src/tools.c has for encoding."""
    for length in (0, 239, 240, 2287, 2288, 2289, 20000):
        ring = read_ring(since_3_0(content("a" * length), size=0x8000, head=7), RING)
        assert isinstance(ring, Ring)
        assert [len(one) for one in ring.messages()] == [length]


def test_a_tail_that_is_locked_is_read_all_the_same() -> None:
    data = content("one", "two")
    ring = read_ring(since_3_0(data, size=4096, head=0, tail=len(data) | LOCKED), RING)
    assert isinstance(ring, Ring)
    assert list(ring.messages()) == ["one", "two"]


def test_a_message_that_was_being_written_ends_the_ring() -> None:
    data = content("one", "two")
    cut = data[:5] + b"\xff" + data[6:]
    space = since_3_0(cut, size=4096, head=0)
    # Its content does not prove the shape; with the layout of the build it is read up to there.
    ring = Ring(RING, 4096, cut)
    assert list(ring.messages()) == ["one"]
    assert ring.damage is not None
    assert "being written" in ring.damage.reason
    assert isinstance(read_ring(space, RING), Absence)


@pytest.mark.parametrize(
    "words",
    [
        {},
        {RING: STORAGE},
        {RING: STORAGE, STORAGE: LARGEST + 1},
        {RING: STORAGE, STORAGE: 100, STORAGE + 128: 101},
        {RING: STORAGE, STORAGE: SIZE * 2},
        {RING: 1 << 62, RING + 8: AREA, RING + 16: 5},
        {RING: 64, RING + 8: AREA, RING + 16: 65},
        {RING: 64, RING + 8: 0x5050505050505050, RING + 16: 5},
    ],
)
def test_numbers_that_cannot_be_are_no_ring(words: dict[int, int]) -> None:
    found = read_ring(MadeUp(memory_of(words)), RING)
    assert isinstance(found, Absence) or not list(found.messages())


def test_any_bytes_end_in_bounded_time() -> None:
    chance = random.Random(7)
    with within_seconds(10):
        for _number in range(300):
            ring = Ring(RING, 4096, chance.randbytes(chance.randrange(4096)))
            assert sum(len(one) for one in ring.messages()) <= 3 * 4096
