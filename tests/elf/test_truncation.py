"""What a cut core lost, in words: whose stacks, which modules' data, the heap."""

from __future__ import annotations

import pytest

from forensics.elf.core import read_core
from forensics.memory.random_access import BytesInMemory
from tests.builders.core import AT_ENTRY, Core, File, Load, Thread
from tests.builders.elf import Image

MAIN, LIBRARY, STACKS = 0x550000000000, 0x7F0000000000, 0x7FFE00000000
SIZE = 0x1000


def core_of(threads: int = 3, signal: int = 11) -> Core:
    """The executable's first page and data, the heap, a library's data, a stack for each thread."""
    return Core(
        threads=tuple(
            Thread(100 + number, signal if number == 0 else 0, {"rsp": STACKS + 0x10000 * number + 0x100})
            for number in range(threads)
        ),
        loads=(
            Load(MAIN, Image().build()[:SIZE], size=SIZE, flags=5), Load(MAIN + SIZE, b"d" * SIZE),
            Load(MAIN + 0x100000, b"h" * SIZE), Load(LIBRARY, b"l" * SIZE),
            *(Load(STACKS + 0x10000 * number, b"s" * SIZE) for number in range(threads)),
        ),
        files=(File(MAIN, MAIN + 2 * SIZE, "/usr/sbin/haproxy"), File(LIBRARY, LIBRARY + SIZE, "/lib/libc.so.6")),
        auxv={AT_ENTRY: MAIN + 0x10},
        siginfo=(signal, 1, 0) if signal else None,
    )  # fmt: skip


def lost(core: Core, missing: int) -> list[str]:
    """What the report says when so many bytes are missing at the end."""
    truncation = read_core(BytesInMemory(core.build()[:-missing], "core")).truncation
    assert truncation is not None
    return truncation.lost.split("; ")[1:]


@pytest.mark.parametrize(
    ("pages", "words"),
    [
        (1, ["the stack of thread 102"]),
        (2, ["the stacks of threads 101 and 102"]),
        (3, ["the stacks of all threads"]),
        (4, ["the stacks of all threads", "data of libc.so.6"]),
        (5, ["the stacks of all threads", "data of libc.so.6", "the heap"]),
        (6, ["the stacks of all threads", "data of haproxy and libc.so.6", "the heap"]),
    ],
)
def test_what_lay_in_the_lost_part_is_named(pages: int, words: list[str]) -> None:
    """Page by page from the end."""
    assert lost(core_of(), pages * SIZE) == words


def test_a_stack_of_which_only_the_unused_part_is_lost_is_not_lost() -> None:
    """The pointer stands at 0x100 of the page, and some words above it are there."""
    assert lost(core_of(1), 0xE00) == []
    assert lost(core_of(1), 0xE01) == ["the stack of its only thread"]


def test_the_thread_that_died_is_told() -> None:
    """Its stack is lost and the others are not: it is the last one in the file."""
    core = core_of()
    first, second, third = core.threads
    core.threads = (third, first, second)
    core.threads = tuple(
        Thread(one.lwp, 11 if place == 0 else 0, one.registers) for place, one in enumerate(core.threads)
    )
    assert lost(core, SIZE) == ["the stack of thread 102, which died"]
    assert lost(core, 2 * SIZE) == ["the stacks of threads 102 and 101, the first of which died"]
    core.siginfo, core.threads = None, tuple(Thread(one.lwp, 0, one.registers) for one in core.threads)
    assert lost(core, SIZE) == ["the stack of thread 102"]


def test_many_threads_are_counted_after_the_first_six() -> None:
    """A line must stay one."""
    (stacks,) = lost(core_of(12), 11 * SIZE)
    assert stacks == "the stacks of threads 101, 102, 103, 104, 105, 106 and 5 more"


def test_lost_notes_are_named() -> None:
    """They hold the registers, and stand at the end of some cores."""
    core = core_of()
    core.notes_first = False
    assert lost(core, 100) == []
    truncation = read_core(BytesInMemory(core.build()[:-100], "core")).truncation
    assert truncation is not None and truncation.lost.startswith("the notes, which hold the registers")
