"""When a line was written: every form of timestamp as seconds of UTC.

A time without a zone is read as UTC and says so; a date without a year gets the latest year in which it was not
later than the file.
"""

from __future__ import annotations

import re
import time
from functools import lru_cache

from forensics.logs.zones import Zone
from forensics.record import record

DAY = 86400.0
_MONTHS = {name: number for number, name in enumerate("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)}
#: A file that was written in another zone, or by a clock that was ahead.
_SLACK = DAY

_CLOCK = r"(\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?"
#: 2024-01-18T11:23:05.600716+01:00; journalctl puts the day of the week before it and the zone's name behind it.
_ISO = re.compile(
    rf"(?:[A-Z][a-z]{{2}} )?(\d{{4}})-(\d\d)-(\d\d)[T ]{_CLOCK}(?: ?(Z|UTC|GMT|[+-]\d\d:?\d\d)| [A-Z]{{3,5}})?$"
)
#: "Jan 18 11:23:05", "Jan 18 2024 11:23:05" and the kernel's "Thu Jan 18 11:23:05 2024".
_NAMED = re.compile(
    rf"(?:[A-Z][a-z]{{2}} )?([A-Z][a-z]{{2}}) ([ \d]\d|\d) (?:(\d{{4}}) )?{_CLOCK}(?: (\d{{4}}))?(?: ?(Z|UTC|GMT))?$"
)
#: Seconds or microseconds since 1970, as the journal counts.
_EPOCH = re.compile(r"(\d{9,10})(?:\.(\d{1,9}))?$|(\d{15,16})$")
#: HAProxy's own, up to 2.3: the day of the year from 0, and the local time (tools.c, ha_alert).
_DAY_OF_YEAR = re.compile(r"(\d{3})/(\d\d)(\d\d)(\d\d)$")


@record
class Instant:
    """``seconds`` of UTC since 1970; ``zoned`` tells whether the text names its zone."""

    seconds: float
    zoned: bool


@record
class LogClock:
    """How the times of a log are read.

    ``modified``: seconds of UTC when it was last written, for dates without a year; now, if not given. ``zone`` is
    that of times that name none.
    """

    modified: float | None = None
    zone: Zone | None = None

    def instant(self, text: str) -> Instant | None:
        """The instant that a timestamp names (see ``instant_of``)."""
        found = instant_of(text, time.time() if self.modified is None else self.modified)
        if found is None or found.zoned or self.zone is None:
            return found
        return Instant(self.zone.utc(found.seconds), True)


@lru_cache(4096)
def instant_of(text: str, modified: float) -> Instant | None:
    """The instant that a timestamp names; None for a clock without a date, or seconds since the boot.

    ``modified``: seconds of UTC when the file was last written, which tells the year where the text does not.
    """
    if match := _ISO.match(text):
        year, month, day = int(match[1]), int(match[2]), int(match[3])
        return _instant(year, month, day, match[4], match[5], match[6], match[7], match[8])
    if match := _NAMED.match(text):
        named = match[3] or match[8]
        clock = (match[4], match[5], match[6], match[7], match[9])
        month, day = _MONTHS.get(match[1], 0), int(match[2])
        if named:
            return _instant(int(named), month, day, *clock)
        return _of_some_year(modified, lambda year: _instant(year, month, day, *clock))
    if match := _EPOCH.match(text):
        return Instant(int(match[3]) / 1e6 if match[3] else int(match[1]) + _fraction(match[2]), True)
    if match := _DAY_OF_YEAR.match(text):
        passed = int(match[1]) * DAY + int(match[2]) * 3600.0 + int(match[3]) * 60 + int(match[4])
        return _of_some_year(modified, lambda year: Instant(days_since_1970(year, 1, 1) * DAY + passed, False))
    return None


def _of_some_year(modified: float, make: object) -> Instant | None:
    """The latest year in which it was not after the file was written (29 February is not in every one)."""
    assert callable(make)
    year = int(1970 + (modified + _SLACK) / (365.2425 * DAY)) + 1
    tries = (make(year - back) for back in range(10))
    return next((one for one in tries if one is not None and one.seconds <= modified + _SLACK), None)


def _instant(
    year: int, month: int, day: int, hour: str, minute: str, second: str, fraction: str | None, zone: str | None
) -> Instant | None:
    if not (1 <= month <= 12 and 1 <= day <= _length(year, month) and 1970 <= year < 3000):
        return None
    clock = int(hour) * 3600 + int(minute) * 60 + int(second)
    if clock > DAY:
        return None
    seconds = days_since_1970(year, month, day) * DAY + clock + _fraction(fraction)
    return Instant(seconds - _offset(zone), zone is not None)


def _length(year: int, month: int) -> int:
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return (31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)[month - 1]


def days_since_1970(year: int, month: int, day: int) -> int:
    """Days of the Gregorian calendar from 1970-01-01; years are counted from March, so that leap days come last."""
    year -= month < 3
    return year * 365 + year // 4 - year // 100 + year // 400 + (153 * ((month + 9) % 12) + 2) // 5 + day - 719469


def _fraction(digits: str | None) -> float:
    return float(f"0.{digits}") if digits else 0.0


def _offset(zone: str | None) -> float:
    """Seconds that a zone is ahead of UTC."""
    if zone is None or zone[0] not in "+-":
        return 0.0
    seconds = int(zone[1:3]) * 3600.0 + int(zone[-2:]) * 60
    return -seconds if zone[0] == "-" else seconds
