"""Walking stacks that were built for it: where a walk ends, and why."""

from __future__ import annotations

import struct

from hypothesis import given, settings
from hypothesis import strategies as st

from forensics.absence import Absence
from forensics.memory.process import Memory, Segment
from forensics.memory.random_access import BytesInMemory
from forensics.unwind.architecture import X86_64
from forensics.unwind.rule import Rule, UnwindRow
from forensics.unwind.walk import MAX_FRAMES, Walk, walk
from tests.builders.bounds import within_seconds

CODE, STACK = 0x400000, 0x7FFF0000
MISSING = Absence("call frame information", "the image has none")

CALL = UnwindRow(("register", 7, 8), {16: ("offset", -8)}, 16, False)
OUTERMOST = UnwindRow(("register", 7, 8), {16: ("undefined", 0)}, 16, False)


#: A page of code: before every even address stands `call *%rax`.
CALLS = b"\xff\xd0" * 0x800
NO_CALLS = bytes(0x1000)


def memory_of(words: list[int], code: bytes = CALLS) -> Memory:
    """A stack of these words, and a page of code."""
    stack = struct.pack(f"<{len(words)}Q", *(word & (1 << 64) - 1 for word in words))
    segments = [
        Segment(CODE, 0x1000, 0, 0x1000, executable=True, writable=False),
        Segment(STACK, len(stack), 0x1000, len(stack), executable=False, writable=True),
    ]
    return Memory(BytesInMemory(code + stack), segments)


def go(
    words: list[int],
    rows: dict[int, UnwindRow],
    registers: dict[int, int] | None = None,
    last: int = -1,
    code: bytes = CALLS,
) -> Walk:
    """Walk from CODE + 0x10 at the bottom of the stack; ``rows`` by address, CALL is not the default."""
    start = {16: CODE + 0x10, 7: STACK} | (registers or {})
    return walk(start, X86_64, memory_of(words, code), lambda at: rows.get(at, MISSING), lambda at: at == last)


def pcs(walked: Walk) -> list[int]:
    """The program counters, less the start of the code."""
    return [step.pc - CODE for step in walked.steps]


def test_return_addresses_are_looked_up_one_byte_before() -> None:
    """A call that never returns may be the last instruction of its function."""
    walked = go([CODE + 0x20, CODE + 0x30, 0], {CODE + 0x10: CALL, CODE + 0x1F: CALL, CODE + 0x2F: CALL})
    assert pcs(walked) == [0x10, 0x20, 0x30]
    assert [step.lookup - step.pc for step in walked.steps] == [0, -1, -1]
    assert [step.trust for step in walked.steps] == ["context", "cfi", "cfi"]
    assert [step.sp - STACK for step in walked.steps] == [0, 8, 16]


def test_a_return_address_of_zero_ends_the_walk() -> None:
    """What the kernel and clone() leave at the top."""
    walked = go([0], {CODE + 0x10: CALL})
    assert pcs(walked) == [0x10]
    assert "is 0" in walked.stop


def test_an_undefined_return_address_ends_the_walk() -> None:
    """How _start and clone3 say that nobody called them."""
    walked = go([CODE + 0x20, 77], {CODE + 0x10: CALL, CODE + 0x1F: OUTERMOST})
    assert pcs(walked) == [0x10, 0x20]
    assert "outermost" in walked.stop


def test_main_ends_the_walk() -> None:
    """Below it is only the C library's startup code."""
    walked = go([CODE + 0x20, CODE + 0x30], {CODE + 0x10: CALL, CODE + 0x1F: CALL}, last=CODE + 0x1F)
    assert pcs(walked) == [0x10, 0x20]
    assert walked.stop == "main() reached"


def test_a_stack_that_does_not_grow_ends_the_walk() -> None:
    """CFA = rsp: the caller's stack pointer would be our own."""
    walked = go([CODE + 0x10] * 9, {CODE + 0x10: UnwindRow(("register", 7, 0), {16: ("offset", 0)}, 16, False)})
    assert pcs(walked) == [0x10]
    assert "not grow" in walked.stop


