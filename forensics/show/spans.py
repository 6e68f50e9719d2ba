"""Durations and ticks as HAProxy's CLI prints them (human_time, src/tools.c)."""

from __future__ import annotations

from forensics.absence import Absence
from forensics.haproxy.clock import Moment
from forensics.haproxy.ticks import ETERNITY

_UNITS = ((86400, 1 << 40, "d"), (3600, 86400, "h"), (60, 3600, "m"), (1, 60, "s"))


def human_time(seconds: int) -> str:
    """The two greatest units that are not zero: ``1d3h``, ``59m59s``; ``?`` for what is negative."""
    if seconds < 0:
        return "?"
    parts: list[str] = []
    for unit, above, letter in _UNITS:
        count = seconds % above // unit
        # A day uses up one of the two places, as does any other unit that is shown.
        if count and len(parts) < 2:
            parts.append(f"{count}{letter}")
    return "".join(parts) or "0s"


def span(milliseconds: int) -> str:
    """A duration in ms."""
    return "?" if milliseconds < 0 else human_time(milliseconds // 1000)


def until(moment: Moment, tick: int | Absence, never: str = "") -> str:
    """How long until the tick; ``never`` where it is not set, or this build has none."""
    return never if isinstance(tick, Absence) or tick == ETERNITY else span(moment.left(tick))


def until_or_past(moment: Moment, tick: int | Absence) -> str:
    """The same, with ``<NEVER>`` and ``<PAST>``."""
    if isinstance(tick, int) and moment.expired(tick):
        return "<PAST>"
    return until(moment, tick, "<NEVER>")


def pointer(value: int) -> str:
    """An address as C's ``%p`` prints it."""
    return f"{value:#x}" if value else "(nil)"
