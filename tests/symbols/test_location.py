"""Expressions and the pieces they name."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forensics.absence import Absence
from forensics.symbols.dwarf.expression import locate, number_of
from forensics.symbols.dwarf.location import FrameContext, Piece, Unavailable, fetch
from tests.builders.bounds import within_seconds

MEMORY = {0x1000 + place: place for place in range(64)}


def read(address: int, size: int) -> bytes | Absence:
    """Bytes 0, 1, 2 ... from 0x1000 on."""
    if not all(address + place in MEMORY for place in range(size)):
        return Absence("memory", "not there")
    return bytes(MEMORY[address + place] for place in range(size))


def lost(_what: object) -> int:
    """A caller that tells nothing."""
    raise Unavailable


@dataclass
class FakeEntry:
    """Where an expression stands; its unit has no base types and two addresses."""

    unit: Any = field(default_factory=lambda: SimpleNamespace(offset=0, offset_size=4, abbreviations={}))
    info: Any = field(default_factory=lambda: SimpleNamespace(info=b"\0" * 64))

    def info_address(self, index: int) -> int:
        """Entries of .debug_addr."""
        return (0x10, 0x20)[index]


def context(**changed: Any) -> FrameContext:
    """rax 0x1008, rbp 0x1010; frame base 0x1010; bias 0x1000."""
    values: dict[str, Any] = {
        "registers": {0: 0x1008, 6: 0x1010}, "read": read, "bias": 0x1000, "cfa": 0x1020,
        "frame_base": lambda: 0x1010, "at_entry": lost, "parameter": lost,
    }  # fmt: skip
    return FrameContext(**(values | changed))


def pieces(code: bytes, **changed: Any) -> tuple[Piece, ...]:
    """What ``code`` names."""
    return locate(code, FakeEntry(), context(**changed))  # type: ignore[arg-type]  # what an expression asks of an entry


def value(code: bytes, size: int = 4, **changed: Any) -> int:
    """The variable of ``size`` bytes at ``code``."""
    found = fetch(pieces(code, **changed), size, context(**changed))
    return int.from_bytes(found.data, "little")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (b"\x03" + (0x4).to_bytes(8, "little"), 0x07060504),  # addr, moved by the bias
        (b"\x91\x74", 0x07060504),  # fbreg -12
        (b"\x70\x04", 0x0F0E0D0C),  # breg0 4
        (b"\x92\x06\x04", 0x17161514),  # bregx rbp 4
        (b"\x50", 0x1008),  # reg0
        (b"\x90\x06", 0x1010),  # regx rbp
        (b"\x9c", 0x23222120),  # call_frame_cfa
        (b"\x35\x9f", 5),  # lit5, stack_value
        (b"\x11\x7f\x9f", 0xFFFFFFFF),  # consts -1
        (b"\x9e\x02\x34\x12", 0x1234),  # implicit_value of 2 bytes
        (b"\xa1\x00\x06\x9f", 0x13121110),  # addrx, deref: rebased 0x1010
        (b"\xa2\x01\x9f", 0x20),  # constx is not moved
        (b"\x50\x93\x02\x31\x9f\x93\x02", 0x11008),  # two pieces
        (b"\x39\x3a\x16\x1c\x9f", 1),  # lit9 lit10 swap minus
        (b"\x09\xf6\x33\x1b\x9f", 0xFFFFFFFD),  # -10 / 3 goes towards zero
        (b"\x09\xf6\x31\x26\x9f", 0xFFFFFFFB),  # -10 >> 1 keeps the sign
        (b"\x31\x28\x04\x00\x38\x2f\x01\x00\x37\x9f", 0x7),  # a branch that is taken
        (b"\x70\x00\x94\x02\x9f", 0x0908),  # deref_size 2
    ],
)
def test_expressions(code: bytes, expected: int) -> None:
    assert value(code) == expected


def test_the_value_on_entry_is_asked_of_the_caller() -> None:
    assert value(b"\xa3\x01\x55\x9f", at_entry=lambda code: {b"\x55": 42}[code]) == 42
    assert value(b"\xfa\x07\0\0\0\x9f", parameter=lambda offset: offset + 1) == 8


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (b"", "<optimized out>"),
        (b"\xa3\x01\x55\x9f", "<optimized out>"),  # the caller does not tell
        (b"\xa0\x01\0\0\0\x00", "<synthetic pointer>"),
        (b"\x70\xf8\x7e", "<error: Cannot access memory at address 0xf80>"),  # breg0 -136
        (b"\x53", "<register 3 is not known here>"),
        (b"\xff", "<error: DWARF operation 0xff is not supported>"),
        (b"\x12", "<error: the DWARF expression is damaged>"),  # dup of nothing
        (b"\x2f\xfd\xff", "<error: the DWARF expression does not end>"),  # jumps to itself
        (b"\x30\x30\x1b\x9f", "<error: the DWARF expression is damaged>"),  # division by zero
    ],
)
def test_what_cannot_be_told_says_why(code: bytes, text: str) -> None:
    with within_seconds(5), pytest.raises(Unavailable) as raised:
        value(code)
    assert raised.value.text == text


def test_a_piece_that_is_lost_leaves_the_others() -> None:
    """An aggregate of two words, the first of which is gone."""
    found = fetch(pieces(b"\x93\x04\x50\x93\x04"), 8, context())
    assert found.part(0, 4).missing(4) == "<optimized out>"
    assert found.part(4, 4).missing(4) == ""
    assert found.part(4, 4).data == (0x1008).to_bytes(4, "little")


def test_an_address_is_a_number_too() -> None:
    assert number_of(b"\x91\x00", FakeEntry(), context()) == 0x1010  # type: ignore[arg-type]  # as above


@given(st.binary(max_size=40))
def test_any_bytes_give_a_value_or_its_absence(code: bytes) -> None:
    text = "<none>"
    with within_seconds(5):
        try:
            fetch(pieces(code), 8, context())
        except Unavailable as error:
            text = error.text
    assert text.startswith("<")