def test_an_endless_recursion_is_cut() -> None:
    """At MAX_FRAMES, and said so."""
    walked = go([CODE + 0x20] * 2000, {CODE + 0x10: CALL, CODE + 0x1F: CALL})
    assert len(walked.steps) == MAX_FRAMES
    assert "more than" in walked.stop


def test_a_stack_that_was_not_dumped_ends_the_walk_with_the_reason() -> None:
    """A truncated core."""
    walked = go([], {CODE + 0x10: CALL})
    assert pcs(walked) == [0x10]
    assert "return address cannot be read" in walked.stop


def test_a_frame_whose_register_was_lost_ends_the_walk() -> None:
    """CFA relative to a register that nobody saved."""
    row = UnwindRow(("register", 12, 8), {16: ("offset", -8)}, 16, False)
    walked = go([CODE + 0x20], {CODE + 0x10: row}, code=NO_CALLS)
    assert "register 12" in walked.stop


def test_saved_registers_are_restored_for_the_caller() -> None:
    """rbp of the caller holds its frame."""
    inner = UnwindRow(("register", 7, 16), {16: ("offset", -8), 6: ("offset", -16)}, 16, False)
    outer = UnwindRow(("register", 6, 16), {16: ("offset", -8)}, 16, False)
    words = [STACK + 24, CODE + 0x20, 1, 2, CODE + 0x30]
    walked = go(words, {CODE + 0x10: inner, CODE + 0x1F: outer}, {6: 0})
    assert pcs(walked) == [0x10, 0x20, 0x30]


def rule_row(rule: Rule, number: int = 6) -> UnwindRow:
    """A frame that keeps register ``number`` by ``rule``."""
    return UnwindRow(("register", 7, 8), {16: ("offset", -8), number: rule}, 16, False)


def caller_of(rule: Rule) -> int | None:
    """rbp of the caller, used as its frame address: what the rule made of it."""
    seen: list[int] = []

    def row(at: int) -> UnwindRow | Absence:
        if at == CODE + 0x10:
            return rule_row(rule)
        seen.append(at)
        return UnwindRow(("register", 6, 8), {16: ("offset", -8)}, 16, False)

    words = [CODE + 0x20, CODE + 0x30, STACK + 24, 3, CODE + 0x40, 0]
    walked = walk({16: CODE + 0x10, 7: STACK, 6: STACK + 8, 12: STACK + 16}, X86_64, memory_of(words, NO_CALLS), row)
    return walked.steps[2].pc - CODE if len(walked.steps) > 2 else None


def test_each_rule_recovers_its_register() -> None:
    """Same, value, register, offset, both expressions; undefined ends the walk."""
    assert caller_of(("same", 0)) == 0x30
    assert caller_of(("value", 0)) == 0x30
    assert caller_of(("register", 12)) == STACK + 24 - CODE
    assert caller_of(("value_expression", "2308")) == STACK + 24 - CODE
    assert caller_of(("offset", 8)) == 3 - CODE
    assert caller_of(("expression", "2308")) == 3 - CODE
    assert caller_of(("undefined", 0)) is None


def test_the_code_that_a_signal_interrupted_is_looked_up_where_it_stood() -> None:
    """No call precedes it; and it may lie anywhere on the stack or on another one."""
    trampoline = UnwindRow(("value", 0, 0), {}, 16, True)
    trampoline = UnwindRow(
        ("expression", "771006", 0), {16: ("offset", -8)}, 16, True
    )  # CFA stands 16 bytes up the stack
    words = [CODE + 0x20, 0, 0, STACK + 48, 5, CODE + 0x30, CODE + 0x40, 0]
    rows = {CODE + 0x10: CALL, CODE + 0x1F: trampoline, CODE + 0x20: trampoline, CODE + 0x30: CALL, CODE + 0x3F: CALL}
    walked = go(words, rows)
    assert pcs(walked) == [0x10, 0x20, 0x30, 0x40]
    assert [step.signal for step in walked.steps] == [False, True, False, False]
    assert [step.lookup - step.pc for step in walked.steps] == [0, 0, 0, -1]


