"""Free objects of a pool: those in the caches of threads and those in the lists that all threads share.

A free object is overlaid by `struct pool_cache_item` (its links in the cache, then those by age) or by
`struct pool_item` (the next cluster, the next object of its cluster). Whoever still writes to the object breaks
these links, or the pattern that `-dMintegrity` leaves behind them: the first one that is wrong is the place of
the corruption.
"""

from __future__ import annotations

from collections.abc import Iterator

from forensics.haproxy.pool import INTEGRITY, Cache, Pool, Pools
from forensics.haproxy.walks import Broken, Walk, iter_chain, iter_list
from forensics.memory.process import Memory
from forensics.record import record

#: Objects of one list that are visited: a thread's caches hold 512 KiB unless tune.memory.hot-size says more.
MOST = 200_000
#: Objects beyond the count that one more look at a list may find.
_SURPLUS = 1024
#: struct pool_cache_item: two lists, the same in all releases. What lies behind is filled by `-dMintegrity`.
ITEM = 32
#: POOL_BUSY: a thread was taking from or giving to this list (2.5+).
_BUSY = 1
#: pool_fill_pattern(): each object is filled with the last pattern and a third of all ones added (2.5+).
_THIRD = 0x5555555555555555


@record
class Damage:
    """A free object that is not as its pool left it: ``address`` is where, ``reason`` what is wrong there.

    ``thread`` has HAProxy's number of the thread in whose cache it is, 0 for a shared list; ``object`` is the
    start of the object, 0 where the head of the list itself is broken.
    """

    pool: Pool
    thread: int
    object: int
    address: int
    reason: str

    @property
    def place(self) -> str:
        """Where it was found, in words."""
        where = f"the cache of thread {self.thread}" if self.thread else "the shared free list"
        return f"{where} of pool {self.pool.name}"


def iter_cached(memory: Memory, cache: Cache, walk: Walk, most: int = MOST) -> Iterator[int]:
    """Addresses of the objects in a thread's cache, the one that was freed last first."""
    return iter_list(memory, cache.head, walk, most)


def iter_shared(memory: Memory, pools: Pools, pool: Pool, walk: Walk, most: int = MOST) -> Iterator[int]:
    """Addresses of the objects in the lists that all threads share."""
    clustered = pools.space.has_struct("pool_item")  # 2.5+: objects come in clusters
    for head in pools.shared_lists(pool):
        if head in (0, _BUSY):
            continue
        for first in iter_chain(memory, head, 0, walk, most):
            if not clustered:
                yield first
                continue
            yield from iter_chain(memory, first, 8, walk, most)
        if walk.broken or walk.cut:
            return


def damages(pools: Pools, pool: Pool, most: int = MOST) -> Iterator[Damage]:
    """What is wrong with the free objects of the pool: of each list the first link or pattern that is broken.

    Of each list at most ``most`` objects are looked at.
    """
    memory = pools.space.memory
    for cache in pools.caches(pool):
        yield from _cache_damage(memory, pools, pool, cache, most)
    walk = Walk()
    for _object in iter_shared(memory, pools, pool, walk, most):
        pass
    if walk.broken is not None:
        yield Damage(pool, 0, walk.broken.address, walk.broken.address or walk.broken.value, walk.broken.reason)


def _cache_damage(memory: Memory, pools: Pools, pool: Pool, cache: Cache, most: int) -> Iterator[Damage]:
    walk = Walk()
    filled = bool((pools.debugging or 0) & INTEGRITY)
    # A list that is much longer than its count is a ring that damage made: it need not be walked to its bound.
    for address in iter_cached(memory, cache, walk, min(most, cache.count + _SURPLUS)):
        offset = overwritten(memory, address, pool.size) if filled else -1
        if offset >= 0:
            reason = f"the fill pattern of the free object at {address:#x} is overwritten at offset {offset}"
            yield Damage(
                pool, cache.thread, address, address + offset, f"{reason}: somebody wrote to it after it was freed"
            )
            filled = False  # the first one tells
    if walk.broken is not None:
        yield _broken_link(pool, cache, walk.broken)
    elif walk.visited != cache.count and (not walk.cut or walk.visited > cache.count):
        more = " or more" if walk.cut else ""
        reason = f"it counts {cache.count} objects, but its list has {walk.visited}{more}"
        yield Damage(pool, cache.thread, 0, cache.head, reason)


def _broken_link(pool: Pool, cache: Cache, broken: Broken) -> Damage:
    return Damage(
        pool, cache.thread, 0 if broken.address == cache.head else broken.address, broken.address, broken.reason
    )


def overwritten(memory: Memory, address: int, size: int) -> int:
    """The offset (bytes) of the first word of a free object that differs from its pattern, -1 for none.

    As pool_check_pattern() has it: all words behind the links equal the first of them. Where that first one is
    itself no pattern, it is the one that was overwritten.
    """
    words = size // 8 * 8 - ITEM
    data = memory.read(address + ITEM, words) if words >= 16 else b""
    if not isinstance(data, bytes) or not data:
        return -1
    first = data[:8]
    if data == first * (len(data) // 8):
        return -1
    if not is_pattern(int.from_bytes(first, "little")) or data[8:16] == data[16:24] != first:
        return ITEM
    return ITEM + next(at for at in range(8, len(data), 8) if data[at : at + 8] != first)


def is_pattern(word: int) -> bool:
    """Whether the word may come from pool_fill_pattern(): a multiple of a third of all ones, not counted too far."""
    # 3 is inverse to 0x5555555555555555 but for the sign: 3 * (n * third) = -n modulo 2^64.
    return 0 < (-3 * word) & 0xFFFFFFFFFFFFFFFF < 1 << 40
