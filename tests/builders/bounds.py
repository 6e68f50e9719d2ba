"""Bounds for code that reads hostile input: time and memory, checked where it runs."""

from __future__ import annotations

import signal
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class TooSlow(AssertionError):
    """The bound of time was reached."""


class TooLarge(AssertionError):
    """The bound of memory was passed."""


@contextmanager
def within_seconds(seconds: float) -> Iterator[None]:
    """Interrupt what runs longer (main thread only), system calls included."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise TooSlow(f"still running after {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def within_bytes(limit: int) -> Iterator[None]:
    """Fail when Python's own allocations exceed ``limit`` at any time."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    if peak > limit:
        raise TooLarge(f"{peak} bytes in use, {limit} allowed")
