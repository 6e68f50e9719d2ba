"""A time without a zone is of the zone that the user names."""

from __future__ import annotations

import pytest

from forensics.errors import UsageError
from forensics.logs.times import LogClock
from forensics.logs.zones import Zone

#: 2026-11-24 12:00:00 UTC.
NOON = 1795521600.0


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("UTC", "2026-11-24 12:00:00", NOON),
        ("Europe/Berlin", "2026-11-24 13:00:00", NOON),
        ("Europe/Berlin", "2026-07-24 14:00:00", NOON - 123 * 86400),
        ("+05:30", "Nov 24 17:30:00", NOON),
        ("-0800", "Nov 24 04:00:00", NOON),
        ("Europe/Berlin", "2026-11-24T12:00:00Z", NOON),
    ],
)
def test_local_times_become_utc(name: str, text: str, expected: float) -> None:
    """Summer and winter; a zone in the text wins."""
    found = LogClock(NOON + 9 * 3600, Zone(name)).instant(text)
    assert found is not None
    assert (found.seconds, found.zoned) == (expected, True)


@pytest.mark.parametrize("name", ["Mars/Phobos", "+25:00", "../../etc/passwd", "/etc/passwd", "", "a\0b"])
def test_what_is_no_zone_is_refused(name: str) -> None:
    """With what to type."""
    with pytest.raises(UsageError):
        Zone(name)
