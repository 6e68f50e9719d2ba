"""What stands in a log around a death: servers, limits, errors, and the traffic as a whole."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from forensics.evidence.log_files import LogFiles
from forensics.evidence.timeline.told import Told
from forensics.evidence.timeline.window import Window, records_near
from forensics.logs.happenings.happening import Happening
from forensics.logs.happenings.surroundings import happening_of
from forensics.logs.happenings.traffic import Request, meaning, parse_request
from forensics.logs.line import Origin, Record
from forensics.logs.times import LogClock
from forensics.record import field, open_record, replace

#: Kinds of happenings told one by one on each side; requests told one by one before the death.
_KINDS, _REQUESTS = 12, 3
#: Kinds of which a log has few lines.
_RARE = ("start", "reload", "failed start", "stop")
#: Endings of requests that are counted on their own.
_ENDINGS = 5


@open_record
class Tally:
    """The traffic and the happenings on one side of the death."""

    requests: int = 0
    endings: dict[str, int] = field(default_factory=dict)
    failed: dict[int, int] = field(default_factory=dict)
    first: tuple[Request, Origin] | None = None
    last: deque[tuple[Request, Origin]] = field(default_factory=lambda: deque(maxlen=_REQUESTS))
    groups: dict[tuple[str, str], Told] = field(default_factory=dict)

    def add_request(self, request: Request, origin: Origin) -> None:
        """One more request."""
        self.requests += 1
        self.first = self.first or (request, origin)
        self.last.append((request, origin))
        ended = "--" if request.quiet else request.ended[:2]
        self.endings[ended] = self.endings.get(ended, 0) + 1
        if request.status is not None and request.status >= 500:
            self.failed[request.status] = self.failed.get(request.status, 0) + 1

    def add(self, happening: Happening) -> None:
        """One more happening: equal ones are counted."""
        key = (happening.what, happening.group)
        before = self.groups.get(key)
        if before is None:
            self.groups[key] = Told(happening.what, happening.text, happening.origin, 1, happening.origin)
        else:
            self.groups[key] = replace(before, count=before.count + 1, last=happening.origin)


def around(log: LogFiles, window: Window) -> tuple[Tally, Tally]:
    """What stands before the death and after it. Lines are counted through all files of the log."""
    before, after = Tally(), Tally()
    for record in records_near(log, window):
        request = parse_request(record)
        if request is not None:
            origin = _timed(record, request, log.files[-1].clock)
            if window.holds(origin):
                (after if window.after(origin) else before).add_request(request, origin)
        elif (happening := happening_of(record)) is not None and window.holds(record.origin):
            (after if window.after(record.origin) else before).add(happening)
    return before, after


def _timed(record: Record, request: Request, clock: LogClock) -> Origin:
    """Where the carrier has no time, that of the request."""
    if record.instant is not None or not request.accepted:
        return record.origin
    found = clock.instant(request.accepted)
    return replace(record.origin, instant=found.seconds, zoned=found.zoned) if found else record.origin


def told_before(tally: Tally) -> Iterator[Told]:
    """The entries of what came before."""
    yield from _happenings(tally)
    if tally.requests > 1 and tally.first:
        yield Told("traffic", _summary(tally), tally.first[1], tally.requests, tally.last[-1][1])
    for request, origin in tally.last:
        which = "one of the last" if tally.requests > 1 else "the last"
        yield Told("traffic", f"{which}: {_named(request, origin)}", origin, 1, origin)


def told_after(tally: Tally) -> Iterator[Told]:
    """The entries of what came after."""
    yield from _happenings(tally)
    if tally.requests and tally.first:
        yield Told("traffic", f"first after it: {_named(*tally.first)}", tally.first[1], 1, tally.first[1])
        if tally.requests > 1:
            yield Told("traffic", _summary(tally), tally.first[1], tally.requests, tally.last[-1][1])


def _happenings(tally: Tally) -> Iterator[Told]:
    """The latest kinds; how many there were besides."""
    every = sorted(tally.groups.values(), key=lambda one: one.last.line)
    rare = [one for one in every if one.what in _RARE]
    told = [one for one in every if one.what not in _RARE]
    yield from rare
    yield from told[-_KINDS:]
    left = told[:-_KINDS]
    if left:
        text = (
            "one kind of such lines that is not shown"
            if len(left) == 1
            else f"{len(left)} kinds of such lines not shown"
        )
        yield Told(left[0].what, text, left[0].origin, sum(one.count for one in left), left[-1].last)


def _summary(tally: Tally) -> str:
    """How many requests, and how they ended."""
    normal = tally.endings.get("--", 0)
    odd = sorted((item for item in tally.endings.items() if item[0] != "--"), key=lambda item: (-item[1], item[0]))
    parts = ["all ended normally" if normal == tally.requests else f"{normal or 'none'} ended normally"]
    parts += [f"{count} {ended} ({meaning(ended)})" for ended, count in odd[:_ENDINGS]]
    if len(odd) > _ENDINGS:
        parts.append(f"{sum(count for _ended, count in odd[_ENDINGS:])} in other ways")
    failed = ", ".join(f"{count} with {status}" for status, count in sorted(tally.failed.items())[:_ENDINGS])
    return f"{tally.requests} requests: {', '.join(parts)}" + (f"; answered {failed}" if failed else "")


def _named(request: Request, origin: Origin) -> str:
    """A request by where it went and how it ended, nothing of what was asked."""
    way = f"{request.frontend} to {request.backend}/{request.server}, " if request.frontend else ""
    status = f"{request.status} " if request.status is not None else ""
    writer = f" (process {origin.pid})" if origin.pid is not None else ""
    return f"{way}{status}{request.ended}{writer}"
