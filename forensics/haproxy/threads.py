"""HAProxy's threads: what ``struct thread_info``, ``thread_ctx`` and the masks of their group say of each."""

from __future__ import annotations

from collections.abc import Iterator

from forensics.absence import Absence
from forensics.elf.constants import EM_X86_64
from forensics.haproxy.structs import Struct, TypedMemory, known
from forensics.haproxy.thread_ids import MOST_THREADS, ThreadId, thread_ids

#: TH_FL_* (tinfo-t.h, since 2.5); TI_FL_STUCK was the only one before, with the same value.
FLAGS = {
    0x1: "STUCK", 0x2: "TASK_PROFILING", 0x4: "NOTIFIED", 0x8: "SLEEPING", 0x10: "STARTED", 0x20: "IN_LOOP",
    0x40: "DUMPING_OTHERS", 0x80: "IN_SIG_HANDLER", 0x100: "IN_DBG_HANDLER", 0x200: "IN_WDT_HANDLER",
    0x400: "TASK_PROFILING_L", 0x800: "TASK_PROFILING_M",
}  # fmt: skip
#: Classes of tasklets in the order of their lists (TL_*, since 2.4; 2.2 and 2.3 have the first three).
CLASSES = ("urgent", "normal", "bulk", "heavy")
#: Nobody is isolated (thread.c: isolated_thread, since 2.7).
_NOBODY = 0xFFFFFFFF

_NO_CONTEXT = Absence(
    "state of the thread", "the layout of struct thread_ctx is not known", "the debug symbols of this build"
)


class Thread:
    """One thread. ``lwp`` is 0 where no thread of the core is this one; numbers may be absent, one by one."""

    def __init__(self, space: TypedMemory, tid: int, known: ThreadId | None) -> None:
        self.space = space
        self.tid = tid
        self.lwp = known.lwp if known else 0
        self.how = known.how if known else ""
        self.info = _element(space, "ha_thread_info", "thread_info", tid)
        # ha_thread_ctx since 2.5; task_per_thread holds the scheduler's part up to 2.4.
        self.context = _element(space, "ha_thread_ctx", "thread_ctx", tid) or _element(
            space, "task_per_thread", "task_per_thread", tid
        )

    @property
    def number(self) -> int:
        """HAProxy's number of it, from 1, as dumps and the configuration write it."""
        return self.tid + 1

    def value(self, *members: str) -> int | Absence:
        """A number of the context, else of the thread's information (2.2 to 2.4); the first member that exists."""
        for struct in (self.context, self.info):
            if isinstance(struct, Struct):
                member = struct.first(*members)
                if isinstance(member, str):
                    return struct.number(member)
        return _NO_CONTEXT

    @property
    def pthread(self) -> int | Absence:
        """pthread_t, as dumps show it after `id=`: what HAProxy noted, else the thread pointer of x86-64."""
        from forensics.haproxy.thread_local import thread_pointer

        member = self.info.first("pth_id", "pthread") if isinstance(self.info, Struct) else self.info
        if isinstance(self.info, Struct) and isinstance(member, str):
            return self.info.number(member)
        core = self.space.process.core
        for thread in core.threads if core.machine == EM_X86_64 else ():
            if thread.lwp == self.lwp:
                return thread_pointer(self.space, thread)
        return Absence(f"pthread_t of thread {self.number}", "neither the core nor HAProxy tells it")

    @property
    def group(self) -> int | Absence:
        """The thread group, from 1: tgid (2.7 on), else that of the group (2.5, 2.6)."""
        if not isinstance(self.info, Struct):
            return self.info
        if self.info.has("tgid"):
            return self.info.number("tgid")
        group = self.info.follow("tg", "tgroup_info")
        return group if isinstance(group, Absence) else group.number("tgid")

    @property
    def flags(self) -> int | Absence:
        """TH_FL_* (up to 2.4 TI_FL_*)."""
        return self.value("flags")

    @property
    def flag_names(self) -> tuple[str, ...]:
        """The names of the flags that are set, unknown ones in hexadecimal."""
        flags = self.flags
        return () if isinstance(flags, Absence) else names_of(flags, FLAGS)

    @property
    def harmless(self) -> int | Absence:
        """1 for a thread that changes nothing others see: in the poller, or waiting to be isolated."""
        return self._in_group("threads_harmless", "threads_harmless_mask")

    @property
    def idle(self) -> int | Absence:
        """1 for a thread that sleeps in the poller (2.7 on)."""
        return self._in_group("threads_idle", "threads_idle_mask")

    @property
    def isolated(self) -> int | Absence:
        """1 where the thread has the process for itself (isolated_thread, since 2.7)."""
        found = self.space.number("isolated_thread", 4)
        return found if isinstance(found, Absence) else int(found == self.tid)

    @property
    def wants_isolation(self) -> int | Absence:
        """1 for a thread that waits for the others to become harmless (a mask up to 2.6)."""
        return self._in_mask("threads_want_rdv_mask", 1 << self.tid)

    def _in_group(self, member: str, mask: str) -> int | Absence:
        """A bit of the thread group's context (2.7 on), else of the process's own mask."""
        if isinstance(self.info, Struct) and self.info.has("ltid_bit"):
            context = self.info.follow("tg_ctx", "tgroup_ctx")
            found = context.number(member) if isinstance(context, Struct) else context
            bit = self.info.number("ltid_bit")
            if isinstance(found, int) and isinstance(bit, int):
                return int(bool(found & bit))
        return self._in_mask(mask, 1 << self.tid)

    def _in_mask(self, variable: str, bit: int) -> int | Absence:
        found = self.space.word(variable)
        return found if isinstance(found, Absence) else int(bool(found & bit))

    def holds_tree(self, member: str) -> int | Absence:
        """1 where the context's ebtree has entries: its root's left branch is set."""
        if not isinstance(self.context, Struct):
            return self.context
        root = self.context.address_of(member)
        top = root if isinstance(root, Absence) else self.space.memory.word(root)
        return top if isinstance(top, Absence) else int(bool(top))

    def holds_list(self, member: str, index: int = 0) -> int | Absence:
        """1 where the context's list (or mt_list) has elements."""
        if not isinstance(self.context, Struct):
            return self.context
        head = self.context.address_of(member, index)
        first = head if isinstance(head, Absence) else self.space.memory.word(head)
        return first if isinstance(first, Absence) else int(first != head)

    @property
    def classes(self) -> int:
        """The number of lists of tasklets, 0 where the layout is not known."""
        field = self.context.field("tasklets") if isinstance(self.context, Struct) else self.context
        return 0 if isinstance(field, Absence) else min(field.count, len(CLASSES))

    @property
    def has_tasklets(self) -> int | Absence:
        """1 where a list of tasklets has elements; the heavy ones do not count, as in HAProxy's own dump."""
        found = [self.holds_list("shared_tasklet_list")]
        found += [self.holds_list("tasklets", index) for index in range(min(self.classes, 3))]
        known = [one for one in found if isinstance(one, int)]
        return int(any(known)) if known else _NO_CONTEXT

    @property
    def current(self) -> int | Absence:
        """The address of the task or tasklet that it runs, 0 for none."""
        return self.value("current")


