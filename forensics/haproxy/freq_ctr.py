"""Counters of events per period (``struct freq_ctr``, freq_ctr-t.h): their rate when the process died."""

from __future__ import annotations

from forensics.absence import Absence
from forensics.haproxy.clock import Moment
from forensics.haproxy.structs import Struct
from forensics.haproxy.ticks import signed

#: Milliseconds of the period that most counters have.
SECOND = 1000


def read_rate(counter: Struct | Absence, now: Moment | Absence, period: int = SECOND) -> int | Absence:
    """Events in the last ``period`` milliseconds, as HAProxy tells them.

    The period that runs began at ``curr_tick`` (ms), up to 2.3 at ``curr_sec``.
    """
    if isinstance(counter, Absence):
        return counter
    began = counter.any_number("curr_tick", "curr_sec")
    current, past = counter.number("curr_ctr"), counter.number("prev_ctr")
    if isinstance(began, Absence) or isinstance(current, Absence) or isinstance(past, Absence):
        return Absence("rate", f"struct {counter.layout.name} has other members")
    if isinstance(now, Absence):
        return now
    if counter.has("curr_tick"):
        return rate_of(began, current, past, period, now.ms)
    return _rate_by_second(began, current, past, now)


def rate_of(tick: int, current: int, past: int, period: int, now_ms: int) -> int:
    """Events a ``period`` (ms): those of the period that runs, and what is left of the one before in part.

    As read_freq_ctr_period() of freq_ctr.c (2.2 to 3.4). ``tick`` is when the period that runs began; its bit 0 is
    set while a thread turns it. A counter that saw one event or none is not shared out (that is HAProxy's way against
    figures that flap).
    """
    if not period:
        return 0
    remaining = signed((tick & ~1) + period - now_ms)
    if remaining < 0:
        remaining += period
        past, current = (current if remaining >= 0 else 0), 0
    if not current and past <= 1:
        return past
    return (past * max(remaining, 0) + current * period) // period


def _rate_by_second(second: int, current: int, past: int, now: Moment) -> int:
    """So in 2.2: the period began with a second of the wall clock, whose highest bit is a lock."""
    age = (now.seconds - (second & 0x7FFFFFFF)) & 0xFFFFFFFF
    if age > 1:
        return 0
    if age:
        past, current = current, 0
    if past <= 1 and not current:
        return past
    left = (999 - min(now.beyond // 1000, 999)) * 4_294_967
    return current + (past * left >> 32)
