"""DWARF expressions, operation by operation."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forensics.absence import Absence
from forensics.memory.process import Memory, Segment
from forensics.memory.random_access import BytesInMemory
from forensics.unwind.expression import evaluate
from tests.builders.bounds import within_seconds

MEMORY = Memory(BytesInMemory(bytes(range(64))), [Segment(0x1000, 64, 0, 64, False, True)])
REGISTERS = {7: 0x1000, 16: 0x40_0123}
TOP = (1 << 64) - 1


def run(code: bytes, *stack: int) -> int | Absence:
    """The value of ``code``."""
    return evaluate(code, REGISTERS, MEMORY, list(stack))


@pytest.mark.parametrize(
    ("code", "value"),
    [
        (b"\x30", 0), (b"\x4f", 31), (b"\x08\xff", 255), (b"\x09\xff", TOP), (b"\x0a\x01\x02", 0x201),
        (b"\x0b\xfe\xff", TOP - 1), (b"\x0c\x01\x00\x00\x80", 0x80000001), (b"\x0d\xff\xff\xff\xff", TOP),
        (b"\x0e" + bytes(range(8)), 0x0706050403020100), (b"\x0f" + b"\xff" * 8, TOP),
        (b"\x10\x80\x01", 128), (b"\x11\x7f", TOP), (b"\x77\x08", 0x1008), (b"\x77\x78", 0xFF8),
        (b"\x77\x00\x06", 0x0706050403020100), (b"\x77\x02\x94\x02", 0x0302),
        (b"\x31\x12\x22", 2), (b"\x31\x32\x13", 1), (b"\x31\x32\x14\x22", 3), (b"\x31\x32\x16\x1c", 1),
        (b"\x35\x33\x1c", 2), (b"\x33\x35\x1c", TOP - 1), (b"\x33\x35\x1e", 15), (b"\x3c\x3a\x1a", 8),
        (b"\x3c\x33\x21", 15), (b"\x3c\x3a\x27", 6), (b"\x31\x34\x24", 16), (b"\x11\x7f\x08\x3f\x25", 1),
        (b"\x11\x7f\x34\x26", TOP), (b"\x31\x1f", TOP), (b"\x30\x20", TOP), (b"\x31\x23\x05", 6),
        (b"\x35\x35\x29", 1), (b"\x11\x7f\x30\x2a", 0), (b"\x30\x11\x7f\x2b", 1), (b"\x11\x7f\x30\x2c", 1),
        (b"\x11\x7f\x30\x2d", 1), (b"\x31\x32\x2e", 1), (b"\x31\x31\x2e", 0),
        (b"\x31\x2f\x01\x00\x13\x96", 1), (b"\x35\x31\x28\x01\x00\x13", 5), (b"\x35\x36\x30\x28\x01\x00\x13", 5),
        (b"\x31\x32\x33\x15\x02", 1), (b"\x31\x32\x33\x17", 2), (b"\x31\x32\x33\x17\x13\x13", 3), (b"\x11\x7b\x19", 5),
        (b"\x11\x79\x32\x1b", TOP - 2), (b"\x37\x32\x1b", 3), (b"\x37\x34\x1d", 3), (b"\x92\x07\x08", 0x1008),
        # The program linkage table of every x86-64 library: rsp + 8 + ((rip & 15) >= 11) * 8.
        (b"\x77\x08\x80\x00\x3f\x1a\x3b\x2a\x33\x24\x22", 0x1008),
    ],
)  # fmt: skip
def test_an_operation_gives_its_value(code: bytes, value: int) -> None:
    """In 64 bits."""
    assert run(code) == value


def test_the_initial_stack_holds_the_frame_address() -> None:
    """Rules of registers start from the CFA."""
    assert run(b"\x38\x1c", 0x2000) == 0x1FF8


@pytest.mark.parametrize(
    "code",
    [b"", b"\x22", b"\x31\x22", b"\x13", b"\x12", b"\x16", b"\x08", b"\x0e\x01", b"\x06", b"\x77", b"\x28\x00",
     b"\x31\x30\x1b", b"\x31\x30\x1d", b"\x31\x15\x01", b"\x31\x32\x17", b"\x92\x40\x00", b"\x31\x06", b"\x70\x00", b"\xe0", b"\x10" + b"\xff" * 99, b"\x77" + b"\xff" * 99],
)  # fmt: skip
def test_what_cannot_be_evaluated_is_absent(code: bytes) -> None:
    """An empty stack, operands cut off, memory that is not there, registers that were lost, unknown operations."""
    assert isinstance(run(code), Absence)


def test_a_loop_ends() -> None:
    """`skip` to itself."""
    found = run(b"\x31\x2f\xfd\xff")
    assert isinstance(found, Absence)
    assert "steps" in found.reason


@settings(max_examples=400)
@given(st.binary(max_size=80))
def test_random_code_ends_in_a_number_or_an_absence(code: bytes) -> None:
    """Within bounds."""
    with within_seconds(2):
        assert isinstance(run(code, 0x1000), int | Absence)
