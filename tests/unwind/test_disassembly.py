"""Instructions in words: what they touch, for both processors."""

from __future__ import annotations

import pytest

from forensics.absence import Absence
from forensics.unwind.architecture import X86_64, Architecture
from forensics.unwind.disassembly import Access, Instruction, decode, deliberate

AARCH64 = Architecture(
    "aarch64", (), pc=32, sp=31, fp=29, names={number: f"x{number}" for number in range(31)} | {31: "sp", 32: "pc"}
)

#: rax rdx rcx rsp rip.
X86 = {0: 0x1000, 1: 0x20, 2: 3, 7: 0x7FF0, 16: 0x400000}
ARM = {0: 0x1000, 1: 0x20, 2: 3, 31: 0x7FF0, 32: 0x400000}


def accesses(code: str, architecture: Architecture = X86_64, **more: int) -> tuple[Access, ...]:
    """What ``code`` at 0x400000 touches."""
    registers = X86 if architecture is X86_64 else ARM
    found = decode(bytes.fromhex(code), 0x400000, architecture, registers, **more)
    assert isinstance(found, Instruction), found
    return found.accesses


READ, WRITE = {"reads": True, "writes": False}, {"reads": False, "writes": True}


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("8b5018", Access("0x18(%rax)", 0x1018, 4, **READ)),  # mov 0x18(%rax),%edx
        ("48894cd0f8", Access("-0x8(%rax,%rdx,8)", 0x10F8, 8, **WRITE)),  # mov %rcx,-8(%rax,%rdx,8)
        ("488b0500010000", Access("0x100(%rip)", 0x400107, 8, **READ)),  # mov 0x100(%rip),%rax
        ("64488b042528000000", Access("%fs:0x28", 0x9028, 8, **READ)),  # mov %fs:0x28,%rax
        ("c6042501000000 00", Access("0x1", 1, 1, **WRITE)),  # movb $0,1
        ("ff10", Access("(%rax)", 0x1000, 8, **READ)),  # call *(%rax), then the stack
        ("50", Access("the stack", 0x7FE8, 8, **WRITE)),  # push %rax
        ("c3", Access("the stack", 0x7FF0, 8, **READ)),  # ret
        ("8b03", Access("(%rbx)", None, 4, **READ)),  # mov (%rbx),%eax: rbx is not known
    ],
)
def test_operands_of_x86_64(code: str, expected: Access) -> None:
    assert accesses(code, segment_base=0x9000)[0] == expected


@pytest.mark.parametrize("code", ["0f0b", "4889d8", "488d4018", "0f1f4000"])
def test_instructions_that_touch_nothing(code: str) -> None:
    """ud2, a move between registers, lea and a long nop, which only look like accesses."""
    assert accesses(code) == ()


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("010c40b9", Access("[x0, #0xc]", 0x100C, 4, **READ)),  # ldr w1, [x0, #12]
        ("01786278", Access("[x0, x2, lsl #1]", 0x1006, 2, **READ)),  # ldrh w1, [x0, x2, lsl #1]
        ("fd7bbfa9", Access("[sp, #-0x10]", 0x7FE0, 16, **WRITE)),  # stp x29, x30, [sp, #-16]!
        ("fd7bc1a8", Access("[sp]", 0x7FF0, 16, **READ)),  # ldp x29, x30, [sp], #16
        ("1f000039", Access("[x0]", 0x1000, 1, **WRITE)),  # strb wzr, [x0]
    ],
)
def test_operands_of_aarch64(code: str, expected: Access) -> None:
    assert accesses(code, AARCH64) == (expected,)


@pytest.mark.parametrize(
    ("code", "architecture", "name"),
    [
        (b"\x0f\x0b\x90", X86_64, "ud2"),
        (b"\xc6\x04\x25\x01\0\0\0\0", X86_64, "movb $0x0, 0x1"),
        (b"\0\0\0\0", AARCH64, "udf #0"),
        (b"\x00\x7d\x20\xd4", AARCH64, "brk #0x3e8"),
    ],
)
def test_deliberate_ends_are_known_without_a_decoder(code: bytes, architecture: Architecture, name: str) -> None:
    found = deliberate(code, architecture)
    assert found is not None
    assert found[1] == name


def test_other_code_is_not_taken_for_a_deliberate_end() -> None:
    assert deliberate(b"\x8b\x50\x18", X86_64) is None
    assert deliberate(b"\x0f\x0b\0\0", AARCH64) is None


@pytest.mark.parametrize("code", [b"", b"\x06", b"\x48"])
def test_bytes_that_are_no_instruction_are_absent(code: bytes) -> None:
    """Nothing, an opcode that 64-bit mode lacks, a prefix alone."""
    assert isinstance(decode(code, 0, X86_64, {}), Absence)
