"""Which events belong to one death: by pid where lines bear one, by order and nearness elsewhere.

A death has several witnesses: the process itself, the kernel, systemd-coredump, a debugger, the master, systemd. Each
speaks once, so a second word of the same witness is another death. A process writes to a stderr that it has from its
master, so the pid of a carrier's tag can be the master's; who reports exits is a master.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from forensics.logs.bug import BugReport
from forensics.logs.coredump import CoredumpReport
from forensics.logs.evidence import Incident, LogEvidence
from forensics.logs.fatal import Fatal, is_death
from forensics.logs.gdb import PastedBacktrace
from forensics.logs.kernel import KernelFault
from forensics.logs.line import NOWHERE, Origin
from forensics.logs.master import WorkerExit
from forensics.logs.mentions import Mention
from forensics.logs.nearness import possible, seconds_between
from forensics.logs.out_of_memory import OutOfMemory
from forensics.logs.panic import Panic
from forensics.logs.systemd import SystemdExit
from forensics.record import field, open_record, replace

#: Incidents kept of one log, the latest ones; and open ones that an event is compared with.
MAX_INCIDENTS, _OPEN = 1000, 32
#: Events of one incident; a death has some ten.
_MOST = 64
#: Seconds, and lines, within which deaths are simultaneous.
_AT_ONCE, _AT_ONCE_LINES = 30.0, 300
#: Lines between the announcement of an abort and its assertion line.
_REPORT_LINES = 80
#: The same where others write to the log at that time.
_REPORT_FAR = 4000
#: Lines in which the kernel names several threads of one process.
_KERNEL_LINES = 8
#: The same where the mapping is at an address that is drawn by lot for each program that is started.
_KERNEL_FAR, _RANDOM_BASE = 300, 1 << 40
#: Seconds in which the threads of one process fault.
_MOMENT = 0.5
#: What the log tells of the process itself, kept with each death that comes later.
_LASTING = frozenset({"version", "executable", "status", "inconsistent library", "watchdog disabled"})
_MAX_LASTING = 16
#: Lines in which a master names its version when a worker died; what comes later can be another release.
_AFTER_LINES = 16

#: A warning that can precede a panic.
_BLOCKED = "blocked traffic warning"

#: Lines around a death in which its process is described: fields above it, a table of the process below.
_AROUND = 64

_SIGNALS = {"segfault": ("SIGSEGV", "SIGBUS"), "general protection": ("SIGSEGV",)}


@open_record
class _Case:
    """A death while its events come in."""

    events: list[Fatal] = field(default_factory=list)
    pid: int | None = None
    lwps: set[int] = field(default_factory=set)

    def has(self, *kinds: type) -> bool:
        """Whether a witness of one of these kinds spoke."""
        return any(isinstance(one, kinds) for one in self.events)

    @property
    def itself(self) -> list[Fatal]:
        """What the process wrote."""
        return [one for one in self.events if isinstance(one, BugReport | Panic | Mention)]

    @property
    def ended(self) -> bool:
        """Whether somebody saw it go."""
        return self.has(WorkerExit, SystemdExit)

    @property
    def last(self) -> Origin:
        """The origin of the latest event."""
        return self.events[-1].origin


def group(log: LogEvidence, complete_from: int = 0) -> LogEvidence:
    """The evidence with its incidents.

    Above the line ``complete_from`` some witnesses were too many to be kept: a death of which another one is left
    there is counted once.
    """
    ranked = log.ranked()
    events = sorted((one for rank in ranked for one in rank if is_death(one)), key=lambda one: one.line)
    masters = {one.origin.source for one in log.exits}
    cases: deque[_Case] = deque()
    recent: deque[_Case] = deque(maxlen=_OPEN)
    dropped, seen = log.earlier_incidents, 0
    for event in events:
        pid = _own_pid(event, masters)
        case = _choose(recent, event, pid)
        if case is None:
            case = _Case()
            cases.append(case)
            recent.append(case)
        _add(case, event, pid)
        if len(cases) > MAX_INCIDENTS:
            seen += cases.popleft().last.line < complete_from
            dropped += 1
    seen += sum(case.last.line < complete_from for case in cases)
    dropped -= min(seen, log.earlier_incidents)
    # A place that is quoted without its death can be that of any, unless there is only one.
    told = log if len(cases) == 1 else replace(log, places=(), address_lists=(), mappings=())
    return replace(log, incidents=tuple(_incidents(told, cases, dropped)), earlier_incidents=dropped)


def _add(case: _Case, event: Fatal, pid: int | None) -> None:
    case.events.append(event)
    case.pid = case.pid if case.pid is not None else pid
    if isinstance(event, KernelFault):
        case.lwps.add(event.pid)
    elif isinstance(event, CoredumpReport):
        case.lwps.update(thread.lwp for thread in event.threads)


def _own_pid(event: Fatal, masters: set[tuple[str | None, str | None, int | None]]) -> int | None:
    """The pid of the process that died, as far as this event knows it."""
    if isinstance(event, WorkerExit | CoredumpReport | OutOfMemory):
        return event.pid
    if isinstance(event, Panic) and event.pid is not None:
        return event.pid
    if isinstance(event, BugReport | Panic | Mention) and event.origin.pid != 1:
        return None if event.origin.source in masters or not masters else event.origin.pid
    return None


def _choose(cases: deque[_Case], event: Fatal, pid: int | None) -> _Case | None:
    """The case that an event belongs to, None for a new one."""
    here = [
        case
        for case in reversed(cases)
        if len(case.events) < _MOST and possible(case.last, event.origin, _named(case, event, pid))
    ]
    match event:
        case BugReport() | Panic() | Mention():
            return next((case for case in here if _said_by(case, event, pid)), None)
        case KernelFault():
            return _of_kernel(here, event)
        case CoredumpReport():
            return _of_coredump(here, event)
        case PastedBacktrace():
            latest = here[0] if here else None
            return None if latest and latest.has(PastedBacktrace) and len(latest.itself) == 0 else latest
        case OutOfMemory():
            return _of_killer(here, event)
        case WorkerExit():
            return _of_exit(here, event)
        case SystemdExit():
            return here[0] if here and not here[0].has(SystemdExit) else None


def _named(case: _Case, event: Fatal, pid: int | None) -> bool:
    """Whether an event names the process of a case."""
    own = event.pid if isinstance(event, KernelFault) else pid
    return own is not None and (own == case.pid or own in case.lwps)


def _said_by(case: _Case, event: Fatal, pid: int | None) -> bool:
    """Whether a process can have said this too."""
    if pid is not None and case.pid is not None and pid != case.pid:
        return False
    said = case.itself
    if not said:
        # The kernel's words and a debugger's may stand above those of the process.
        return not case.ended and not case.has(OutOfMemory)
    last = said[-1]
    if _source(last, event) or last.line > event.line:
        return False
    if isinstance(event, BugReport) and isinstance(last, BugReport):
        # A report quoted above itself has no trace there.
        key = (last.condition, last.file, last.line_number)
        quoted = not last.frames and bool(event.frames) and key == (event.condition, event.file, event.line_number)
        return quoted and not case.ended
    announced = isinstance(last, Mention) or isinstance(event, Mention)
    return announced and not case.ended and _goes_on(last.origin, event.origin)


def _goes_on(one: Origin, other: Origin) -> bool:
    """Whether one writer's words belong together: others may write at the same time, which their tags tell."""
    lines = other.line - one.line
    if lines < _REPORT_LINES or one.source == NOWHERE.source:
        return lines < _REPORT_LINES
    return lines < _REPORT_FAR and _at_once(one, other, _REPORT_FAR)


