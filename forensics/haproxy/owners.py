"""Objects that no pool holds: made by malloc() or calloc() at boot, and reached from HAProxy's lists.

Proxies, servers, listeners, stick-tables, peers, pools, the table of file descriptors, the startup logs; and the
arrays of threads among the global variables, so that an address in one of them gets its member's name.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property

from forensics.absence import Absence
from forensics.haproxy.pool import Pools
from forensics.haproxy.pool_doubts import tables_of
from forensics.haproxy.structs import Struct
from forensics.haproxy.walks import Walk, iter_chain, iter_list
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
        for table in tables_of(self._space):
            yield _owned(table, _named("stick-table", table), "the list of stick-tables")
        yield from self._iter_peers()
        for proxy in self._iter_proxies():
            yield _owned(proxy, _named("proxy", proxy), "the list of proxies")
            yield from self._iter_parts(proxy)

    def _iter_proxies(self) -> Iterator[Struct]:
        """proxies_list is a chain by `next` until 3.5-dev3, main_proxies a list of `el` after it."""
        layout = self._space.layout("proxy")
        if isinstance(layout, Absence):
            return
        head, first = self._space.variable("main_proxies"), self._space.word("proxies_list")
        if isinstance(head, int) and "el" in layout.fields:
            elements = iter_list(self._space.memory, head, Walk(), self._most)
            starts: Iterator[int] = (one - layout.fields["el"].offset for one in elements)
        elif isinstance(first, int) and "next" in layout.fields:
            starts = iter_chain(self._space.memory, first, layout.fields["next"].offset, Walk(), self._most)
        else:
            return
        for start in starts:
            one = self._space.at("proxy", start)
            if isinstance(one, Struct):
                yield one

    def _iter_parts(self, proxy: Struct) -> Iterator[Owned]:
        """Servers (a chain by `next`, a list of `el_px` since 3.5-dev4) and listeners (a list of `by_fe`)."""
        for struct, what, head, link in (
            ("server", "server", "servers", "el_px"), ("server", "server", "srv", "next"),
            ("listener", "listener", "conf.listeners", "by_fe"),
        ):  # fmt: skip
            layout, start = self._space.layout(struct), proxy.address_of(head)
            field = layout.fields.get(link) if not isinstance(layout, Absence) else None
            if field is None or isinstance(start, Absence):
                continue
            memory, walk = self._space.memory, Walk()
            if field.kind == "pointer":
                starts = iter_chain(memory, proxy.number(head) or 0, field.offset, walk, self._most)
            else:
                starts = iter_list(memory, start, walk, self._most)
            for each in starts:
                one = self._space.at(struct, each if field.kind == "pointer" else each - field.offset)
                if isinstance(one, Struct):
                    yield _owned(one, _named(what, one), f"the proxy's list of {what}s")

    def _iter_peers(self) -> Iterator[Owned]:
        first, layout = self._space.word("cfg_peers"), self._space.layout("peers")
        if not isinstance(first, int) or isinstance(layout, Absence) or "next" not in layout.fields:
            return
        for start in iter_chain(self._space.memory, first, layout.fields["next"].offset, Walk(), self._most):
            section = self._space.at("peers", start)
            if not isinstance(section, Struct):
                return
            yield _owned(section, _named("peers section", section), "the variable cfg_peers")
            peer = section.follow("remote", "peer")
            for _number in range(self._most):
                if not isinstance(peer, Struct):
                    break
                yield _owned(peer, _named("peer", peer), "the list of peers")
                peer = peer.follow("next", "peer")


def _owned(one: Struct, label: str, proof: str) -> Owned:
    return Owned(one.address, one.layout.size, one.layout.name, label, proof)


def _named(what: str, one: Struct) -> str:
    """The object with the name that the configuration gives it."""
    name = one.text(one.first("id", "name") or "id", 64)
    return f"{what} {name}" if isinstance(name, str) and name else what
