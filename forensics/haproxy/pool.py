"""Memory pools: what `struct pool_head` says of each (include/haproxy/pool-t.h, src/pool.c).

Objects of a pool are cached by thread (`cache[]`; 2.2 and 2.3: the array `pool_cache`), and what the caches give
away lies in shared lists (`free_list`; one a bucket since 2.9). Both count as allocated; what is cached counts
as used, too.
"""

from __future__ import annotations

from functools import cached_property

from forensics.absence import Absence
from forensics.haproxy.structs import Struct, TypedMemory
from forensics.haproxy.walks import Walk, iter_list
from forensics.record import record
from forensics.symbols.layout import Field
from forensics.unwind.address_space import AddressSpace

#: MEM_F_SHARED: pools of about this size are merged into this one.
SHARED = 1
#: POOL_DBG_* (pool-t.h; 2.5+, and UAF since 2.8): what `-dM` turned on.
DEBUGGING = {
    0x1: "fail", 0x2: "no-merge", 0x4: "cold-first", 0x8: "integrity", 0x10: "no-global", 0x20: "no-cache",
    0x40: "caller", 0x80: "tag", 0x100: "poison", 0x200: "uaf",
}  # fmt: skip
INTEGRITY, TAG, POISON, UAF = 0x8, 0x80, 0x100, 0x200
#: POOL_AVG_SAMPLES: needed_avg is the sum over so many samples.
_SAMPLES = 1024
#: HAProxy has some 70 pools, and one more for each size of stick-table entries.
_MOST_POOLS = 4096
#: Pointers to pools that are exported whatever the build: where `pools` itself is static (before 3.0) and the
#: symbols are stripped, any of them leads round to it.
_POINTERS = (
    "pool_head_task", "pool_head_tasklet", "pool_head_stream", "pool_head_session", "pool_head_connection",
    "pool_head_requri", "pool_head_capture", "pool_head_buffer", "pool_head_trash", "pool_head_pendconn",
)  # fmt: skip
#: The largest object that is believed, in bytes (a buffer has 16 KiB unless tune.bufsize says more).
_LARGEST = 1 << 30


@record
class Cache:
    """The objects that one thread keeps: ``thread`` is HAProxy's number (from 1), ``head`` the address of the list.

    ``count`` is the number that HAProxy counted, ``pattern`` what the object that came last was filled with.
    """

    thread: int
    head: int
    count: int
    pattern: int


@record
class Usage:
    """Numbers of objects. ``needed`` is the floating average of what is needed (src/pool.c: needed_avg)."""

    allocated: int
    used: int
    needed: int
    failed: int


@record
class Pool:
    """One pool. ``size`` is that of an object in bytes, ``alloc_size`` with the tag and the caller behind it.

    ``index`` counts in `pool_base_start` (2.2, 2.3; -1 for what is not there), ``align`` is 0 where malloc's is taken
    (all before 3.4). ``users`` is the number of pools that were merged into it.
    """

    address: int
    name: str
    size: int
    alloc_size: int
    align: int
    flags: int
    users: int
    limit: int
    least: int
    head: Struct
    index: int = -1

    @property
    def merged(self) -> bool:
        """Whether objects of several types come from it: its name is then only that of the first."""
        return self.users > 1


