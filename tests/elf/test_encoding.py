"""LEB128 and the pointer encodings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forensics.elf.encoding import read_pointer, read_sleb128, read_uleb128
from tests.builders.bounds import within_seconds


def leb128(value: int, *, signed: bool) -> bytes:
    """The shortest encoding of ``value``."""
    out = bytearray()
    while True:
        byte, value = value & 0x7F, value >> 7
        done = value == (-1 if signed and byte & 0x40 else 0) and (not signed or value or not byte & 0x40)
        out.append(byte | (0 if done else 0x80))
        if done:
            return bytes(out)


@given(st.integers(0, (1 << 64) - 1), st.binary(max_size=3))
def test_unsigned_numbers_are_read_back(value: int, before: bytes) -> None:
    """And the position after them."""
    data = before + leb128(value, signed=False)
    assert read_uleb128(data + b"\x81", len(before)) == (value, len(data))


@given(st.integers(-(1 << 63), (1 << 63) - 1))
def test_signed_numbers_are_read_back(value: int) -> None:
    """Two's complement in groups of seven bits."""
    data = leb128(value, signed=True)
    assert read_sleb128(data, 0) == (value, len(data))


def test_padded_numbers_are_numbers() -> None:
    """Assemblers reserve room so."""
    assert read_uleb128(b"\x85\x80\x80\x80\x00", 0) == (5, 5)
    assert read_sleb128(b"\xff\xff\xff\xff\x7f", 0) == (-1, 5)


@pytest.mark.parametrize("reader", [read_uleb128, read_sleb128])
def test_a_number_without_end_is_an_error_within_bounds(reader: object) -> None:
    """A megabyte of continuation bytes must not cost the square of its length."""
    assert callable(reader)
    with within_seconds(2), pytest.raises((IndexError, ValueError)):
        reader(b"\xff" * (1 << 20), 0)


@pytest.mark.parametrize(
    ("encoding", "data", "expected"),
    [
        (0x00, (5).to_bytes(8, "little"), (5, 8)),
        (0x03, (5).to_bytes(4, "little"), (5, 4)),
        (0x0B, (-5).to_bytes(4, "little", signed=True), ((1 << 64) - 5, 4)),
        (0x1B, (-0x10).to_bytes(4, "little", signed=True), (0x1000 - 0x10, 4)),
        (0x3B, (0x10).to_bytes(4, "little"), (0x2010, 4)),
        (0x01, b"\x85\x01", (133, 2)),
        (0x09, b"\x7f", ((1 << 64) - 1, 1)),
        (0x02, b"\x34\x12", (0x1234, 2)),
    ],
)
def test_a_pointer_is_read_in_its_encoding(encoding: int, data: bytes, expected: tuple[int, int]) -> None:
    """DW_EH_PE_*: format, and what it is relative to."""
    assert read_pointer(data, 0, encoding, 0x1000, 0x2000) == expected


@pytest.mark.parametrize("encoding", [0x05, 0x0F, 0x20, 0x40, 0x50])
def test_an_encoding_that_nobody_uses_is_refused(encoding: int) -> None:
    """Text-relative, function-relative, aligned, reserved."""
    with pytest.raises(ValueError, match="pointer encoding"):
        read_pointer(bytes(16), 0, encoding, 0)
