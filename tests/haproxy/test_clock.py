"""The clock of all threads, by the variables that releases keep it in."""

from __future__ import annotations

from forensics.absence import Absence
from forensics.haproxy.clock import Moment, read_clock
from tests.builders.memory import START, memory_of
from tests.builders.typed import MadeUp


def test_the_clock_is_nanoseconds_of_2_8_and_later() -> None:
    variables = {"global_now_ns": (START, 8), "start_time_ns": (START + 8, 8), "global_now_ms": (START + 16, 4),
                 "start_date": (START + 32, 16)}  # fmt: skip
    words = {START: 5_000_000_000, START + 8: 1_000_000_000, START + 16: 77, START + 32: 9, START + 40: 5}
    found = read_clock(MadeUp(memory_of(words), variables))
    assert (found.uptime, found.now, found.start) == (4_000_000, Moment(77, 5, 0), 9_000_005)
    assert isinstance(found.ready, Absence)


def test_the_clock_may_be_behind_a_pointer() -> None:
    """3.3 and later: it may lie in memory that processes share."""
    variables = {"global_now_ns": (START, 8), "start_time_ns": (START + 8, 8), "global_now_ms": (START + 16, 8)}
    words = {START: START + 64, START + 8: 1_000, START + 16: START + 72, START + 64: 5_001_000, START + 72: 88}
    found = read_clock(MadeUp(memory_of(words), variables))
    assert (found.uptime, found.now) == (5_000, Moment(88, 0, 5001))


def test_before_2_8_it_is_seconds_and_microseconds_in_one_word() -> None:
    variables = {"global_now": (START, 8), "start_date": (START + 8, 16)}
    words = {START: 100 << 32 | 250_000, START + 8: 90, START + 16: 0}
    found = read_clock(MadeUp(memory_of(words), variables))
    assert (found.uptime, found.now) == (10_250_000, Moment(100_250, 100, 250_000))


def test_without_variables_there_is_no_clock() -> None:
    found = read_clock(MadeUp(memory_of({})))
    assert isinstance(found.uptime, Absence)
    assert isinstance(found.now, Absence)
