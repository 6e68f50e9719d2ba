"""One timeline out of all logs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from forensics.absence import Absence
from forensics.evidence.log_files import LogFiles
from forensics.evidence.timeline.around import around, told_after, told_before
from forensics.evidence.timeline.deaths import told_around, told_of
from forensics.evidence.timeline.entry import Timeline, TimelineEntry, date_text
from forensics.evidence.timeline.told import Told
from forensics.evidence.timeline.window import Window
from forensics.logs import Incident, Origin
from forensics.record import record, replace
from forensics.source import Source

#: Zones differ by multiples of a quarter of an hour, by 14 hours at the most; clocks of one site by less than this.
_QUARTER, _FARTHEST, _SLACK = 900.0, 14 * 3600.0, 120.0
#: Seconds within which two logs tell the same thing.
_SAME = 2.0
#: Entries of one timeline.
_MOST = 100


@record
class TellingLog:
    """A log, and the death in it that is asked about; None where it tells of none.

    ``near`` tells whether the lines around the death are to be read again.
    """

    log: LogFiles
    incident: Incident | None
    near: bool = True


@record
class _Clock:
    """How the times of one log become seconds of UTC: ``ahead`` is what they are ahead, where no zone is named.

    ``known`` tells whether that was found out: by another witness of the same death.
    """

    ahead: float = 0.0
    known: bool = False

    def utc(self, origin: Origin) -> float | None:
        """Seconds of UTC, as far as is known."""
        if origin.instant is None or origin.zoned:
            return origin.instant
        return origin.instant - self.ahead

    def sure(self, origin: Origin) -> bool:
        """Whether that is more than taken for granted."""
        return origin.zoned or self.known


@record
class _Placed:
    """A tale with its place: seconds of UTC, None without a time; ``order`` is where it stands among all logs."""

    told: Told
    instant: float | None
    last: float | None
    sure: bool
    source: Source
    order: tuple[float, int, int] = (0.0, 0, 0)


def build(logs: Sequence[TellingLog], clock: float | None = None) -> Timeline:
    """The timeline of one death.

    ``clock`` is the last time that the process itself knew (seconds of UTC), from its core.
    """
    deaths = [_death_of(one.incident) if one.incident else Origin() for one in logs]
    pivot, sure = _pivot(deaths, clock)
    clocks = _clocks(logs, deaths, pivot if sure else None)
    told = [of.utc(death) for death, of in zip(deaths, clocks, strict=True) if of.sure(death) or not sure]
    when = min((one for one in told if one is not None), default=pivot)
    placed: list[_Placed] = []
    for index, (one, death, of) in enumerate(zip(logs, deaths, clocks, strict=True)):
        placed += _placed(one, death, of, when, index)
    entries = [_entry(one, when) for one in _cut(_without_echoes(sorted(placed, key=lambda each: each.order)), when)]
    time = date_text(when, sure) if when is not None else ""
    return Timeline(tuple(entries), time, tuple(_gaps(logs, deaths, clocks, when, sure)))


def _death_of(incident: Incident) -> Origin:
    """The earliest word about a death that has a time; else the first one."""
    events = [one.origin for rank in incident.evidence.ranked() for one in rank if one.origin.instant is not None]
    events = [one for one in events if incident.first.line <= one.line <= incident.last.line]
    return min(events, key=lambda one: one.instant or 0.0, default=incident.first)


def _pivot(deaths: Sequence[Origin], clock: float | None) -> tuple[float | None, bool]:
    """The time of the death by the best witness, and whether its zone is sure."""
    zoned = [one.instant for one in deaths if one.instant is not None and one.zoned]
    if zoned:
        return min(zoned), True
    if clock is not None:
        return clock, True
    return min((one.instant for one in deaths if one.instant is not None), default=None), False


def _clocks(logs: Sequence[TellingLog], deaths: Sequence[Origin], pivot: float | None) -> list[_Clock]:
    """The clock of each log; one that tells of no death goes as another one without a zone does."""
    found = [_clock(death, pivot) for death in deaths]
    known = next((one for one in found if one.known), _Clock())
    return [
        _Clock(known.ahead) if one.incident is None and not of.known else of
        for one, of in zip(logs, found, strict=True)
    ]


def _clock(death: Origin, pivot: float | None) -> _Clock:
    if death.instant is None or death.zoned or pivot is None:
        return _Clock()
    apart = death.instant - pivot
    ahead = round(apart / _QUARTER) * _QUARTER
    fits = abs(apart - ahead) <= _SLACK and abs(ahead) <= _FARTHEST
    return _Clock(ahead, known=True) if fits else _Clock()


def _placed(one: TellingLog, death: Origin, clock: _Clock, when: float | None, index: int) -> list[_Placed]:
    """What one log tells, in the order of its lines."""
    told = [*told_of(one.incident), *told_around(one.log.evidence, one.incident)] if one.incident else []
    if one.near:
        before, after = around(one.log, _window(one, death, clock, when))
        told += [*told_before(before), *told_after(after)]
    lines: set[tuple[str, int]] = set()
    found = []
    for each in sorted(told, key=lambda each: each.origin.line):
        key = (each.what, each.origin.line)
        if key in lines and each.what != "traffic":
            continue
        lines.add(key)
        found.append(_place(each, one.log, clock))
    return _in_order(found, death.line, when, index)


def _place(told: Told, log: LogFiles, clock: _Clock) -> _Placed:
    path, line = log.place(told.origin.line)
    source = Source(path, "", line=line)
    last = clock.utc(told.last) if told.count > 1 else None
    return _Placed(told, clock.utc(told.origin), last, clock.sure(told.origin), source)


def _window(one: TellingLog, death: Origin, clock: _Clock, when: float | None) -> Window:
    """Where the death is in this log, by its own clock."""
    if one.incident is not None:
        return Window(one.incident.first.line, death.instant)
    ahead = clock.ahead if _begins(one.log) else 0.0
    return Window(None, None if when is None else when + ahead)


def _begins(log: LogFiles) -> bool:
    """Whether a log begins with a time that names no zone."""
    begins = next((found.marks.first_instant for found in log.found if found.marks.first_instant), None)
    return begins is not None and not begins.zoned


def _in_order(placed: list[_Placed], death: int, when: float | None, index: int) -> list[_Placed]:
    """A line without a time goes with the one above it; without any, before or after the death as its line does."""
    found, instant = [], next((one.instant for one in placed if one.instant is not None), None)
    for one in placed:
        instant = one.instant if one.instant is not None else instant
        at = instant if instant is not None else (when or 0.0)
        found.append(replace(one, order=(at, index, one.told.origin.line - death)))
    return found


def _without_echoes(placed: list[_Placed]) -> Iterator[_Placed]:
    """What two logs tell alike is told once."""
    seen: dict[tuple[str, str], tuple[float, int]] = {}
    for one in placed:
        (at, log, _line), key = one.order, (one.told.what, one.told.text)
        before, other = seen.get(key, (at, log))
        if other == log or at - before > _SAME:
            seen[key] = (at, log)
            yield one


def _cut(placed: Iterator[_Placed], when: float | None) -> list[_Placed]:
    """As many as can be read, those that are nearest to the death: its entry, else what follows its time."""
    every = list(placed)
    later = (i for i, one in enumerate(every) if when is not None and one.instant is not None and one.instant >= when)
    death = next((i for i, one in enumerate(every) if one.told.what == "death"), next(later, len(every)))
    return every[max(0, death - _MOST // 2) : death + _MOST // 2]


def _entry(one: _Placed, when: float | None) -> TimelineEntry:
    def text(instant: float | None) -> str:
        return "" if instant is None else date_text(instant, one.sure)

    apart = None if one.instant is None or when is None else round(one.instant - when, 3)
    told = one.told
    return TimelineEntry(text(one.instant), text(one.last), apart, told.what, told.text, told.count, one.source)


def _gaps(
    logs: Sequence[TellingLog], deaths: Sequence[Origin], clocks: Sequence[_Clock], when: float | None, sure: bool
) -> Iterator[Absence]:
    for one, death, clock in zip(logs, deaths, clocks, strict=True):
        name = one.log.name
        if one.incident is None and when is None and len(logs) > 1:
            why = "no input tells the time of the death, so its lines cannot be put around it"
            yield Absence(f"timeline of {name}", why, "a log of the death with times: `journalctl -o json`")
        if not one.near:
            why = f"it tells of {len(one.log.evidence.incidents)} deaths: the lines around each were not read"
            yield Absence(f"lines around the death in {name}", why, "`triage` with `--incident N`")
        elif one.incident is not None and any(file.path == "-" and file.again() is None for file in one.log.files):
            why = "it was too long to be kept, and cannot be read again"
            yield Absence(f"lines around the death in {name}", why, "the log as a file")
        unsure = one.incident is None and _begins(one.log) and not clock.ahead
        if sure and (unsure or (death.instant is not None and not clock.sure(death))):
            why = "its times name no zone, and nothing tells it: taken for UTC"
            remedy = "`--timezone Europe/Berlin`, or a log whose times have one: `journalctl -o short-iso`"
            yield Absence(f"zone of {name}", why, remedy)
