"""Which LWP is which of HAProxy's threads: by the thread pointer that both sides know, else by the order of LWPs."""

from __future__ import annotations

from collections.abc import Iterator

from forensics.absence import Absence
from forensics.elf.constants import EM_AARCH64
from forensics.elf.core import CoreDump
from forensics.haproxy.structs import TypedMemory, known
from forensics.haproxy.thread_local import thread_pointer, thread_variable
from forensics.record import record
from forensics.unwind.backtrace import thread_numbers

#: glibc's struct pthread has some 2,300 bytes.
_LARGEST_PTHREAD = 1 << 14
#: MAX_THREADS is 64 up to 2.6, 256 from 2.7 on, 1,024 from 3.2 on (defaults.h).
MOST_THREADS = 1024


@record
class ThreadId:
    """One of HAProxy's threads: ``tid`` counts from 0; ``how`` says in words what told it."""

    lwp: int
    tid: int
    how: str


def thread_ids(space: TypedMemory, most: int = MOST_THREADS) -> dict[int, ThreadId]:
    """HAProxy's number of each thread of the core that is one of HAProxy's own, by LWP; it has ``most`` threads."""
    core = space.process.core
    kept = {pointer: (tid, how) for tid, pointer, how in _known_pointers(space, most)}
    found = {}
    pointers = {thread.lwp: known(thread_pointer(space, thread)) for thread in core.threads}
    distance = _distance(core, pointers, kept)
    for lwp, pointer in pointers.items():
        if pointer - distance in kept:
            found[lwp] = ThreadId(lwp, *kept[pointer - distance])
    if found:
        return found
    found = {one.lwp: one for one in _by_tid(space)}
    taken = {one.tid for one in found.values()}
    for lwp, number in thread_numbers(core).items():
        if lwp not in found and number - 1 not in taken and number <= most:
            found[lwp] = ThreadId(lwp, number - 1, "the order of the LWPs")
    return found


def _distance(core: CoreDump, pointers: dict[int, int], kept: dict[int, tuple[int, str]]) -> int:
    """How far the thread pointer lies behind pthread_t: nothing on x86-64, a struct pthread on aarch64 (glibc's tls.h).

    The main thread, which is known by its LWP, tells how large that is.
    """
    if core.machine != EM_AARCH64 or core.process is None:
        return 0
    first = next((pointer for pointer, (tid, _how) in kept.items() if tid == 0), 0)
    distance = pointers.get(core.process.pid, 0) - first
    return distance if 0 < distance <= _LARGEST_PTHREAD else 0


def _by_tid(space: TypedMemory) -> Iterator[ThreadId]:
    """The thread-local ``tid`` (thread.c), which is exported: what stripped builds of 2.5 to 2.8 leave."""
    for thread in space.process.core.threads:
        address = thread_variable(space, "tid", thread)
        data = address if isinstance(address, Absence) else space.memory.read(address, 4)
        tid = -1 if isinstance(data, Absence) else int.from_bytes(data, "little")
        if 0 <= tid < MOST_THREADS:
            yield ThreadId(thread.lwp, tid, "the thread-local variable tid")


def _known_pointers(space: TypedMemory, most: int) -> Iterator[tuple[int, int, str]]:
    """(tid, pthread_t, where) as HAProxy keeps them, of the newest layout that the build has."""
    for reader in (_of_thread_info, _of_post_mortem, _of_pthreads):
        found = [(tid, pointer, how) for tid, pointer, how in reader(space, most) if pointer]
        if found:
            yield from found
            return


def _of_thread_info(space: TypedMemory, most: int) -> Iterator[tuple[int, int, str]]:
    """pth_id since 2.9 (tinfo-t.h), pthread up to 2.4."""
    for tid, info in enumerate(space.array("ha_thread_info", "thread_info", most)):
        member = info.first("pth_id", "pthread")
        if isinstance(member, Absence):
            return
        pointer = info.number(member)
        yield tid, known(pointer), f"ha_thread_info[{tid}].{member}"


def _of_post_mortem(space: TypedMemory, most: int) -> Iterator[tuple[int, int, str]]:
    """post_mortem.process.thread_info[] of 2.9 and 3.0 (debug.c)."""
    found = space.object("post_mortem", "post_mortem")
    field = found.field("process.thread_info") if not isinstance(found, Absence) else found
    if isinstance(found, Absence) or isinstance(field, Absence):
        return
    for tid in range(min(field.count, most)):
        one = found.inner("process.thread_info", tid)
        pointer = one.number("pth_id") if not isinstance(one, Absence) else one
        yield tid, known(pointer), f"post_mortem.process.thread_info[{tid}].pth_id"


def _of_pthreads(space: TypedMemory, most: int) -> Iterator[tuple[int, int, str]]:
    """The static array ha_pthread (thread.c since 2.5)."""
    extent = space.extent("ha_pthread")
    if isinstance(extent, Absence):
        return
    for tid in range(min(extent[1] // 8, most)):
        pointer = space.memory.word(extent[0] + 8 * tid)
        yield tid, known(pointer), f"ha_pthread[{tid}]"
