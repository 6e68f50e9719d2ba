"""Counters of events per period (``struct freq_ctr``, freq_ctr-t.h): their rate when the process died."""

from __future__ import annotations

from forensics.absence import Absence
from forensics.haproxy.clock import Clock
from forensics.haproxy.structs import Struct

#: Milliseconds of the period that most counters have.
SECOND = 1000


def read_rate(counter: Struct | Absence, clock: Clock, period: int = SECOND) -> int | Absence:
    """Events in the last ``period`` milliseconds, as HAProxy tells them.

    What is left of the period before counts in part; a counter that saw one event or none is not shared out (that
    is HAProxy's way against figures that flap).
    """
    if isinstance(counter, Absence):
        return counter
    if counter.has("curr_sec"):
        return _rate_by_second(counter, clock)
    tick, current, past = (counter.number(name) for name in ("curr_tick", "curr_ctr", "prev_ctr"))
    if isinstance(tick, Absence) or isinstance(current, Absence) or isinstance(past, Absence):
        return Absence("rate", f"struct {counter.layout.name} has other members")
    if isinstance(clock.now_ms, Absence):
        return clock.now_ms
    # Bit 0 of the tick is a lock; the difference of two ticks is signed.
    remain = ((tick & ~1) + period - clock.now_ms + (1 << 31)) % (1 << 32) - (1 << 31)
    if remain < 0:
        remain += period
        past, current = (current if remain >= 0 else 0), 0
    if not current and past <= 1:
        return past
    return (past * max(remain, 0) + current * period) // period


def _rate_by_second(counter: Struct, clock: Clock) -> int | Absence:
    """So in 2.2: the period began with second ``curr_sec``, whose highest bit is a lock."""
    second, current, past = (counter.number(name) for name in ("curr_sec", "curr_ctr", "prev_ctr"))
    if isinstance(second, Absence) or isinstance(current, Absence) or isinstance(past, Absence):
        return Absence("rate", f"struct {counter.layout.name} has other members")
    if isinstance(clock.seconds, Absence):
        return clock.seconds
    now, beyond = clock.seconds
    age = (now - (second & 0x7FFFFFFF)) & 0xFFFFFFFF
    if age > 1:
        return 0
    if age:
        past, current = current, 0
    if past <= 1 and not current:
        return past
    left = (999 - min(beyond // 1000, 999)) * 4_294_967
    return current + (past * left >> 32)
