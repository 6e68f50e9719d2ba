"""The timeline of a report: one line each, with its clock and its distance from the death."""

from __future__ import annotations

import pytest

from forensics.evidence.timeline.entry import TimelineEntry, date_text
from forensics.report.document import CrashSummary, Input, Report
from forensics.report.timeline import apart_text, timeline_lines, timeline_note, when_text
from forensics.source import Source


def report(*entries: TimelineEntry, time: str = "") -> Report:
    """A report that has nothing else."""
    return Report(crash=CrashSummary(time=time), inputs=(Input("/logs/a.log", "log"),), timeline=entries)


DEATH = TimelineEntry("2026-11-24T22:50:00Z", "", 0.0, "death", "x", 1, Source("/logs/a.log", "", line=7))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""), (0.0, "0"), (-2.5, "-2.5s"), (0.013, "+0.013s"), (59.0, "+59s"), (-245.2, "-4m05s"),
        (3600.0, "+1h00m"), (-12_000.0, "-3h20m"), (-500_000.0, "-5d"),
    ],
)  # fmt: skip
def test_distances_are_short(seconds: float | None, text: str) -> None:
    """With their sign."""
    assert apart_text(seconds) == text


def test_the_death_alone_is_no_timeline() -> None:
    """It says nothing that the first screen does not."""
    assert list(timeline_lines(report(DEATH), 100)) == []
    assert timeline_note(report(DEATH)) == ""


def test_days_stand_in_lines_of_their_own() -> None:
    """Where there are several."""
    before = TimelineEntry("2026-11-23T22:50:00Z", "", -86400.0, "reload", "r")
    many = TimelineEntry("2026-11-24T22:49:00Z", "2026-11-24T22:49:59Z", -60.0, "limit", "m", 3)
    shown = [line.text for line in timeline_lines(report(before, many, DEATH), 100)]
    assert shown == [
        "  2026-11-23",
        "  22:50:00   -24h00m  reload           r",
        "  2026-11-24",
        "  22:49:00    -1m00s  limit            m (3 times, until 22:49:59)",
        "  22:50:00         0  death            x [a.log:7]",
    ]
    assert timeline_note(report(before, DEATH)) == "(UTC)"
    assert timeline_note(report(many, DEATH)) == "(2026-11-24, UTC)"


def test_when_it_died_and_when_requests_came_again() -> None:
    """As far as the logs tell."""
    assert when_text(report()) == ""
    assert when_text(report(time="2026-11-24T22:50:00")) == "2026-11-24 22:50:00 (zone not named)"
    again = TimelineEntry("2026-11-24T22:50:03Z", "", 3.0, "traffic", "first after it")
    expected = "2026-11-24 22:50:00 UTC; the next request in these logs +3s"
    assert when_text(report(DEATH, again, time="2026-11-24T22:50:00Z")) == expected


def test_dates_have_milliseconds_where_they_are_known() -> None:
    """And a Z where the zone is."""
    assert date_text(1795560600.0, True) == "2026-11-24T22:50:00Z"
    assert date_text(1795560600.0009, False) == "2026-11-24T22:50:00.001"
    assert date_text(1795560599.9999, True) == "2026-11-24T22:50:00Z"
