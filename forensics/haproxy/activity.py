"""What each thread counted while it ran: ``struct activity`` (activity-t.h), and what stands beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from forensics.absence import Absence
from forensics.haproxy.freq_ctr import SECOND, read_rate
from forensics.haproxy.global_state import GlobalState, numbers_of
from forensics.haproxy.structs import Struct
from forensics.record import record

#: TIME_STATS_SAMPLES (defaults.h): the average of loops is a sum over so many.
_SAMPLES = 512


@record
class Counted:
    """One number of every thread, in the order of the threads; ``averaged`` says that their sum means nothing."""

    name: str
    values: tuple[int, ...]
    averaged: bool = False

    @property
    def total(self) -> int:
        """For all threads together, as HAProxy works it out: 32 bits."""
        if self.averaged:
            return (sum(self.values) + len(self.values) // 2) // len(self.values)
        return sum(self.values) & 0xFFFFFFFF


#: The order of `show activity` (src/activity.c, before 2.8 src/cli.c) and how each number is kept: a member of struct
#: activity where nothing else is said.
_ORDER = (
    "ctxsw", "tasksw", "empty_rq", "long_rq", "curr_rq", "loops", "wake_tasks", "wake_signal", "poll_io", "poll_exp",
    "poll_drop_fd", "poll_dead_fd", "poll_skip_fd", "conn_dead", "stream_calls", "pool_fail", "buf_wait",
    "cpust_ms_tot", "cpust_ms_1s", "cpust_ms_15s", "avg_cpu_pct", "avg_loop_us", "accepted", "accq_pushed",
    "accq_full", "accq_ring", "fd_takeover", "check_adopted", "check_started", "check_active", "check_running",
)  # fmt: skip

_Numbers = tuple[int, ...]


def read_thread_counters(state: GlobalState) -> tuple[Counted, ...] | Absence:
    """All numbers that this build keeps, in HAProxy's order; those of unknown name come last."""
    rows = state.per_thread("activity", "activity")
    return rows if isinstance(rows, Absence) else tuple(_counted(state, rows))


def _counted(state: GlobalState, rows: tuple[Struct, ...]) -> Iterator[Counted]:
    for name in _ORDER:
        special = _SPECIAL.get(name)
        values = special(state, rows) if special else numbers_of(rows, name)
        if not isinstance(values, Absence):
            yield Counted(name, values, name.startswith("avg_"))
    known = {*_ORDER, "cpust_total"}
    for name, field in rows[0].layout.fields.items():
        if name not in known and field.kind == "uint" and not field.counts:
            values = numbers_of(rows, name)
            if not isinstance(values, Absence):
                yield Counted(name, values)


def _half(values: _Numbers | Absence) -> _Numbers | Absence:
    """Stolen time is counted in halves of milliseconds."""
    return values if isinstance(values, Absence) else tuple(value // 2 for value in values)


def _rates(state: GlobalState, rows: tuple[Struct, ...], member: str, period: int) -> _Numbers | Absence:
    found = []
    for row in rows:
        rate = read_rate(row.inner(member), state.clock.now, period)
        if isinstance(rate, Absence):
            return rate
        found.append(rate)
    return tuple(found)


def _loop(_state: GlobalState, rows: tuple[Struct, ...]) -> _Numbers | Absence:
    sums = numbers_of(rows, "avg_loop_us")
    return sums if isinstance(sums, Absence) else tuple((one + _SAMPLES - 1) // _SAMPLES for one in sums)


def _busy(state: GlobalState, _rows: tuple[Struct, ...]) -> _Numbers | Absence:
    """Told since 2.8, as the clock in nanoseconds is."""
    if isinstance(state.space.extent("start_time_ns"), Absence):
        return Absence("avg_cpu_pct", "this release does not tell it")
    idle = state.of_threads("idle_pct")
    return idle if isinstance(idle, Absence) else tuple(100 - one for one in idle)


def _queued(state: GlobalState, rows: tuple[Struct, ...]) -> _Numbers | Absence:
    """3.0 tells it, which counts health checks, too; 2.8 does neither."""
    if not rows[0].has("check_started"):
        return Absence("curr_rq", "this release does not tell it")
    return state.of_threads("rq_total")


def _waiting(state: GlobalState, _rows: tuple[Struct, ...]) -> _Numbers | Absence:
    """Connections in each thread's ``struct accept_queue_ring`` (listener-t.h)."""
    rings = state.per_thread("accept_queue_rings", "accept_queue_ring")
    if isinstance(rings, Absence):
        return rings
    size = rings[0].field("entry")
    if isinstance(size, Absence):
        return size
    both = numbers_of(rings, "idx")
    if not isinstance(both, Absence):
        # head in the upper half, tail in the lower one: one word in 3.0, two in 2.6.
        return tuple(((one & 0xFFFF) - (one >> 16)) % max(size.count, 1) for one in both)
    heads, tails = numbers_of(rings, "head"), numbers_of(rings, "tail")
    if isinstance(heads, Absence):
        return heads
    if isinstance(tails, Absence):
        return tails
    return tuple((tail - head) % max(size.count, 1) for head, tail in zip(heads, tails, strict=True))


_SPECIAL: dict[str, Callable[[GlobalState, tuple[Struct, ...]], _Numbers | Absence]] = {
    "curr_rq": _queued,
    "cpust_ms_tot": lambda _state, rows: _half(numbers_of(rows, "cpust_total")),
    "cpust_ms_1s": lambda state, rows: _half(_rates(state, rows, "cpust_1s", SECOND)),
    "cpust_ms_15s": lambda state, rows: _half(_rates(state, rows, "cpust_15s", 15 * SECOND)),
    "avg_cpu_pct": _busy,
    "avg_loop_us": _loop,
    "accq_ring": _waiting,
    "check_active": lambda state, _rows: state.of_threads("active_checks"),
    "check_running": lambda state, _rows: state.of_threads("running_checks"),
}