def _source(one: Fatal, other: Fatal) -> bool:
    """Whether two words of a process come from different writers."""
    return one.origin.source != other.origin.source


def _of_kernel(cases: Sequence[_Case], event: KernelFault) -> _Case | None:
    named = next((one for one in cases if one.pid == event.pid and not one.has(KernelFault)), None)
    if named is not None:
        return named
    for one in cases:
        faults = [each for each in one.events if isinstance(each, KernelFault)]
        if not faults and not one.ended and not one.has(OutOfMemory):
            return one
        # Threads of one process that fault at one time have one mapping.
        if faults and faults[-1].base == event.base is not None and _same_moment(faults[-1], event):
            return one
    return None


def _same_moment(one: KernelFault, other: KernelFault) -> bool:
    passed = seconds_between(one.origin, other.origin)
    if passed is not None and passed > _MOMENT:
        return False
    drawn = one.base is not None and one.base >= _RANDOM_BASE
    return other.line - one.line <= (_KERNEL_FAR if drawn and passed is not None else _KERNEL_LINES)


def _of_coredump(cases: Sequence[_Case], event: CoredumpReport) -> _Case | None:
    fresh = [one for one in cases if not one.has(CoredumpReport)]
    named = next((one for one in fresh if one.pid == event.pid), None)
    lwps = {thread.lwp for thread in event.threads} | {event.pid}
    return named or next(
        (one for one in fresh if one.pid is None and not one.has(WorkerExit) and (not one.lwps - lwps)),
        None,
    )


