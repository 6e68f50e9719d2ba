"""Frames that no table describes: entries and ends of functions, frame pointers, the search of the stack."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forensics.absence import Absence
from forensics.memory.process import Memory, Segment
from forensics.memory.random_access import BytesInMemory
from forensics.unwind.architecture import AARCH64, X86_64, Architecture
from forensics.unwind.rule import UnwindRow
from forensics.unwind.search import SCAN_BYTES
from forensics.unwind.walk import MAX_FRAMES, Walk, walk
from tests.builders.bounds import within_seconds

CODE, STACK = 0x400000, 0x7FFF0000
MISSING = Absence("call frame information", "the image has none")
NO_CODE = Absence("code", "not at hand")

#: A caller's code: a call of the function at CODE + 0x800 ends at 0x105, one through a register at 0x202.
CALLER = {0x100: b"\xe8\xfb\x06\x00\x00", 0x200: b"\xff\xd0"}
DIRECT, INDIRECT = CODE + 0x105, CODE + 0x202
RUNNING = CODE + 0x800


def page_of(parts: dict[int, bytes], filler: bytes = b"\x90") -> bytes:
    """A page of code."""
    page = bytearray(filler * (4096 // len(filler)))
    for place, part in parts.items():
        page[place : place + len(part)] = part
    return bytes(page)


def memory_of(words: list[int], code: bytes) -> Memory:
    """A stack and a page of code."""
    stack = struct.pack(f"<{len(words)}Q", *words)
    return Memory(
        BytesInMemory(code + stack),
        [Segment(CODE, 4096, 0, 4096, True, False), Segment(STACK, len(stack), 4096, len(stack), False, True)],
    )


def go(
    words: list[int],
    at: bytes = b"\x90",
    registers: dict[int, int] | None = None,
    *,
    pc: int = RUNNING,
    names: dict[int, str] | None = None,
) -> Walk:
    """Walk from RUNNING, whose code is ``at``; nothing has a table. ``names`` are those of functions by start."""
    memory = memory_of(words, page_of(CALLER | {0x800: at}))
    known = names or {}

    def function_at(address: int) -> tuple[str, int]:
        start = max((one for one in known if one <= address), default=0)
        return known.get(start, ""), start

    start = {16: pc, 7: STACK} | (registers or {})
    return walk(start, X86_64, memory, lambda _at: MISSING, code=memory.read, function_at=function_at)


def found(walked: Walk) -> list[tuple[int, str]]:
    """Each caller and how it was found."""
    return [(step.pc, step.trust) for step in walked.steps[1:]]


@pytest.mark.parametrize(
    "code", [b"\x55", b"\xf3\x0f\x1e\xfa", b"\xf3\x0f\x1e\xfa\x55", b"\xc3", b"\xf3\xc3", b"\xff\x25\x00\x00\x00\x00",
             b"\xf3\x0f\x1e\xfa\xf2\xff\x25", b"\x68\x01\x00\x00\x00"],
)  # fmt: skip
def test_at_its_entry_and_its_end_a_function_has_only_a_return_address_on_the_stack(code: bytes) -> None:
    """So has a stub of the linkage table."""
    assert found(go([DIRECT, 0], code)) == [(DIRECT, "cfi")]


def test_between_the_two_instructions_that_make_a_frame_the_return_address_is_second() -> None:
    """push %rbp; then mov %rsp, %rbp."""
    walked = go([STACK + 24, DIRECT, 7, 0, INDIRECT, 0], b"\x55\x48\x89\xe5", {6: 1}, pc=RUNNING + 1)
    assert found(walked) == [(DIRECT, "cfi"), (INDIRECT, "frame_pointer")]


def test_a_leaf_is_known_by_the_call_that_names_it() -> None:
    """The word on top of the stack is the end of a call of this very function."""
    names = {CODE + 0x100: "caller", RUNNING: "leaf"}
    assert found(go([DIRECT, 0], names=names)) == [(DIRECT, "cfi")]
    assert found(go([DIRECT, 0], names=names | {RUNNING - 8: "other", RUNNING: "leaf"})) == [(DIRECT, "cfi")]


def test_the_stack_is_searched_for_what_a_call_left() -> None:
    """Other words that point into the code are passed over."""
    walked = go([1, CODE + 0x300, STACK, DIRECT, 5, CODE + 0x104, INDIRECT, 0])
    assert found(walked) == [(DIRECT, "scan"), (INDIRECT, "scan")]
    assert walked.stop


def test_a_call_of_another_function_is_passed_over() -> None:
    """It was left by a call that has returned long ago."""
    names = {CODE + 0x100: "caller", RUNNING - 0x100: "other", RUNNING: "called"}
    assert found(go([3, DIRECT, 0], pc=RUNNING - 0x80, names=names)) == []
    assert found(go([3, DIRECT, INDIRECT], pc=RUNNING + 8, names=names)) == [(DIRECT, "scan"), (INDIRECT, "scan")]


def test_the_search_is_bounded_in_distance() -> None:
    """A word beyond it is not found."""
    inside, outside = [0] * (SCAN_BYTES // 8), [0] * (SCAN_BYTES // 8)
    inside[-1] = DIRECT
    assert found(go(inside)) == [(DIRECT, "scan")]
    assert found(go([*outside, DIRECT])) == []


def test_code_that_is_not_at_hand_lets_nothing_be_believed_that_the_stack_holds() -> None:
    """A frame pointer leads on all the same: it must point up the stack."""
    memory = memory_of([STACK + 24, DIRECT, 0, STACK + 40, INDIRECT, 0, 0], page_of(CALLER))
    registers = {16: RUNNING, 7: STACK}
    walked = walk(registers, X86_64, memory, lambda _at: MISSING, code=lambda _at, _size: NO_CODE)
    assert found(walked) == []
    walked = walk(registers | {6: STACK}, X86_64, memory, lambda _at: MISSING, code=lambda _at, _size: NO_CODE)
    assert found(walked) == [(DIRECT, "frame_pointer"), (INDIRECT, "frame_pointer")]


def test_a_frame_pointer_to_something_that_no_call_left_is_not_believed() -> None:
    """Where the code is at hand."""
    assert found(go([STACK + 24, CODE + 0x300, 0, 0], registers={6: STACK})) == []


def test_the_outermost_frame_record_is_followed_only_to_a_call() -> None:
    """Its own frame pointer is 0."""
    assert found(go([0, DIRECT, 0], registers={6: STACK})) == [(DIRECT, "frame_pointer")]
    assert found(go([0, CODE + 0x300, 0], registers={6: STACK})) == []


def test_after_a_search_a_table_is_used_again_and_must_prove_itself() -> None:
    """A row that leads to no call is not believed then; the search goes on."""
    memory = memory_of([9, DIRECT, CODE + 0x300, INDIRECT, 0], page_of(CALLER))
    row = UnwindRow(("register", 7, 8), {16: ("offset", -8)}, 16, False)

    def rows(at: int) -> UnwindRow | Absence:
        return row if at < RUNNING else MISSING

    walked = walk({16: RUNNING, 7: STACK}, X86_64, memory, rows, code=memory.read)
    assert found(walked) == [(DIRECT, "scan"), (INDIRECT, "scan")]


def test_a_handler_returns_to_code_before_which_no_call_stands() -> None:
    """__restore_rt by its bytes; the ucontext on the stack tells the rest."""
    registers = [0] * 17
    registers[15], registers[16] = STACK + 0x400, RUNNING + 0x10
    words = [CODE + 0x400, *[0] * 5, *registers, *[0] * 200]
    words[0x400 // 8] = DIRECT
    code = CALLER | {0x400: b"\x48\xc7\xc0\x0f\x00\x00\x00\x0f\x05"}
    memory = memory_of(words, page_of(code))
    walked = walk({16: RUNNING, 7: STACK}, X86_64, memory, lambda _at: MISSING, code=memory.read)
    assert [(step.pc, step.signal) for step in walked.steps[:3]] == [
        (RUNNING, False), (CODE + 0x400, True), (RUNNING + 0x10, False),
    ]  # fmt: skip
    assert walked.steps[2].lookup == RUNNING + 0x10
    assert walked.steps[3].pc == DIRECT


def test_signal_frames_that_lead_to_themselves_end_the_walk() -> None:
    """The interrupted pc is the trampoline itself."""
    registers = [0] * 17
    registers[15], registers[16] = STACK, CODE + 0x400
    memory = memory_of([0] * 5 + registers + [0] * 8, page_of({0x400: b"\x48\xc7\xc0\x0f\x00\x00\x00\x0f\x05"}))
    walked = walk({16: CODE + 0x400, 7: STACK}, X86_64, memory, lambda _at: MISSING, code=memory.read)
    assert len(walked.steps) == 2
    assert "lead back to themselves" in walked.stop


#: bl to 0x800 ends at 0x104, blr x8 at 0x204; code of another function at 0x300.
ARM_CALLER = {0x100: b"\xc0\x01\x00\x94", 0x200: b"\x00\x01\x3f\xd6"}


@pytest.mark.parametrize(
    "word", [0xD503233F, 0xD503245F, 0xA9BF7BFD, 0xD65F03C0, 0xD65F0BFF, 0xD61F0220]
)  # paciasp, bti c, stp x29, x30, [sp, #-16]!, ret, retaa, br x17
def test_at_its_entry_and_its_end_a_function_of_aarch64_returns_to_x30(word: int) -> None:
    """Signed or not."""
    memory = memory_of([0] * 8, page_of(ARM_CALLER | {0x800: word.to_bytes(4, "little")}, b"\x1f\x20\x03\xd5"))
    start = {32: RUNNING, 31: STACK, 30: CODE + 0x104 | 0x2A << 48, 29: 0}
    walked = walk(start, AARCH64, memory, lambda _at: MISSING, code=memory.read)
    assert found(walked) == [(CODE + 0x104, "cfi")]


words = st.integers(0, (1 << 64) - 1) | st.integers(0, 600).map(lambda n: STACK + 8 * n) | (
    st.integers(0, 4095).map(lambda n: CODE + n) | st.sampled_from([DIRECT, INDIRECT, CODE + 0x104, CODE + 0x204])
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([X86_64, AARCH64]), st.lists(words, max_size=80),
    st.dictionaries(st.integers(0, 32), words), st.binary(min_size=1, max_size=64),
)  # fmt: skip
def test_random_stacks_and_code_end_in_bounded_frames(
    architecture: Architecture, stack: list[int], registers: dict[int, int], code: bytes
) -> None:
    """Every walk ends with a reason, and the stack pointer only grows between signals."""
    memory = memory_of(stack, page_of(CALLER | {0x800: code}, code[:1]))
    start = {architecture.pc: RUNNING, architecture.sp: STACK} | registers
    with within_seconds(3):
        walked = walk(start, architecture, memory, lambda _at: MISSING, code=memory.read)
    assert walked.stop
    assert len(walked.steps) <= MAX_FRAMES
    assert all(
        below.sp <= above.sp or below.signal for below, above in zip(walked.steps, walked.steps[1:], strict=False)
    )