def test_a_frame_pointer_leads_on_where_there_is_no_call_frame_information() -> None:
    """Only up the stack and into code; its trust is lower."""
    words = [0, STACK + 24, CODE + 0x20, STACK + 40, CODE + 0x30, 0, 0]
    walked = go(words, {}, {6: STACK + 8})
    assert pcs(walked) == [0x10, 0x20, 0x30]
    assert [step.trust for step in walked.steps] == ["context", "frame_pointer", "frame_pointer"]


def test_a_frame_pointer_that_leads_nowhere_is_not_believed() -> None:
    """Into data, down the stack, or far away."""
    for words, frame in (
        ([0, STACK + 24, STACK, 0], STACK + 8),
        ([0, STACK, CODE + 0x20, 0], STACK + 8),
        ([0, STACK + 24, CODE + 0x20, 0], STACK - 8),
        ([0, STACK + 24, 0x10, 0], STACK + 8),
        ([0, 0], 0),
    ):
        walked = go(words, {}, {6: frame}, code=NO_CALLS)
        assert pcs(walked) == [0x10]
        assert "neither a frame pointer" in walked.stop


def test_a_call_to_address_0_shows_the_caller() -> None:
    """A null function pointer: the call left the return address on top of the stack, as gdb knows."""
    walked = go([CODE + 0x20, CODE + 0x30, 0], {CODE + 0x1F: CALL, CODE + 0x2F: CALL}, {16: 0})
    assert [step.pc for step in walked.steps] == [0, CODE + 0x20, CODE + 0x30]


def test_a_call_into_nowhere_shows_the_caller() -> None:
    """A wild function pointer, with a frame pointer that belongs to the caller and would skip it."""
    words = [CODE + 0x20, CODE + 0x30, STACK + 40, CODE + 0x40, 0, 0]
    walked = go(words, {CODE + 0x1F: CALL, CODE + 0x2F: OUTERMOST}, {16: 0x123456, 6: STACK + 16})
    assert [step.pc for step in walked.steps] == [0x123456, CODE + 0x20, CODE + 0x30]


def test_a_row_whose_return_register_nobody_knows_ends_the_walk() -> None:
    """A table that lies; the vdso's comes from the core."""
    walked = go([CODE + 0x20], {CODE + 0x10: UnwindRow(("register", 7, 8), {}, 99, False)}, code=NO_CALLS)
    assert pcs(walked) == [0x10]
    assert walked.stop


rules = st.tuples(st.sampled_from(["same", "undefined", "offset", "value", "register"]), st.integers(-64, 64)) | (
    st.tuples(st.sampled_from(["expression", "value_expression"]), st.binary(max_size=6).map(bytes.hex))
)
rows = st.builds(
    UnwindRow,
    st.tuples(st.just("register"), st.integers(0, 17), st.integers(-64, 64))
    | st.tuples(st.just("expression"), st.binary(max_size=6).map(bytes.hex), st.just(0)),
    st.dictionaries(st.integers(0, 17), rules, max_size=5),
    st.sampled_from([16, 16, 16, 0, 99]),
    st.booleans(),
)
words = st.integers(0, (1 << 64) - 1) | st.integers(0, 64).map(lambda n: STACK + 8 * n) | (
    st.integers(0, 255).map(lambda n: CODE + n)
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    st.lists(words, max_size=60),
    st.dictionaries(st.integers(0, 16), words),
    st.lists(rows | st.just(MISSING) | st.just(CALL), min_size=1, max_size=8),
)
def test_random_registers_stacks_and_rows_end_in_bounded_frames(
    stack: list[int], registers: dict[int, int], choices: list[UnwindRow | Absence]
) -> None:
    """Every walk ends with a reason."""
    memory = memory_of(stack)
    with within_seconds(3):
        walked = walk(registers, X86_64, memory, lambda at: choices[at % len(choices)])
    assert len(walked.steps) <= MAX_FRAMES
    assert walked.stop
