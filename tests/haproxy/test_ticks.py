"""Ticks wrap at 32 bits, and zero is no date."""

from __future__ import annotations

from forensics.haproxy.ticks import signed, tick_add


def test_differences_are_signed() -> None:
    assert signed(5 - 0xFFFFFFFB) == 10
    assert signed(0x7FFFFFFF) == 0x7FFFFFFF
    assert signed(0x80000000) == -0x80000000
    assert signed(-16) == -16


def test_a_sum_is_never_zero() -> None:
    assert tick_add(0xFFFFFFFF, 1) == 1
    assert tick_add(0xFFFFFFFF, 3) == 2
