"""Timestamps are instants of UTC, and say whether their zone is known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forensics.logs.times import Instant, days_since_1970, instant_of

#: 2024-01-18 12:00:00 UTC.
MODIFIED = 1705579200.0
TEN = 1705573385.0  # 10:23:05


@pytest.mark.parametrize(
    ("text", "seconds", "zoned"),
    [
        ("2024-01-18T11:23:05+01:00", TEN, True),
        ("2024-01-18T11:23:05.500000+0100", TEN + 0.5, True),
        ("2024-01-18T10:23:05.250716123Z", TEN + 0.250716123, True),
        ("2024-01-18T05:23:05,5-05:00", TEN + 0.5, True),
        ("2024-01-18 10:23:05", TEN, False),
        ("Thu 2024-01-18 10:23:05 UTC", TEN, True),
        ("Thu 2024-01-18 10:23:05.500000 CET", TEN + 0.5, False),
        ("Jan 18 10:23:05", TEN, False),
        ("Jan 18 10:23:05.5", TEN + 0.5, False),
        ("Jan 18 2024 10:23:05", TEN, False),
        ("Thu Jan 18 10:23:05 2024", TEN, False),
        ("1705573385.500000", TEN + 0.5, True),
        ("1705573385500000", TEN + 0.5, True),
        ("017/102305", TEN, False),
    ],
)
def test_every_form_is_read(text: str, seconds: float, zoned: bool) -> None:
    """A time without a zone is taken for UTC."""
    found = instant_of(text, MODIFIED)
    assert found is not None
    assert (round(found.seconds, 6), found.zoned) == (round(seconds, 6), zoned)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("Jan  1 00:00:00", "2024-01-01"),
        ("Jan 19 11:00:00", "2024-01-19"),  # another zone, or a clock ahead
        ("Jan 20 00:00:00", "2023-01-20"),
        ("Dec 31 23:59:59", "2023-12-31"),
        ("Feb 29 12:00:00", "2020-02-29"),
        ("364/120000", "2023-12-31"),
    ],
)
def test_a_missing_year_is_the_latest_before_the_file_was_written(text: str, day: str) -> None:
    """With a day to spare."""
    found = instant_of(text, MODIFIED)
    assert found is not None
    assert datetime.fromtimestamp(found.seconds, UTC).date().isoformat() == day


@pytest.mark.parametrize(
    "text",
    ["", "11:23:05", "123.456789", "Foo 18 10:23:05", "2024-13-01T00:00:00Z", "2023-02-29T00:00:00", "Jan 18 99:00:00"],
)
def test_what_is_no_date_has_no_instant(text: str) -> None:
    """Nor has a clock, or a time since the boot."""
    assert instant_of(text, MODIFIED) is None


@given(st.datetimes(datetime(1970, 1, 1), datetime(2999, 12, 31)), st.integers(-14 * 60, 14 * 60))  # noqa: DTZ001 - the zone is added
def test_it_is_the_calendar_of_the_standard_library(moment: datetime, minutes: int) -> None:
    """Days, leap years, offsets."""
    zoned = moment.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=minutes)))
    assert instant_of(zoned.isoformat(), MODIFIED) == Instant(zoned.timestamp(), True)
    assert days_since_1970(moment.year, moment.month, moment.day) == (moment - datetime(1970, 1, 1)).days  # noqa: DTZ001
