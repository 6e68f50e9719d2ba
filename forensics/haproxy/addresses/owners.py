"""Objects that no pool holds: made by malloc() or calloc() at boot, and reached from HAProxy's lists.

Proxies, servers, listeners, stick-tables, peers, pools, the table of file descriptors, the startup logs; and the
arrays of threads among the global variables, so that an address in one of them gets its member's name.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property

from forensics.absence import Absence
from forensics.haproxy.object_lists import (
    find_listeners,
    find_peers,
    find_proxies,
    find_sections,
    find_servers,
    find_tables,
)
from forensics.haproxy.pool import Pools
from forensics.haproxy.structs import Struct
from forensics.haproxy.walks import Walk
from forensics.record import record

#: Global arrays and structures, and their types.
VARIABLES = {
    "ha_thread_ctx": "thread_ctx", "ha_thread_info": "thread_info", "ha_tgroup_ctx": "tgroup_ctx",
    "ha_tgroup_info": "tgroup_info", "activity": "activity", "global": "global", "task_per_thread": "task_per_thread",
    "post_mortem": "post_mortem", "cur_poller": "poller",
}  # fmt: skip


@record
class Owned:
    """One object: ``label`` names it, ``proof`` says what leads to it; ``size`` in bytes."""

    start: int
    size: int
    struct: str
    label: str
    proof: str


class Owners:
    """Known objects by address; at most ``most`` are looked at, those of the configuration in its order."""

    def __init__(self, pools: Pools, most: int) -> None:
        self._pools = pools
        self._space = pools.space
        self._most = most

    def find(self, address: int) -> Owned | Absence:
        """The known object that holds ``address``."""
        found = self._descriptor(address)
        if found is not None:
            return found
        place = bisect_right(self._starts, address) - 1
        if place >= 0 and address < self._objects[place].start + self._objects[place].size:
            return self._objects[place]
        return Absence(f"object at {address:#x}", f"none of {len(self._objects)} known objects holds it")

    @cached_property
    def _objects(self) -> list[Owned]:
        found = []
        for one in self._iter():
            found.append(one)
            if len(found) >= self._most:
                break
        return sorted(found, key=lambda one: one.start)

    @cached_property
    def _starts(self) -> list[int]:
        return [one.start for one in self._objects]

    def _descriptor(self, address: int) -> Owned | None:
        """fdtab: one array, of global.maxsock elements (until 3.4 a global pointer)."""
        table, layout = self._table, self._space.layout("fdtab")
        if table is None or isinstance(layout, Absence) or not layout.size:
            return None
        start, count = table
        number = (address - start) // layout.size
        if not 0 <= number < count:
            return None
        return Owned(start + number * layout.size, layout.size, "fdtab", f"fdtab[{number}]", "the variable fdtab")

    @cached_property
    def _table(self) -> tuple[int, int] | None:
        start, settings = self._space.word("fdtab"), self._space.object("global", "global")
        count = settings.number("maxsock") if isinstance(settings, Struct) else 0
        return (start, min(count, 1 << 24)) if isinstance(start, int) and start and isinstance(count, int) else None

    def _iter(self) -> Iterator[Owned]:
        for pool in self._pools.pools or ():
            yield Owned(pool.address, pool.head.layout.size, "pool_head", f"pool {pool.name}", "the list of pools")
        logs = self._space.pointed("startup_logs", "ring")
        if isinstance(logs, Struct):
            yield _owned(logs, "startup_logs", "the variable startup_logs")
        for table in find_tables(self._space, Walk(), self._most) or ():
            yield _owned(table, _named("stick-table", table), "the list of stick-tables")
        yield from self._iter_peers()
        for proxy in find_proxies(self._space, Walk(), self._most) or ():
            yield _owned(proxy, _named("proxy", proxy), "the list of proxies")
            yield from self._iter_parts(proxy)

    def _iter_parts(self, proxy: Struct) -> Iterator[Owned]:
        """Servers and listeners."""
        for what, found in (
            ("server", find_servers(proxy, Walk(), self._most)),
            ("listener", find_listeners(proxy, Walk(), self._most)),
        ):
            for one in found or ():
                yield _owned(one, _named(what, one), f"the proxy's list of {what}s")

    def _iter_peers(self) -> Iterator[Owned]:
        for section in find_sections(self._space, Walk(), self._most) or ():
            yield _owned(section, _named("peers section", section), "the variable cfg_peers")
            for peer in find_peers(section, Walk(), self._most) or ():
                yield _owned(peer, _named("peer", peer), "the list of peers")


def _owned(one: Struct, label: str, proof: str) -> Owned:
    return Owned(one.address, one.layout.size, one.layout.name, label, proof)


def _named(what: str, one: Struct) -> str:
    """The object with the name that the configuration gives it."""
    name = one.text(one.first("id", "name") or "id", 64)
    return f"{what} {name}" if isinstance(name, str) and name else what
