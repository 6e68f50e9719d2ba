"""Rates and clocks: what HAProxy works out from its counters when somebody asks."""

from __future__ import annotations

import pytest

from forensics.absence import Absence
from forensics.haproxy.clock import Clock, read_clock
from forensics.haproxy.freq_ctr import read_rate
from forensics.haproxy.structs import Struct
from tests.builders.memory import START, memory_of
from tests.builders.typed import MadeUp, layout_of

NONE = Absence("clock", "not told")


def counter(tick: int, current: int, past: int, *, first: str = "curr_tick") -> Struct:
    layout = layout_of("freq_ctr", **{first: 0, "curr_ctr": 4, "prev_ctr": 8})
    data = b"".join(value.to_bytes(4, "little") for value in (tick, current, past))
    return Struct(MadeUp(memory_of({}), {}, layout), layout, START, data)


def clock(now_ms: int = 0, seconds: tuple[int, int] | Absence = NONE) -> Clock:
    return Clock(NONE, NONE, NONE, now_ms, seconds)


@pytest.mark.parametrize(
    ("tick", "current", "past", "now", "rate"),
    [
        (10_000, 40, 100, 10_000, 140),  # the period has just begun: all of the one before counts
        (10_000, 40, 100, 10_500, 90),  # half of it
        (10_000, 40, 100, 11_000, 40),
        (10_000, 40, 100, 11_500, 20),  # nobody counted since: the current period is the past one
        (10_000, 40, 100, 12_500, 0),
        (10_001, 40, 100, 10_500, 90),  # bit 0 is a lock
        (10_000, 0, 1, 10_900, 1),  # one event is not shared out
        (2**32 - 500, 40, 100, 0, 90),  # milliseconds wrap
    ],
)
def test_a_rate_is_shared_out_over_the_period(tick: int, current: int, past: int, now: int, rate: int) -> None:
    assert read_rate(counter(tick, current, past), clock(now)) == rate


def test_up_to_2_3_periods_are_seconds() -> None:
    one = counter(100, 40, 100, first="curr_sec")
    assert read_rate(one, clock(seconds=(100, 0))) == 139  # 999 of 1,000 parts
    assert read_rate(one, clock(seconds=(100, 500_000))) == 89
    assert read_rate(one, clock(seconds=(101, 500_000))) == 19
    assert read_rate(one, clock(seconds=(102, 0))) == 0
    assert isinstance(read_rate(one, clock()), Absence)


def test_the_clock_is_nanoseconds_of_2_8_and_later() -> None:
    variables = {"global_now_ns": (START, 8), "start_time_ns": (START + 8, 8), "global_now_ms": (START + 16, 4),
                 "start_date": (START + 32, 16)}  # fmt: skip
    words = {START: 5_000_000_000, START + 8: 1_000_000_000, START + 16: 77, START + 32: 9, START + 40: 5}
    found = read_clock(MadeUp(memory_of(words), variables))
    assert (found.uptime, found.now_ms, found.start) == (4_000_000, 77, 9_000_005)
    assert isinstance(found.ready, Absence)


def test_the_clock_may_be_behind_a_pointer() -> None:
    """3.3 and later: it may lie in memory that processes share."""
    variables = {"global_now_ns": (START, 8), "start_time_ns": (START + 8, 8), "global_now_ms": (START + 16, 8)}
    words = {START: START + 64, START + 8: 1_000, START + 16: START + 72, START + 64: 5_001_000, START + 72: 88}
    found = read_clock(MadeUp(memory_of(words), variables))
    assert (found.uptime, found.now_ms) == (5_000, 88)


def test_before_2_8_it_is_seconds_and_microseconds_in_one_word() -> None:
    variables = {"global_now": (START, 8), "start_date": (START + 8, 16)}
    words = {START: 100 << 32 | 250_000, START + 8: 90, START + 16: 0}
    found = read_clock(MadeUp(memory_of(words), variables))
    assert (found.uptime, found.now_ms, found.seconds) == (10_250_000, 100_250, (100, 250_000))


def test_without_variables_there_is_no_clock() -> None:
    found = read_clock(MadeUp(memory_of({})))
    assert isinstance(found.uptime, Absence)
    assert isinstance(found.now_ms, Absence)
