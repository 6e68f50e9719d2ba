"""What a core lost that was cut: computed from its program headers, told by what lay there."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence

from forensics.absence import Absence
from forensics.elf.constants import (
    EM_386,
    EM_AARCH64,
    EM_ARM,
    EM_LOONGARCH,
    EM_PPC64,
    EM_RISCV,
    EM_S390,
    EM_X86_64,
    PT_LOAD,
    PT_NOTE,
)
from forensics.elf.header import ProgramHeader
from forensics.elf.module import Module
from forensics.elf.notes import ThreadStatus
from forensics.memory.random_access import RandomAccess
from forensics.record import record

#: Which word of pr_reg is the stack pointer (asm/ptrace.h and sys/user.h of each machine).
_STACK_WORDS = {
    EM_X86_64: 19, EM_AARCH64: 31, EM_386: 15, EM_ARM: 13, EM_RISCV: 2, EM_PPC64: 1, EM_S390: 17, EM_LOONGARCH: 3,
}  # fmt: skip

#: Bytes above the stack pointer without which no caller can be found.
_RED_ZONE = 256

#: brk() begins within so many bytes of the executable where addresses are randomised (arch_randomize_brk of arm64).
_HEAP_WITHIN = 1 << 30

#: Names listed before the rest is only counted.
_MOST_NAMES = 6


@record
class Truncation:
    """How much of the file is missing (bytes), and in words what lay there."""

    missing_bytes: int
    expected_bytes: int
    lost: str


def stack_word(machine: int) -> int:
    """The index of the stack pointer in pr_reg, -1 when it is not known."""
    return _STACK_WORDS.get(machine, -1)


def find_truncation(
    source: RandomAccess,
    headers: tuple[ProgramHeader, ...],
    threads: Sequence[ThreadStatus],
    modules: tuple[Module, ...],
    word: int,
    died: bool,
) -> Truncation | None:
    """What is missing at the end of the core, None when it is whole.

    ``word`` is the index of the stack pointer among the registers of ``threads``; ``died`` says that
    the first of them did.
    """
    expected = max((one.offset + one.file_size for one in headers), default=0)
    if expected <= source.size:
        return None
    cut = [one for one in headers if one.offset + one.file_size > source.size and one.file_size]
    lost = sorted((one for one in cut if one.type == PT_LOAD), key=lambda one: one.address + one.size)
    parts = []
    if lost:
        first = min(one.address for one in lost)
        parts.append(f"{len(lost)} of {len(headers)} segments are incomplete, from address {first:#x} on")
    if any(one.type == PT_NOTE for one in cut):
        parts.append("the notes, which hold the registers of threads and the list of files")
    parts += _stacks(source.size, lost, threads, word, died)
    parts += _data(lost, modules)
    return Truncation(expected - source.size, expected, "; ".join(parts))


def _holding(lost: list[ProgramHeader], address: int) -> ProgramHeader | None:
    """The lost segment that ends first behind ``address``; ``lost`` is sorted."""
    index = bisect_right(lost, address, key=lambda one: one.address + one.size)
    return lost[index] if index < len(lost) else None


def _stacks(
    size: int, lost: list[ProgramHeader], threads: Sequence[ThreadStatus], word: int, died: bool
) -> Iterator[str]:
    """The threads whose stack is gone from where its pointer stood."""
    gone = []
    for place, thread in enumerate(threads):
        pointer = thread.registers[word] if 0 <= word < len(thread.registers) else 0
        held = _holding(lost, pointer)
        if held is not None and held.address <= pointer and held.offset + pointer - held.address + _RED_ZONE > size:
            gone.append((place, str(thread.lwp)))
    if not gone:
        return
    if len(gone) == len(threads):
        yield "the stacks of all threads" if len(gone) > 1 else "the stack of its only thread"
        return
    first = ", the first of which died" if len(gone) > 1 else ", which died"
    whose = _listed("thread", [lwp for _place, lwp in gone])
    yield f"the stack{'s' if len(gone) > 1 else ''} of {whose}{first if died and gone[0][0] == 0 else ''}"


def _data(lost: list[ProgramHeader], modules: tuple[Module, ...]) -> Iterator[str]:
    """The modules whose data is gone, and the heap, which follows the executable's."""
    names = []
    for module in modules:
        held = _holding(lost, module.start)
        if held is not None and held.address < module.end:
            names.append(module.name)
    if names:
        yield f"data of {_listed('', names)}"
    main = next((one for one in modules if one.main), None)
    heap = _holding(lost, main.end) if main is not None else None
    if main is not None and heap is not None and heap.address < main.end + _HEAP_WITHIN:
        between = [one for one in modules if main.end <= one.start <= heap.address]
        if not between:
            yield "the heap"


def _listed(what: str, names: list[str]) -> str:
    """``threads 1, 2 and 3``."""
    shown = names[:_MOST_NAMES]
    more = len(names) - len(shown)
    label = f"{what}{'s' if len(names) > 1 else ''} " if what else ""
    if more:
        return f"{label}{', '.join(shown)} and {more} more"
    return label + (f"{', '.join(shown[:-1])} and {shown[-1]}" if len(shown) > 1 else shown[0])


def explain_truncation(name: str, truncation: Truncation) -> Absence:
    """The gap of a core that was cut, with the setting that usually does it."""
    return Absence(
        f"end of `{name}`",
        f"{truncation.missing_bytes} of {truncation.expected_bytes} bytes are missing: {truncation.lost}",
        "the complete core: raise `ProcessSizeMax` and `ExternalSizeMax` in coredump.conf, or `ulimit -c`,"
        f" to at least {truncation.expected_bytes >> 20} MiB, and see that the disk has room",
    )
