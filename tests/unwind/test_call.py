"""Return addresses stand behind calls: which instructions are calls."""

from __future__ import annotations

import pytest

from forensics.absence import Absence
from forensics.memory.process import Memory, Segment
from forensics.memory.random_access import BytesInMemory
from forensics.unwind.architecture import AARCH64, X86_64
from forensics.unwind.call import Call, call_before

CODE = 0x400000
MEMORY = Memory(BytesInMemory(bytes(4096)), [Segment(CODE, 4096, 0, 4096, True, False)])


def before(instruction: bytes, machine: str = "x86-64") -> Call | Absence | None:
    """What ends at CODE + 0x20 when ``instruction`` does."""
    page = bytes(0x20 - len(instruction)) + instruction
    architecture = X86_64 if machine == "x86-64" else AARCH64
    return call_before(architecture, CODE + 0x20, lambda at, size: page[at - CODE : at - CODE + size], MEMORY)


def test_a_direct_call_names_its_target() -> None:
    """A 32-bit offset from the next instruction."""
    assert before(b"\xe8\x10\x00\x00\x00") == Call(CODE + 0x30)
    assert before(b"\xe8\xf0\xff\xff\xff") == Call(CODE + 0x10)


def test_a_direct_call_out_of_all_code_is_none() -> None:
    """Bytes that only look like one."""
    assert before(b"\xe8\x00\x00\x00\x70") is None


@pytest.mark.parametrize(
    "instruction",
    [
        b"\xff\xd0", b"\x41\xff\xd3", b"\xff\x10", b"\xff\x50\x08", b"\xff\x14\x24", b"\xff\x54\x24\x08",
        b"\xff\x15\x00\x10\x00\x00", b"\xff\x90\x00\x01\x00\x00", b"\xff\x94\x24\x00\x01\x00\x00",
        b"\xff\x14\xc5\x00\x10\x00\x00",
    ],
)  # fmt: skip
def test_calls_through_registers_and_memory_have_no_target(instruction: bytes) -> None:
    """call *%rax, *%r11, *(%rax), *8(%rax), *(%rsp), *8(%rsp), *x(%rip), *256(%rax), *256(%rsp), *table(,%rax,8)."""
    assert before(instruction) == Call(0)


@pytest.mark.parametrize("instruction", [b"\x90" * 7, b"\xff\xe0", b"\xff\x25\x00\x10\x00\x00", b"\xff\xc0", b"\xc3"])
def test_other_instructions_are_no_calls(instruction: bytes) -> None:
    """nop, jmp *%rax, jmp *x(%rip), inc %eax, ret."""
    assert before(instruction) is None


@pytest.mark.parametrize(
    ("word", "found"),
    [
        (0x94000004, Call(CODE + 0x2C)), (0x97FFFFFF, Call(CODE + 0x18)), (0xD63F0100, Call(0)), (0xD73F0A1F, Call(0)),
        (0xD63F0B1F, Call(0)), (0x14000004, None), (0xD61F0220, None), (0xD65F03C0, None), (0, None),
    ],
)  # fmt: skip
def test_branches_with_link_are_the_calls_of_aarch64(word: int, found: Call | None) -> None:
    """bl, bl back, blr x8, blraa, blraaz; not b, br, ret."""
    assert before(word.to_bytes(4, "little"), "aarch64") == found


def test_code_that_is_not_at_hand_is_an_absence() -> None:
    """Neither yes nor no."""
    assert isinstance(call_before(X86_64, 0x10, MEMORY.read, MEMORY), Absence)