def _of_killer(cases: Sequence[_Case], event: OutOfMemory) -> _Case | None:
    if event.pid is None:
        return next((one for one in cases if one.has(OutOfMemory)), None)
    return next((one for one in cases if one.pid == event.pid and not one.has(OutOfMemory)), None)


def _of_exit(cases: Sequence[_Case], event: WorkerExit) -> _Case | None:
    open_ones = [one for one in cases if not one.has(WorkerExit)]
    # A BSD kernel and the master tell of one end, in any order.
    ended = [one for one in cases if one.pid == event.pid and one.has(WorkerExit)]
    named = next((one for one in ended if _other_role(one, event)), None) or next(
        (one for one in open_ones if one.pid == event.pid or event.pid in one.lwps), None
    )
    if named is not None:
        return named
    fitting = [one for one in open_ones if one.pid is None and not one.has(SystemdExit) and _fits(one, event)]
    if not fitting:
        return None
    # Of processes that die at once the first one goes first; what died long ago is not waited for.
    return [one for one in fitting if _at_once(one.last, fitting[0].last)][-1]


def _other_role(case: _Case, event: WorkerExit) -> bool:
    """Whether all that told of the exit were masters and this one is a kernel, or the other way round."""
    told = [one for one in case.events if isinstance(one, WorkerExit)]
    return all((one.role == "process") != (event.role == "process") for one in told)


def _at_once(one: Origin, other: Origin, lines: int = _AT_ONCE_LINES) -> bool:
    if one.instant is not None and other.instant is not None:
        return abs(one.instant - other.instant) <= _AT_ONCE
    return abs(one.line - other.line) <= lines


def _fits(case: _Case, event: WorkerExit) -> bool:
    """Whether a process that died so can have had this exit code."""
    for one in case.events:
        if isinstance(one, Panic) and event.signal != "SIGABRT":
            return False
        if isinstance(one, BugReport) and event.signal == "SIGKILL":
            return False
        if isinstance(one, KernelFault) and event.signal not in _SIGNALS.get(one.kind, (event.signal,)):
            return False
        if isinstance(one, OutOfMemory) and event.signal != "SIGKILL":
            return False
    return True


def _incidents(log: LogEvidence, cases: Iterable[_Case], dropped: int) -> Iterable[Incident]:
    """The cases in order of their ends, each with what the log says around it."""
    ordered = sorted(cases, key=lambda case: case.last.line)
    lasting = [one for one in log.mentions if one.what in _LASTING]
    passing = _nearest([one for one in log.mentions if one.what not in _LASTING and one.what != _BLOCKED], ordered)
    warned = _announced(log, ordered)
    for number, case in enumerate(ordered, 1):
        after = ordered[number].events[0].line if number < len(ordered) else None
        soon = case.last.line + _AFTER_LINES
        said = _before(lasting, soon if after is None else min(soon, after), case.last) or _before(
            lasting, after, case.last
        )
        warnings = warned.get(number - 1, [])
        checks = [one for one in warnings if isinstance(one, BugReport)]
        own = [*passing.get(number - 1, []), *(one for one in warnings if isinstance(one, Mention))]
        yield Incident(
            number + dropped,
            case.pid if case.pid is not None else _tag_pid(case),
            tuple(sorted(_pids(case))),
            case.events[0].origin,
            case.last,
            _evidence(log, case, checks, sorted((*said, *own), key=lambda one: one.line)),
        )


