"""Which object of a pool an address lies in, and whether it is free.

What is free hangs in a list, which leads round to the cache of one thread: that is read first, since releases
before 2.8 leave the tag as it was. The tag behind an allocated object is the address of its pool
(DEBUG_MEMORY_POOLS, in all builds since 2.6 unless `-dMno-tag`); behind a free one it is where pool_free() was called
from. Without tags the size of its chunk of the heap is all that is known.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property

from forensics.absence import Absence
from forensics.haproxy.pool import TAG, Pool, Pools
from forensics.haproxy.pools.free_objects import MOST, iter_cached, iter_shared
from forensics.haproxy.pools.heap import Chunk, chunk_size, iter_chunks
from forensics.haproxy.walks import Walk
from forensics.record import record

_PAIR = struct.Struct("<QQ")
#: Chunks of the heap that may hold an address: the nearest ones are tried.
_MOST_CHUNKS = 4
#: How far a tag is looked for where no chunk is found (`-dMuaf` maps each object alone), in bytes.
_FARTHEST = 1 << 17
#: glibc does not split a chunk for so few bytes.
_UNSPLIT = 16
#: Objects of lists that are followed for one address; a triage asks for some twenty.
_FOLLOWED = 20_000


@record
class PoolObject:
    """The object that begins at ``start``. ``freed`` is None where nothing tells.

    ``thread`` has HAProxy's number of the thread in whose cache a free object is, 0 for the shared lists.
    ``proof`` says in words what was read, ``trust`` is that of the whole statement (``read`` or ``assumed``).
    ``others`` are further pools whose objects have this size, where only the size tells.
    """

    pool: Pool
    start: int
    freed: bool | None
    thread: int
    proof: str
    trust: str = "read"
    others: tuple[str, ...] = ()


class PoolLookup:
    """Objects of pools by address; up to ``most`` free objects are all listed before the first answer."""

    def __init__(self, pools: Pools, most: int) -> None:
        self.pools = pools
        self._most = most
        self._memory = pools.space.memory

    @cached_property
    def _all(self) -> tuple[Pool, ...]:
        return self.pools.pools or ()

    @cached_property
    def _lists(self) -> list[tuple[int, int, Pool]]:
        """(address, HAProxy's number of the thread, pool) of the lists of all caches, by address."""
        found = [(one.head, one.thread, pool) for pool in self._all for one in self.pools.caches(pool)]
        return sorted(found, key=lambda one: one[0])

    def find(self, address: int) -> PoolObject | Absence:
        """The object that holds ``address``."""
        if isinstance(self.pools.pools, Absence):
            return self.pools.pools
        listed = self._in_a_list(address)
        if listed is not None:
            return listed
        chunks = [one for one, _number in zip(iter_chunks(self._memory, address), range(_MOST_CHUNKS), strict=False)]
        for chunk in chunks:
            found = self._free(chunk.start, address) or self._tagged(chunk, address)
            if found is not None:
                return found
        found = None if chunks else self._without_chunk(address)
        return found or self._listed(address, chunks) or self._by_size(address, chunks)

    @cached_property
    def _free_objects(self) -> list[tuple[int, int, Pool]]:
        """(start, HAProxy's number of the thread, pool) of all objects in caches, by address; none if they are many.

        It serves whatever allocator the process has; Debian links HAProxy 3.2 and later with jemalloc.
        """
        caches = [(cache, pool) for pool in self._all for cache in self.pools.caches(pool) if cache.count]
        if sum(cache.count for cache, _pool in caches) > self._most:
            return []
        found = [
            (start, cache.thread, pool)
            for cache, pool in caches
            for start in iter_cached(self._memory, cache, Walk(), min(cache.count, self._most))
        ]
        return sorted(found, key=lambda one: one[0])

    def _in_a_list(self, address: int) -> PoolObject | None:
        place = bisect_right(self._free_objects, address, key=lambda one: one[0]) - 1
        if place < 0:
            return None
        start, thread, pool = self._free_objects[place]
        if address >= start + pool.alloc_size:
            return None
        return PoolObject(pool, start, True, thread, f"it is in the list of free objects of thread {thread}")

    def _tagged(self, chunk: Chunk, address: int) -> PoolObject | None:
        """An allocated object that fills ``chunk``: behind it stands the address of its pool.

        It stands elsewhere as well: in the caches of the pool's own head, which is a larger chunk.
        """
        start = chunk.start
        for pool in self._fitting(chunk):
            if start <= address < start + pool.alloc_size and self._memory.word(start + pool.size) == pool.address:
                proof = "the tag behind the object is the address of its pool"
                return PoolObject(pool, start, False, 0, proof)
        return None

    def _free(self, start: int, address: int) -> PoolObject | None:
        """A free object that begins at ``start``: its links lead round to the cache of a thread."""
        data = self._memory.read(start, 16)
        if isinstance(data, Absence):
            return None
        following, previous = _PAIR.unpack(data)
        if following & 7 or self._memory.word(following + 8) != start or self._memory.word(previous) != start:
            return None
        for step in range(_FOLLOWED):
            place = bisect_right(self._lists, following, key=lambda one: one[0]) - 1
            if place >= 0 and self._lists[place][0] == following:
                _head, thread, pool = self._lists[place]
                if not start <= address < start + pool.alloc_size:
                    return None
                return PoolObject(pool, start, True, thread, f"it is in the list of free objects of thread {thread}")
            word = self._memory.word(following) if not following & 7 else 0
            if not word or isinstance(word, Absence) or (word == start and step):
                return None
            following = word
        return None

    def _without_chunk(self, address: int) -> PoolObject | None:
        """The object whose tag is the first address of a pool behind ``address``: for what malloc() did not make."""
        segment = self._memory.find(address)
        if isinstance(segment, Absence) or not (self.pools.debugging or 0) & TAG:
            return None
        begin = address & ~7
        size = min(_FARTHEST, segment.address + segment.file_size - begin) & ~7
        data = self._memory.read(begin, max(size, 0), alone=True)
        pools = {pool.address: pool for pool in self._all}
        for place, (word,) in enumerate(struct.iter_unpack("<Q", data) if isinstance(data, bytes) else ()):
            pool = pools.get(word)
            if pool is not None:
                start = begin + place * 8 - pool.size
                found = PoolObject(pool, start, False, 0, "the next tag behind it is the address of this pool")
                return found if start <= address and not start & 15 else None
        return None

    def _fitting(self, chunk: Chunk) -> Iterator[Pool]:
        for pool in self._all:
            if pool.align > 16 or 0 <= chunk.size - chunk_size(pool.alloc_size) <= _UNSPLIT:
                yield pool

    def _listed(self, address: int, chunks: list[Chunk]) -> PoolObject | None:
        """A free object whose own links are overwritten, or that is in a shared list: found from the lists."""
        for chunk in chunks:
            for pool in self._fitting(chunk):
                thread = self._thread_with(pool, chunk.start)
                if thread >= 0 and address < chunk.start + pool.alloc_size:
                    where = (
                        f"the list of free objects of thread {thread}" if thread else "the shared list of free objects"
                    )
                    return PoolObject(pool, chunk.start, True, thread, f"{where} leads to it")
        return None

    def _thread_with(self, pool: Pool, start: int) -> int:
        """The thread whose cache leads to the object, 0 for the shared lists, -1 for none."""
        for cache in self.pools.caches(pool):
            walk = Walk()
            if any(one == start for one in iter_cached(self._memory, cache, walk, _FOLLOWED)):
                return cache.thread
            # The object before a broken link leads to it, and its own link back is what was overwritten.
            if walk.broken is not None and walk.broken.address == start:
                return cache.thread
        return 0 if any(one == start for one in iter_shared(self._memory, self.pools, pool, Walk(), MOST)) else -1

    def _by_size(self, address: int, chunks: list[Chunk]) -> PoolObject | Absence:
        missing = Absence(f"object at {address:#x}", "neither a tag nor a list of free objects tells of a pool")
        # With tags in force what has none is no object of a pool.
        if not chunks or (self.pools.debugging or 0) & TAG:
            return missing
        fitting = [pool for pool in self._fitting(chunks[0]) if address < chunks[0].start + pool.size]
        fitting = [pool for pool in fitting if self.pools.usage(pool).used]
        if not fitting:
            return missing
        names = tuple(pool.name for pool in fitting[1:])
        proof = "its chunk of the heap has the size of objects of this pool"
        return PoolObject(fitting[0], chunks[0].start, None, 0, proof, "assumed", names)
