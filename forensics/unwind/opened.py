"""A core of any program, with its threads unwound."""

from __future__ import annotations

from forensics.elf.core import NO_THREADS, read_core
from forensics.errors import MalformedInput
from forensics.memory.open import open_bytes
from forensics.symbols.places import Places
from forensics.unwind.backtrace import Process, backtraces
from forensics.unwind.frame import ThreadStack


def open_core(path: str, places: Places) -> tuple[Process, tuple[ThreadStack, ...]]:
    """The process of the core at ``path`` and its stacks. Raises InputError if it is damaged or has no thread."""
    core = read_core(open_bytes(path))
    if not core.threads:
        gap = next(gap for gap in core.gaps if gap.subject == NO_THREADS)
        raise MalformedInput(f"`{path}` has no stack to show: {gap.reason}", gap.remedy)
    process = Process(core, places)
    return process, backtraces(process)