class Pools:
    """The pools of a process. ``broken`` tells where their list is damaged; ``pools`` are those that came before."""

    def __init__(self, space: TypedMemory) -> None:
        self.space = space
        self.walk = Walk()

    @cached_property
    def head(self) -> int | Absence:
        """The address of the list of all pools."""
        found = self.space.variable("pools")
        return found if isinstance(found, int) else _head_behind_a_pool(self.space, found)

    @cached_property
    def debugging(self) -> int | Absence:
        """POOL_DBG_* flags (`pool_debugging`, 2.5+)."""
        return self.space.number("pool_debugging", 4)

    @property
    def modes(self) -> tuple[str, ...]:
        """The words of `-dM` that were in force."""
        flags = self.debugging or 0
        return tuple(word for flag, word in DEBUGGING.items() if flags & flag)

    @cached_property
    def poison(self) -> int | Absence:
        """The byte that new objects are filled with under `-dM`; -1 for none."""
        return self.space.number("mem_poison_byte", 4, signed=True)

    @cached_property
    def threads(self) -> int:
        """`global.nbthread`, 0 where it is not known."""
        found = self.space.object("global", "global")
        number = found.number("nbthread") if isinstance(found, Struct) else 0
        return number if isinstance(number, int) and 0 < number <= 4096 else 0

    @cached_property
    def pools(self) -> tuple[Pool, ...] | Absence:
        """All pools, in the order of their list, which is that of their sizes."""
        layout = self.space.layout("pool_head")
        if isinstance(layout, Absence):
            return layout
        links = layout.fields.get("list")
        if links is None:
            return Absence("pools", "struct pool_head of this build has no list")
        if isinstance(self.head, Absence):
            return self.head
        found = []
        for element in iter_list(self.space.memory, self.head, self.walk, _MOST_POOLS):
            pool = self._read(element - links.offset)
            if pool is not None:
                found.append(pool)
        return tuple(found) or Absence("pools", self.walk.broken.reason if self.walk.broken else "the list is empty")

    def _read(self, address: int) -> Pool | None:
        head = self._partly(address)
        if head is None:
            return None
        size, flags, users = (head.number(name) for name in ("size", "flags", "users"))
        name = head.text("name")
        if not isinstance(size, int) or not isinstance(name, str) or not 0 < size <= _LARGEST:
            return None
        # alloc_sz came with 2.5, align with 3.4.
        return Pool(
            address, name, size, head.number("alloc_sz") or size, head.number("align") or 0, flags or 0, users or 0,
            head.number("limit") or 0, head.number("minavail") or 0, head, self._index(address),
        )  # fmt: skip

    def _partly(self, address: int) -> Struct | None:
        """The structure without the caches of threads that do not run: they can be 64 KiB of it."""
        layout = self.space.layout("pool_head")
        if isinstance(layout, Absence):
            return None
        caches = layout.fields.get("cache")
        size = caches.offset + max(self.threads, 1) * caches.size if caches is not None else layout.size
        data = self.space.memory.read(address, min(size, layout.size))
        return None if isinstance(data, Absence) else Struct(self.space, layout, address, data)

    def _index(self, address: int) -> int:
        base, layout = self._base, self.space.layout("pool_head")
        if isinstance(base, Absence) or isinstance(layout, Absence) or not base[0] <= address < base[0] + base[1]:
            return -1
        return (address - base[0]) // layout.size

    @cached_property
    def _base(self) -> tuple[int, int] | Absence:
        return self.space.extent("pool_base_start")

    @property
    def indexed(self) -> bool:
        """Whether pools stand in an array, with their caches apart (2.2, 2.3)."""
        return isinstance(self._base, tuple)

    @property
    def caching(self) -> bool:
        """Whether each pool has the caches of threads within (2.4+)."""
        layout = self.space.layout("pool_head")
        return not isinstance(layout, Absence) and "cache" in layout.fields

    def usage(self, pool: Pool) -> Usage:
        """How many objects there are; the sum over the buckets that 2.9 split the counters into."""
        sums = {name: sum(self._counters(pool, name)) & 0xFFFFFFFF for name in ("allocated", "used", "needed_avg")}
        # swrate_avg() counts in 32 bits: the sum of a pool that was hardly used wraps (include/haproxy/freq_ctr.h).
        average = (sums["needed_avg"] + _SAMPLES - 1 & 0xFFFFFFFF) // _SAMPLES
        return Usage(sums["allocated"], sums["used"], average, sum(self._counters(pool, "failed")))

    def _counters(self, pool: Pool, name: str) -> tuple[int, ...]:
        if pool.head.has("buckets"):
            return _column(pool.head, "buckets", name)
        return (pool.head.number(name) or 0,)

    def caches(self, pool: Pool) -> tuple[Cache, ...]:
        """The cache of each thread that runs."""
        if not pool.head.has("cache"):
            return self._caches_apart(pool)
        field = pool.head.field("cache")
        if isinstance(field, Absence):
            return ()
        counts = _column(pool.head, "cache", "count")[: self.threads]
        patterns = _column(pool.head, "cache", "fill_pattern")
        patterns += (0,) * (len(counts) - len(patterns))
        start = pool.address + field.offset
        return tuple(
            Cache(number + 1, start + number * field.size, count, patterns[number])
            for number, count in enumerate(counts)
        )

    def _caches_apart(self, pool: Pool) -> tuple[Cache, ...]:
        """`pool_cache[MAX_THREADS][MAX_BASE_POOLS]` of 2.2 and 2.3."""
        extent, layout, head = self.space.extent("pool_cache"), self.space.layout("pool_cache_head"), pool.head.layout
        if isinstance(extent, Absence) or isinstance(layout, Absence) or isinstance(self._base, Absence):
            return ()
        row = self._base[1] // max(head.size, 1) * layout.size
        found = []
        for number in range(self.threads if pool.index >= 0 else 0):
            start = extent[0] + number * row + pool.index * layout.size
            one = self.space.at("pool_cache_head", start) if start + layout.size <= extent[0] + extent[1] else None
            if isinstance(one, Struct):
                found.append(Cache(number + 1, start, one.number("count") or 0, 0))
        return tuple(found)

    def shared_lists(self, pool: Pool) -> tuple[int, ...]:
        """Where each list of free objects begins that all threads share; 0 is an empty one."""
        if pool.head.has("buckets"):
            return _column(pool.head, "buckets", "free_list")
        return (pool.head.number("free_list") or 0,)


def _head_behind_a_pool(space: TypedMemory, missing: Absence) -> int | Absence:
    """The list of all pools, found as the one element of it that is no pool: it lies in the executable's data."""
    layout = space.layout("pool_head")
    if isinstance(layout, Absence) or "list" not in layout.fields:
        return layout if isinstance(layout, Absence) else missing
    apart = space.extent("pool_base_start")
    start, end = (apart[0], apart[0] + apart[1]) if isinstance(apart, tuple) else (0, 0)
    for name in _POINTERS:
        pool = space.word(name)
        if not isinstance(pool, int) or not pool:
            continue
        for element in iter_list(space.memory, pool + layout.fields["list"].offset, Walk(), _MOST_POOLS):
            if _is_data(space, element) and not start <= element < end:
                return element
    return missing


def _is_data(space: TypedMemory, address: int) -> bool:
    """Whether the executable's data holds the address; no other module's file is looked for."""
    below = [one for one in space.process.core.modules if one.start <= address][-1:]
    return bool(below and below[0].main and AddressSpace(space.process).module_at(address))


def _column(struct: Struct, array: str, member: str) -> tuple[int, ...]:
    """A member of each element of an array, as far as its bytes were read."""
    outer = struct.field(array)
    layout = struct.space.layout(outer.target) if isinstance(outer, Field) else outer
    inner = layout.fields.get(member) if not isinstance(layout, Absence) else None
    if isinstance(outer, Absence) or inner is None:
        return ()
    first, data = outer.offset + inner.offset, struct.data
    starts = range(first, min(first + outer.count * outer.size, len(data) - inner.size + 1), max(outer.size, 1))
    return tuple(int.from_bytes(data[start : start + inner.size], "little") for start in starts)
