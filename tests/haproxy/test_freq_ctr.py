"""Rates: what HAProxy works out from its counters when somebody asks."""

from __future__ import annotations

import pytest

from forensics.absence import Absence
from forensics.haproxy.clock import Moment
from forensics.haproxy.freq_ctr import rate_of, read_rate
from forensics.haproxy.structs import Struct
from tests.builders.memory import START, memory_of
from tests.builders.typed import MadeUp, layout_of


def counter(tick: int, current: int, past: int, *, first: str = "curr_tick") -> Struct:
    layout = layout_of("freq_ctr", **{first: 0, "curr_ctr": 4, "prev_ctr": 8})
    data = b"".join(value.to_bytes(4, "little") for value in (tick, current, past))
    return Struct(MadeUp(memory_of({}), {}, layout), layout, START, data)


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
    assert read_rate(counter(tick, current, past), Moment(now, 0)) == rate


def test_up_to_2_3_periods_are_seconds() -> None:
    one = counter(100, 40, 100, first="curr_sec")
    assert read_rate(one, Moment(0, 100, 0)) == 139  # 999 of 1,000 parts
    assert read_rate(one, Moment(0, 100, 500_000)) == 89
    assert read_rate(one, Moment(0, 101, 500_000)) == 19
    assert read_rate(one, Moment(0, 102, 0)) == 0
    assert isinstance(read_rate(one, Absence("clock", "not told")), Absence)


@pytest.mark.parametrize(
    ("tick", "current", "previous", "now", "rate"),
    [
        (1000, 10, 0, 1000, 10),  # all of it is in the current period
        (1000, 10, 40, 6000, 30),  # half of the period before is left
        (1000, 10, 40, 11_500, 9),  # past the current period: it is the one before now
        (1000, 10, 40, 40_000, 0),  # too long ago
        (1001, 10, 40, 6000, 30),  # bit 0: a thread turns the period
        (0xFFFFFFF0, 10, 40, 4984, 30),  # ticks wrap
        (1000, 0, 1, 6000, 1),  # a low rate does not flap
        (1000, 0, 0, 6000, 0),
    ],
)
def test_a_rate_of_another_period_is_what_haproxy_makes_of_it(
    tick: int, current: int, previous: int, now: int, rate: int
) -> None:
    assert rate_of(tick, current, previous, 10_000, now) == rate


def test_a_rate_without_period_is_none() -> None:
    assert rate_of(1, 2, 3, 0, 4) == 0
