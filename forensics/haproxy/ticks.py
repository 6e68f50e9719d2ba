"""Ticks: dates in milliseconds that wrap at 32 bits (ticks.h)."""

from __future__ import annotations

_TICK = 1 << 32
#: TICK_ETERNITY: a timer that is not set.
ETERNITY = 0


def signed(tick: int) -> int:
    """A difference of two ticks as a C ``int``."""
    tick %= _TICK
    return tick - _TICK if tick >> 31 else tick


def tick_add(tick: int, timeout: int) -> int:
    """``tick`` and ``timeout`` ms later (tick_add: never TICK_ETERNITY)."""
    return (tick + timeout) % _TICK or 1