def names_of(bits: int, names: dict[int, str]) -> tuple[str, ...]:
    """The names of the bits that are set, in ascending order; what has no name in hexadecimal."""
    found = [name for bit, name in names.items() if bits & bit]
    rest = bits & ~sum(names)
    return (*found, f"{rest:#x}") if rest else tuple(found)


def _element(space: TypedMemory, variable: str, struct: str, index: int) -> Struct | Absence:
    extent, layout = space.extent(variable), space.layout(struct)
    if isinstance(extent, Absence):
        return extent
    if isinstance(layout, Absence):
        return layout
    if not layout.size or (index + 1) * layout.size > extent[1]:
        return Absence(f"{variable}[{index}]", "the array has no such element")
    return space.at(struct, extent[0] + index * layout.size)


def thread_count(space: TypedMemory) -> int | Absence:
    """The number of HAProxy's threads (`nbthread`)."""
    found = space.object("global", "global")
    count = found if isinstance(found, Absence) else found.number("nbthread")
    if isinstance(count, int) and not 0 < count <= MOST_THREADS:
        return Absence("global.nbthread", f"{count} threads cannot be")
    return count


def read_threads(space: TypedMemory) -> Iterator[Thread]:
    """All of HAProxy's threads in their order; threads of libraries are not among them."""
    count = thread_count(space)
    found = {one.tid: one for one in thread_ids(space, known(count, MOST_THREADS)).values()}
    tids = range(count) if isinstance(count, int) else sorted(found)
    for tid in tids:
        yield Thread(space, tid, found.get(tid))
