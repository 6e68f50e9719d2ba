"""One line of a timeline, and the whole, as the report has them."""

from __future__ import annotations

import time

from forensics.absence import Absence
from forensics.record import record
from forensics.source import Source

#: What an entry tells; ``death`` is the one that the report is about, all behind ``later death`` are
#: `logs.happenings.happening.KINDS`.
WHAT = (
    "death", "kernel", "core", "exit", "earlier death", "later death", "start", "reload", "failed start", "stop",
    "server", "proxy", "limit", "table full", "connection error", "warning", "traffic",
)  # fmt: skip


@record
class TimelineEntry:
    """One thing that happened, or ``count`` equal ones from ``time`` to ``last_time``.

    ``time`` is a date of ISO 8601, with a Z where the zone is known; "" where the line has none. ``seconds`` are those
    from the death on, negative before it, None where either has no time.
    """

    time: str = ""
    last_time: str = ""
    seconds: float | None = None
    what: str = ""
    text: str = ""
    count: int = 1
    source: Source | None = None


@record
class Timeline:
    """``time`` is that of the death (see `TimelineEntry`), ``gaps`` say what could not be put in its place."""

    entries: tuple[TimelineEntry, ...] = ()
    time: str = ""
    gaps: tuple[Absence, ...] = ()


def date_text(seconds: float, zoned: bool) -> str:
    """Seconds of UTC as a date of ISO 8601, to the millisecond, with a Z where the zone is known."""
    whole, beyond = divmod(round(seconds * 1000), 1000)
    fraction = f".{beyond:03d}" if beyond else ""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + fraction + ("Z" if zoned else "")
