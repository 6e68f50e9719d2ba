"""Real programs without call frame information: what frame pointers and the search of the stack make of them."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from forensics.elf.core import read_core
from forensics.memory.open import open_bytes
from forensics.symbols.find import Places
from forensics.unwind.backtrace import SIGNAL_HANDLER, Process, backtraces
from forensics.unwind.frame import ThreadStack
from tests.oracles.programs import COMPILER, compile_c, core_of

DEEP = (Path(__file__).parents[1] / "oracles" / "deep.c").read_text()
NO_TABLES = ("-O2", "-fno-asynchronous-unwind-tables", "-fno-exceptions", "-fno-optimize-sibling-calls")

pytestmark = pytest.mark.skipif(
    not COMPILER or platform.machine() != "x86_64", reason="needs a C compiler for x86-64, where tables can be left out"
)


def stacks_of(tmp_path: Path, *flags: str) -> tuple[ThreadStack, ...]:
    """The stacks of eight threads of a program built so, which dies of a second signal in a handler."""
    program = compile_c(tmp_path, "deep", DEEP, *NO_TABLES, *flags)
    path = core_of(program, tmp_path / "run", "handler")
    if path is None:
        pytest.skip("no core: the kernel writes none here, and gdb cannot either")
    return backtraces(Process(read_core(open_bytes(str(path))), Places(executable=str(program))))


def own(stack: ThreadStack) -> list[str]:
    """Functions of the program itself and signal handlers, innermost first."""
    return [
        frame.function.split(".")[0]
        for frame in stack.frames
        if frame.module.endswith("deep") or frame.function == SIGNAL_HANDLER
    ]


CRASHED = ["on_signal", SIGNAL_HANDLER, "faults", "crash", "main"]
OTHERS = {
    ("level1", "thread"), (*["recurse"] * 31, "thread"), ("waits_for_lock", "thread"), ("looks_at_the_clock", "thread"),
    ("compares", "sorts", "thread"), ("big_frame", "thread"), ("last_in_line", "jumps_on", "jumps_first", "thread"),
}  # fmt: skip


def test_frame_pointers_lead_through_every_stack(tmp_path: Path) -> None:
    """Of the program's own functions none is missed and none made up."""
    first, *others = stacks_of(tmp_path, "-fno-omit-frame-pointer", "-fno-inline")
    assert own(first) == CRASHED
    assert "frame_pointer" in {frame.trust for frame in first.frames}
    assert {tuple(own(stack)[-len(max(OTHERS, key=len)) :]) for stack in others} >= {
        ("waits_for_lock", "thread"), ("looks_at_the_clock", "thread"), ("compares", "sorts", "thread"),
        ("big_frame", "thread"), ("last_in_line", "jumps_on", "jumps_first", "thread"),
    }  # fmt: skip


def test_the_search_finds_every_function_that_called_by_name(tmp_path: Path) -> None:
    """No frame of it is one that gdb, which has no search, would call wrong: the names are those of the source."""
    first, *others = stacks_of(tmp_path)
    assert own(first) == CRASHED
    assert "scan" in {frame.trust for frame in first.frames}
    allowed = {name for chain in OTHERS for name in chain}
    for stack in others:
        assert own(stack)[-1] == "thread"
        assert set(own(stack)) <= allowed
        assert stack.frames[-1].function.startswith("clone")
