"""Durations and ticks as HAProxy's CLI prints them."""

from __future__ import annotations

import pytest

from forensics.absence import Absence
from forensics.haproxy.clock import Moment
from forensics.haproxy.ticks import tick_add
from forensics.show.spans import human_time, pointer, span, until, until_or_past


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"), (59, "59s"), (60, "1m"), (61, "1m1s"), (3600, "1h"), (3601, "1h1s"), (3661, "1h1m"),
        (86399, "23h59m"), (86400, "1d"), (90061, "1d1h"), (86401, "1d1s"), (-1, "?"),
    ],
)  # fmt: skip
def test_two_numbers_at_most(seconds: int, text: str) -> None:
    assert human_time(seconds) == text
    assert span(seconds * 1000 + 999 if seconds >= 0 else -1) == text


def test_ticks_wrap_and_zero_is_never() -> None:
    moment = Moment(0xFFFFFFF0, 100)
    assert until(moment, tick_add(0xFFFFFFF0, 5000)) == "5s"
    assert until(moment, 0, "<NEVER>") == "<NEVER>"
    assert until(moment, Absence("tick", "none"), "<NEVER>") == "<NEVER>"
    assert until_or_past(moment, 0xFFFFFF00) == "<PAST>"
    assert until_or_past(moment, 0) == "<NEVER>"
    assert tick_add(0xFFFFFFFF, 1) == 1


def test_pointers_are_those_of_printf() -> None:
    assert (pointer(0), pointer(0x10)) == ("(nil)", "0x10")
