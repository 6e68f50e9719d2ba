"""`show pools`: memory pools in HAProxy's form; `suspicious` has those first that something is wrong with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from forensics.absence import Absence
from forensics.errors import UsageError
from forensics.haproxy.pool import SHARED, Pool, Pools, Usage
from forensics.haproxy.pools.doubts import Doubts
from forensics.haproxy.state import State
from forensics.record import open_record
from forensics.show.answer import Answer, Question

_WORDS = "byname, bysize, byusage, suspicious, match PREFIX, or a number of pools"


@open_record
class _Chosen:
    """How the pools were asked for (management.txt of 2.7+: byname, bysize, byusage, match, a number)."""

    order: str = ""
    prefix: str = ""
    most: int = 0


def answer(state: State, question: Question) -> Answer | Absence:
    """The pools of the process."""
    chosen = _chosen(question.arguments)
    pools = Pools(state.space)
    found = pools.pools
    if isinstance(found, Absence):
        return found
    doubts = Doubts(pools, found)
    rows = _rows(pools, found, chosen, doubts)
    shown = rows[question.offset :][: chosen.most or question.limit or None]
    return Answer(
        lambda: _lines(pools, shown, chosen, doubts),
        lambda: [_plain(pools, pool, usage, doubts) for pool, usage in shown],
        lambda: _gaps(pools, doubts),
    )


def _chosen(words: Sequence[str]) -> _Chosen:
    chosen, rest = _Chosen(), list(words)
    while rest:
        word = rest.pop(0)
        if word in ("byname", "bysize", "byusage", "suspicious"):
            chosen.order = word
        elif word == "match" and rest:
            chosen.prefix = rest.pop(0)
        elif word.isdecimal():
            chosen.most = int(word)
        else:
            raise UsageError(f"`show pools` does not know `{word}`", f"it takes {_WORDS}")
    return chosen


def _rows(pools: Pools, found: tuple[Pool, ...], chosen: _Chosen, doubts: Doubts) -> list[tuple[Pool, Usage]]:
    rows = [(pool, pools.usage(pool)) for pool in found if pool.name.startswith(chosen.prefix)]
    if chosen.order == "byname":
        rows.sort(key=lambda row: row[0].name)
    elif chosen.order == "bysize":
        rows.sort(key=lambda row: row[0].size)
    elif chosen.order == "byusage":
        rows = [row for row in rows if row[1].allocated]
        rows.sort(key=lambda row: -row[0].size * row[1].allocated)
    elif chosen.order == "suspicious":
        rows.sort(key=lambda row: -max((one.weight for one in doubts.of(row[0])), default=0))
    return rows


def _lines(pools: Pools, rows: list[tuple[Pool, Usage]], chosen: _Chosen, doubts: Doubts) -> Iterator[str]:
    limited = f" (limited to the first {chosen.most} entries)" if chosen.most and len(rows) >= chosen.most else ""
    yield f"Dumping pools usage{limited}. Use SIGQUIT to flush them."
    totals = [0, 0, 0]
    for pool, usage in rows:
        cached = sum(cache.count for cache in pools.caches(pool))
        yield _line(pools, pool, usage, cached)
        for one in doubts.of(pool) if chosen.order == "suspicious" else ():
            yield f"      ! {one.reason}"
        for place, count in enumerate((usage.allocated, usage.used, cached)):
            totals[place] += count * pool.size
    by_caches = f" (~{totals[2]} by thread caches)" if pools.caching else ""
    yield f"Total: {len(rows)} pools, {totals[0]} bytes allocated, {totals[1]} used{by_caches}."


def _line(pools: Pools, pool: Pool, usage: Usage, cached: int) -> str:
    by_caches = f" (~{cached} by thread caches)" if pools.caching else ""
    index = f"={pool.index:02d}" if pools.indexed else ""
    align = f"/{pool.align}" if pool.head.has("align") else ""  # 3.4+
    shared = " [SHARED]" if pool.flags & SHARED else ""
    size = f"{pool.size} bytes{align}"
    return (
        f"  - Pool {pool.name} ({size}) : {usage.allocated} allocated ({usage.allocated * pool.size} bytes),"
        f" {usage.used} used{by_caches}, needed_avg {usage.needed}, {usage.failed} failures, {pool.users} users,"
        f" @{pool.address:#x}{index}{shared}"
    )


def _plain(pools: Pools, pool: Pool, usage: Usage, doubts: Doubts) -> dict[str, object]:
    return {
        "name": pool.name, "address": pool.address, "size": pool.size, "allocated_size": pool.alloc_size,
        "align": pool.align, "users": pool.users, "shared": bool(pool.flags & SHARED), "limit": pool.limit,
        "allocated": usage.allocated, "used": usage.used, "needed_average": usage.needed, "failures": usage.failed,
        "cached": [{"thread": one.thread, "count": one.count} for one in pools.caches(pool) if one.count],
        "suspicious": [one.reason for one in doubts.of(pool)],
    }  # fmt: skip


def _gaps(pools: Pools, doubts: Doubts) -> tuple[Absence, ...]:
    gaps = [Absence(f"pool {one.pool.name}", one.reason, one.remedy) for one in doubts.all if one.certain]
    if pools.walk.broken is not None:
        gaps.append(
            Absence("pools", f"their list is broken at {pools.walk.broken.address:#x}: {pools.walk.broken.reason}")
        )
    return tuple(gaps)