def _before(mentions: Sequence[Mention], line: int | None, death: Origin) -> list[Mention]:
    """The latest mentions above a line, of the machine of the death; all where there is no line."""
    from bisect import bisect_left

    end = len(mentions) if line is None else bisect_left(mentions, line, key=lambda one: one.line)
    near = mentions[max(0, end - 4 * _MAX_LASTING) : end]
    return [one for one in near if _possible_host(one.origin, death)][-_MAX_LASTING:]


def _possible_host(one: Origin, other: Origin) -> bool:
    return not (one.host and other.host) or one.host == other.host


def _nearest(mentions: Sequence[Mention], cases: Sequence[_Case]) -> dict[int, list[Mention]]:
    """Each mention with the death that it is about: its own, the one that its writer told of last, or the next one."""
    if not cases:
        return {}
    owner = {id(event): place for place, case in enumerate(cases) for event in case.events}
    begins = sorted((case.events[0].line, place) for place, case in enumerate(cases))
    by_writer: dict[tuple[str | None, str | None, int | None], list[tuple[int, int]]] = {}
    for line, place in begins:
        by_writer.setdefault(cases[place].events[0].origin.source, []).append((line, place))
    found: dict[int, list[Mention]] = {}
    for one in mentions:
        place = owner.get(id(one), _latest_begun(by_writer.get(one.origin.source) or begins, one.line))
        found.setdefault(place, []).append(one)
    return found


def _announced(log: LogEvidence, cases: Sequence[_Case]) -> dict[int, list[BugReport | Mention]]:
    """Warnings with the death that came next, of the same writer where that one died."""
    warnings: list[BugReport | Mention] = [one for one in log.bug_reports if not one.fatal]
    warnings += [one for one in log.mentions if one.what == _BLOCKED]
    begins = sorted((case.events[0].line, place) for place, case in enumerate(cases))
    by_writer: dict[tuple[str | None, str | None, int | None], list[tuple[int, int]]] = {}
    for line, place in begins:
        by_writer.setdefault(cases[place].events[0].origin.source, []).append((line, place))
    found: dict[int, list[BugReport | Mention]] = {}
    for one in sorted(warnings, key=lambda each: each.line):
        own = _next_begun(by_writer.get(one.origin.source, ()), one.line)
        chosen = _next_begun(begins, one.line) if own is None else own
        if chosen is not None:
            found.setdefault(chosen, []).append(one)
    return found


def _next_begun(begins: Sequence[tuple[int, int]], line: int) -> int | None:
    from bisect import bisect_left

    after = bisect_left(begins, (line, 0))
    return begins[after][1] if after < len(begins) else None


def _latest_begun(begins: Sequence[tuple[int, int]], line: int) -> int:
    from bisect import bisect_right

    after = bisect_right(begins, (line, 1 << 62))
    return begins[max(0, after - 1)][1]


def _around(lines: Sequence[Mention], case: _Case) -> tuple[Mention, ...]:
    """What describes the process in the lines around its death."""
    from bisect import bisect_left

    first = bisect_left(lines, case.events[0].line - _AROUND, key=lambda one: one.line)
    last = bisect_left(lines, case.last.line + _AROUND, key=lambda one: one.line)
    return tuple(one for one in lines[first:last] if _possible_host(one.origin, case.last))


def _tag_pid(case: _Case) -> int | None:
    """Where nobody names the process: the pid under which it wrote, which may be its master's."""
    said = [one.origin.pid for one in case.itself if one.origin.pid is not None]
    return said[0] if said else next(iter(sorted(case.lwps)), None)


def _pids(case: _Case) -> set[int]:
    tags = {one.origin.pid for one in case.itself if one.origin.pid is not None}
    return tags | case.lwps | ({case.pid} if case.pid is not None else set())


def _evidence(log: LogEvidence, case: _Case, checks: Sequence[BugReport], mentions: Sequence[Mention]) -> LogEvidence:
    def of(kind: type) -> tuple:  # type: ignore[type-arg]
        return tuple(one for one in case.events if isinstance(one, kind))

    return LogEvidence(
        (*checks, *of(BugReport)), of(Panic), of(WorkerExit), of(KernelFault), of(SystemdExit), of(OutOfMemory),
        of(CoredumpReport), of(PastedBacktrace), tuple(mentions), log.lines_read, log.carriers, places=log.places,
        process_lines=_around(log.process_lines, case), address_lists=log.address_lists, mappings=log.mappings,
    )  # fmt: skip
