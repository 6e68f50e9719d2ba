"""What is wrong with a pool: damage, counts that contradict each other, failed allocations, objects without owner."""

from __future__ import annotations

from functools import cached_property

from forensics.absence import Absence
from forensics.haproxy.object_lists import find_tables, iter_stream_heads
from forensics.haproxy.pool import Pool, Pools, Usage
from forensics.haproxy.pools.free_objects import damages
from forensics.haproxy.structs import TypedMemory
from forensics.haproxy.walks import Walk, iter_list
from forensics.record import record

#: Streams, and stick-tables, that are counted.
_MOST = 50_000
#: Live objects beyond those of the known owners before that is told: threads may have died between two counts.
_SLACK = 16

#: How bad: broken memory, impossible numbers, failed allocations, too many objects, a limit that is reached.
BROKEN, IMPOSSIBLE, FAILED, UNOWNED, LIMITED = 5, 4, 3, 2, 1


@record
class Doubt:
    """One thing that is wrong with ``pool``: ``weight`` is one of the above, ``remedy`` what would tell more."""

    pool: Pool
    weight: int
    reason: str
    remedy: str = ""

    @property
    def certain(self) -> bool:
        """Whether the memory itself is damaged, or says what cannot be."""
        return self.weight >= IMPOSSIBLE


class Doubts:
    """What is wrong with the pools of a process."""

    def __init__(self, pools: Pools, found: tuple[Pool, ...]) -> None:
        self._pools = pools
        self._found = found

    @cached_property
    def all(self) -> tuple[Doubt, ...]:
        """All of them, in the order of the pools."""
        return tuple(one for pool in self._found for one in self._doubts(pool))

    def of(self, pool: Pool) -> tuple[Doubt, ...]:
        """What is wrong with this one, the worst first."""
        found = [one for one in self.all if one.pool.address == pool.address]
        return tuple(sorted(found, key=lambda one: -one.weight))

    def _doubts(self, pool: Pool) -> list[Doubt]:
        usage = self._pools.usage(pool)
        cached = sum(cache.count for cache in self._pools.caches(pool))
        found = [
            Doubt(
                pool,
                BROKEN,
                f"{one.place}: at {one.address:#x}: {one.reason}",
                "a run with `-dMno-merge,integrity,caller`",
            )
            for one in damages(self._pools, pool)
        ]
        found += [Doubt(pool, IMPOSSIBLE, reason) for reason in self._impossible(usage, cached)]
        if usage.failed:
            found.append(Doubt(pool, FAILED, f"{usage.failed} allocations failed"))
        if pool.limit and usage.allocated >= pool.limit:
            found.append(Doubt(pool, LIMITED, f"its limit of {pool.limit} objects is reached"))
        return found + self._without_owner(pool, usage, cached)

    def _impossible(self, usage: Usage, cached: int) -> list[str]:
        """Counters that contradict each other by more than threads that were just changing them explain."""
        slack, found = max(self._pools.threads, 1), []
        if usage.used > usage.allocated + slack:
            used = usage.used - (1 << 32) if usage.used >> 31 else usage.used
            found.append(
                f"{used} objects are used, but {usage.allocated} allocated: objects were freed twice, or uncounted"
            )
        elif cached > usage.used + slack and self._pools.caching:
            found.append(f"{cached} objects are in caches of threads, but {usage.used} used: these ones included")
        return found

    def _without_owner(self, pool: Pool, usage: Usage, cached: int) -> list[Doubt]:
        owners = self._owned.get(pool.address)
        live = usage.used - cached
        if owners is None or live <= owners[0] + max(_SLACK, owners[0] // 2) or usage.used >> 31:
            return []
        return [Doubt(pool, UNOWNED, f"{live} objects are in use, but only {owners[0]} {owners[1]} are known: a leak?")]

    @cached_property
    def _owned(self) -> dict[int, tuple[int, str]]:
        """Number of owners that are known, and what they are, by the pool's address: of pools of one type only."""
        space, alone = self._pools.space, {pool.address: pool.users for pool in self._found}
        owned: dict[int, tuple[int, str]] = {}
        streams, pool = count_streams(space), space.word("pool_head_stream")
        if isinstance(streams, int) and isinstance(pool, int) and alone.get(pool) == 1:
            owned[pool] = streams, "streams"
        entries: dict[int, list[int]] = {}
        for table in find_tables(space, Walk(), _MOST) or ():
            entries.setdefault(table.number("pool") or 0, []).append(table.number("current") or 0)
        for pool, counts in entries.items():
            if alone.get(pool) == len(counts):
                owned[pool] = sum(counts), "entries of its stick-tables"
        return owned


def count_streams(space: TypedMemory) -> int | Absence:
    """The number of streams in the lists of all threads (2.5+: thread_ctx; 2.4: thread_info; before: one list)."""
    heads = list(iter_stream_heads(space))
    if not heads:
        return Absence("streams", "this build's layout does not tell where their lists are")
    walk = Walk()
    found = sum(1 for head in heads for _each in iter_list(space.memory, head, walk, _MOST))
    if walk.cut or walk.broken is not None:
        return Absence("streams", walk.broken.reason if walk.broken else f"there are more than {_MOST}")
    return found
