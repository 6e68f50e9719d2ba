"""The death itself as its witnesses tell it, and what the whole log tells of starts, warnings and other deaths."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from forensics.absence import Absence
from forensics.evidence.timeline.told import Told
from forensics.logs import (
    BugReport,
    CoredumpReport,
    Fatal,
    Incident,
    KernelFault,
    LogEvidence,
    Mention,
    Origin,
    OutOfMemory,
    Panic,
    PastedBacktrace,
    SystemdExit,
    WorkerExit,
)

#: Of starts and of other deaths, how many are told on each side of the death.
_STARTS, _DEATHS = 6, 3
#: Kinds of warnings.
_WARNINGS = 8
#: Seconds and lines behind a death in which starts belong to it.
_AFTER, _AFTER_LINES = 600.0, 400
#: Where a line about a request begins: a tag and a client before its accept date, or that date alone.
_REQUEST = re.compile(r" \S{1,256}\[\d{1,10}\]: |(?: \S{1,256})? \[\d\d/[A-Z][a-z]{2}/\d{4}:")


def told_of(incident: Incident) -> Iterator[Told]:
    """The events of a death, each told once, with the warnings that came before it."""
    log = incident.evidence
    events = [event for rank in log.ranked() for event in rank if not isinstance(event, BugReport) or event.fatal]
    told = [one for one in map(_event, events) if one is not None]
    if log.bug_reports and not any(one.what == "death" for one in told):
        told = [Told("death", "ABORT_NOW", one.origin) for one in log.bug_reports if one.fatal][:1] + told
    yield from told
    warnings = [(_check(one), one.origin) for one in log.bug_reports if not one.fatal]
    warnings += [(_blocked(one), one.origin) for one in log.mentions if one.what == "blocked traffic warning"]
    yield from _together("warning", warnings)


def _check(one: BugReport) -> str:
    return f"a check failed that does not end the process: {one.condition} at {one.file}:{one.line_number}"


def _blocked(one: Mention) -> str:
    """How long differs each time."""
    return one.value.partition(" for ")[0]


def _together(what: str, warnings: Sequence[tuple[str, Origin]]) -> Iterator[Told]:
    """Equal ones once, the latest kinds."""
    groups: dict[str, list[Origin]] = {}
    for text, origin in warnings:
        groups.setdefault(text, []).append(origin)
    for text, origins in list(groups.items())[-_WARNINGS:]:
        yield Told(what, text, origins[0], len(origins), origins[-1])


def _event(event: Fatal) -> Told | None:
    what, text = _words(event)
    return Told(what, text, event.origin) if text else None


def _words(event: Fatal) -> tuple[str, str]:
    """What happened, and its words without those of a request that a lost line end put behind them."""
    what, text = _all_words(event)
    return what, _REQUEST.split(text.partition("\n")[0], maxsplit=1)[0].rstrip()


def _all_words(event: Fatal) -> tuple[str, str]:
    match event:
        case BugReport():
            where = f" at {event.file}:{event.line_number}" if event.file else ""
            # Up to 2.9 ABORT_NOW() prints nothing but its trace; what it announced before is told.
            return "death", f"{event.condition or ('ABORT_NOW' if where else '')}{where}"
        case Panic():
            thread = f", thread {event.thread}" if event.thread is not None else ""
            return "death", f"the watchdog ended the process{thread}"
        case KernelFault():
            return "kernel", f"{event.signal} in thread {event.pid}"
        case CoredumpReport():
            return "core", f"a core of process {event.pid} was stored"
        case OutOfMemory():
            return "death", "killed as memory ran out"
        case WorkerExit():
            role = f"{event.role} worker" if event.role in ("former", "failed") else "worker"
            how = f" ({event.signal})" if event.signal else ""
            return "exit", f"{role} {event.pid} ended with code {event.code}{how}"
        case SystemdExit():
            return "exit", f"{event.unit}: {event.code}, status {event.status}"
        case Mention():
            return ("death", _FATAL[event.what] + event.value) if event.what in _FATAL else ("", "")
        case PastedBacktrace():
            return "", ""


#: Mentions that end a process, and what their words need to be understood.
_FATAL = {
    "libc abort": "", "asan": "AddressSanitizer: ", "lua": "Lua: ", "openssl": "", "pool": "damaged pool: ",
    "spinning": "",
}  # fmt: skip


def told_around(log: LogEvidence, incident: Incident) -> Iterator[Told]:
    """Starts, ordinary exits and other deaths before this one, and those soon after it."""
    starts = [Told(one.what, one.text, one.origin) for one in log.happenings]
    starts += [_ordinary(one) for one in log.exits if one.signal is None and one.role in ("current", "former")]
    starts.sort(key=lambda one: one.origin.line)
    yield from [one for one in starts if one.origin.line < incident.first.line][-_STARTS:]
    soon = [one for one in starts if one.origin.line >= incident.first.line and _soon(one.origin, incident.last)]
    yield from soon[:_STARTS]
    others = [one for one in log.incidents if one.number != incident.number]
    for one in [each for each in others if each.number < incident.number][-_DEATHS:]:
        yield Told("earlier death", _name(one), one.first)
    for one in [each for each in others if each.number > incident.number][:_DEATHS]:
        yield Told("later death", _name(one), one.first)


def _ordinary(one: WorkerExit) -> Told:
    role = "former worker" if one.role == "former" else "worker"
    return Told("exit", f"{role} {one.pid} ended with code {one.code}", one.origin)


def _soon(one: Origin, death: Origin) -> bool:
    if one.instant is not None and death.instant is not None:
        return one.instant - death.instant <= _AFTER
    return one.line - death.line <= _AFTER_LINES


def _name(incident: Incident) -> str:
    pid = f", process {incident.pid}" if incident.pid is not None else ""
    fatal = incident.evidence.fatal()
    words = "" if isinstance(fatal, Absence) else _words(fatal)[1]
    return f"incident {incident.number}{pid}" + (f": {words}" if words else "")
