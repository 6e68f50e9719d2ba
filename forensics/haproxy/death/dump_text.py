"""What threads printed about themselves when the process panicked: kept in memory even where stderr was lost.

Each thread dumps itself into a ``struct buffer``: that of ``thread_dump_buffer`` (2.7 on; debug.c leaves it there
after a panic since 3.1, and in 3.0.x), that of ``last_dump_buffer`` (3.2 on), and up to 2.8 the thread-local ``trash``
of the thread that panicked holds the text of all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from forensics.absence import Absence
from forensics.haproxy.structs import TypedMemory
from forensics.haproxy.thread_local import thread_variable
from forensics.haproxy.threads import Thread
from forensics.record import record

#: Bits of the pointer while a dump goes on: 1 done, 2 the thread itself is to find a buffer (debug.c).
_MARKS = 3
#: tune.bufsize is 16 kB, and seldom more than that.
_LARGEST = 1 << 20
_DUMP = re.compile(r"^[ *][ >]Thread \d+ +: id=", re.M)


@record
class DumpText:
    """One text: ``number`` is that of the thread it is about, 0 for all; ``where`` names the buffer."""

    number: int
    where: str
    address: int
    text: str


def iter_dumps(space: TypedMemory, threads: Iterable[Thread]) -> Iterator[DumpText]:
    """The texts in memory, those of each thread on its own first."""
    known = list(threads)
    found = [one for thread in known for one in _of_context(space, thread)]
    yield from found
    if not found:
        yield from _of_trash(space, known)


def _of_context(space: TypedMemory, thread: Thread) -> Iterator[DumpText]:
    for member in ("thread_dump_buffer", "last_dump_buffer"):
        address = thread.value(member)
        if isinstance(address, int) and address > _MARKS:
            text = buffer_text(space, address & ~_MARKS)
            if isinstance(text, str) and _DUMP.search(text):
                yield DumpText(thread.number, f"{member} of thread {thread.number}", address & ~_MARKS, text)
                return


def _of_trash(space: TypedMemory, threads: list[Thread]) -> Iterator[DumpText]:
    for one in space.process.core.threads:
        address = thread_variable(space, "trash", one)
        text = address if isinstance(address, Absence) else buffer_text(space, address)
        if isinstance(address, int) and isinstance(text, str) and _DUMP.search(text):
            owner = next((f"thread {thread.number}" for thread in threads if thread.lwp == one.lwp), f"LWP {one.lwp}")
            yield DumpText(0, f"trash of {owner}", address, text)


def buffer_text(space: TypedMemory, address: int) -> str | Absence:
    """The text that a ``struct buffer`` holds (size, area, data, head, a word each: buf-t.h since 1.9)."""
    data = space.memory.read(address, 32)
    if isinstance(data, Absence):
        return data
    size, area, used = (int.from_bytes(data[start : start + 8], "little") for start in (0, 8, 16))
    if not 0 < used <= size <= _LARGEST:
        return Absence(f"buffer at {address:#x}", "it is empty, or no buffer")
    found = space.memory.read(area, used)
    return found if isinstance(found, Absence) else found.split(b"\0", 1)[0].decode("utf-8", "replace")
