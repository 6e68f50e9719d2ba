"""What came before the death and after it, one line each."""

from __future__ import annotations

from collections.abc import Iterator

from forensics.evidence.timeline.entry import TimelineEntry
from forensics.record import record
from forensics.report.document import Report
from forensics.report.lines import Line, wrapped
from forensics.report.safe_text import one_line
from forensics.report.words import input_names

#: Columns of the time from the death, and of what it is.
_APART, _WHAT = 9, 16
#: Longest time of day, and longest day, that is shown.
_CLOCK, _DAY = 15, 10


@record
class Row:
    """One entry in words. ``clock`` is its time of day, ``apart`` the time from the death with its sign."""

    clock: str
    apart: str
    what: str
    text: str
    day: str


def when_text(report: Report) -> str:
    """When it died, and when requests were answered again."""
    time = report.crash.time
    if not time:
        return ""
    zone = " UTC" if time.endswith("Z") else " (zone not named)"
    return time.rstrip("Z").replace("T", " ") + zone + _again(report)


def _again(report: Report) -> str:
    """How long after the death the first request stands. Not every death has an entry `death`: a kernel's has none."""
    death = next((at for at, entry in enumerate(report.timeline) if _is_death(entry)), None)
    behind = report.timeline[death:] if death is not None else report.timeline
    # What was accepted before the death can be written behind it; a line of the same second can stand before it.
    least = 0.0 if death is not None else 0.001
    found = [one.seconds for one in behind if one.what == "traffic" and one.seconds is not None]
    after = next((seconds for seconds in found if seconds >= least), None)
    if after is None:
        return ""
    return f"; the next request in these logs {apart_text(after) if after else 'within the same second'}"


def _is_death(entry: TimelineEntry) -> bool:
    return entry.what in ("death", "kernel", "core", "exit") and entry.seconds is not None and entry.seconds >= 0


def timeline_rows(report: Report) -> list[Row]:
    """All entries; one that is all there is, the death itself, tells nothing."""
    if len(report.timeline) < 2:
        return []
    names = input_names(report)
    return [_row(entry, names) for entry in report.timeline]


def _row(entry: TimelineEntry, names: dict[str, str]) -> Row:
    day, _, clock = entry.time.rstrip("Z").partition("T")
    times = f" ({entry.count} times{_until(entry)})" if entry.count > 1 and entry.what != "traffic" else ""
    until = _until(entry) if entry.count > 1 and entry.what == "traffic" else ""
    source = ""
    if entry.source is not None and entry.source.line is not None:
        source = f" [{names.get(entry.source.input, entry.source.input)}:{entry.source.line}]"
    text = f"{entry.text}{times}{until}{source}"
    return Row(
        one_line(clock, _CLOCK), apart_text(entry.seconds), one_line(entry.what, _WHAT), text, one_line(day, _DAY)
    )


def _until(entry: TimelineEntry) -> str:
    return f", until {entry.last_time.rstrip('Z').partition('T')[2]}" if entry.last_time != entry.time else ""


def apart_text(seconds: float | None) -> str:
    """The time from the death: -2.5s, +4m05s, -3h20m, -5d; "" where it is not known."""
    if seconds is None:
        return ""
    if not seconds:
        return "0"
    sign, whole = ("-" if seconds < 0 else "+"), abs(seconds)
    if whole < 60:
        return f"{sign}{whole:.3f}".rstrip("0").rstrip(".") + "s"
    minutes, left = divmod(round(whole), 60)
    if minutes < 60:
        return f"{sign}{minutes}m{left:02d}s"
    hours, minutes = divmod(minutes, 60)
    return f"{sign}{hours}h{minutes:02d}m" if hours < 48 else f"{sign}{hours // 24}d"


def timeline_note(report: Report) -> str:
    """The zone of the times, and their day where it is one."""
    days = {row.day for row in timeline_rows(report) if row.day}
    if not days:
        return ""
    zone = "UTC" if all(entry.time.endswith("Z") for entry in report.timeline if entry.time) else "zone not named"
    return f"({days.pop()}, {zone})" if len(days) == 1 else f"({zone})"


def timeline_lines(report: Report, width: int) -> Iterator[Line]:
    """The section's lines; the day stands in one of its own where there are several."""
    rows = timeline_rows(report)
    days = {row.day for row in rows if row.day}
    shown, clock = "", max((len(row.clock) for row in rows), default=0)
    for row in rows:
        if len(days) > 1 and row.day and row.day != shown:
            shown = row.day
            yield Line("dim", f"  {row.day}")
        first = f"  {row.clock:<{clock}} {row.apart:>{_APART}}  {row.what:<{_WHAT}} "
        style = "culprit" if row.what == "death" else "plain"
        yield from wrapped(row.text, width, style, first, " " * (clock + _APART + _WHAT + 6))
