"""Whether two lines can be about one death by their clocks: zones, daylight saving, and clocks that were set."""

from __future__ import annotations

from forensics.logs.line import Origin
from forensics.logs.times import DAY

#: Seconds between the words of a process and those of the others: a core of many gigabytes is written meanwhile.
APART = 900.0
#: Seconds by which the zones of the world differ from UTC at most.
_ZONES = 14 * 3600.0
#: Clocks are changed by an hour, early on a Sunday; seconds within which a death goes on meanwhile, and lines.
_HOUR, _EARLY, _SUNDAY, _MEANWHILE, _LINES = 3600.0, 5 * 3600.0, 3, 60.0, 80


def possible(one: Origin, other: Origin, same_pid: bool = False) -> bool:
    """Whether two events, in the order of the log, can be about one process: on one machine, and not too far apart.

    ``same_pid`` tells that both name it: then a clock that was set back does not part them.
    """
    if one.host and other.host and one.host != other.host:
        return False
    if one.instant is None or other.instant is None:
        return True
    passed = other.instant - one.instant
    if abs(passed) <= APART:
        return True
    if one.zoned != other.zoned:
        return abs(passed) <= _ZONES + APART
    if not 0 <= other.line - one.line < _LINES:
        return False
    return (same_pid and passed < 0) or (not one.zoned and _changed(one.instant, passed))


def _changed(local: float, passed: float) -> bool:
    """Whether local time was changed between two moments: 1970 began on a Thursday."""
    sunday = int(local // DAY) % 7 == _SUNDAY
    return sunday and local % DAY < _EARLY and abs(abs(passed) - _HOUR) <= _MEANWHILE


def seconds_between(one: Origin, other: Origin) -> float | None:
    """Seconds between two events by dates, or by seconds since the boot; None where one has neither."""
    if one.instant is not None and other.instant is not None:
        return abs(other.instant - one.instant)
    first, second = _uptime(one), _uptime(other)
    return abs(second - first) if first is not None and second is not None else None


def _uptime(origin: Origin) -> float | None:
    text = origin.time or ""
    whole, _, fraction = text.partition(".")
    known = origin.instant is None and whole.isascii() and whole.isdigit() and fraction.isascii() and fraction.isdigit()
    return float(text) if known and len(text) < 24 else None
