"""Which of the deaths that logs tell of is the one that is asked about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from forensics.absence import Absence
from forensics.errors import UsageError
from forensics.evidence.fact import OTHERS
from forensics.record import open_record

if TYPE_CHECKING:
    from forensics.logs import Incident, LogEvidence

#: Seconds between what two logs say of one death.
_NEAR = 900.0
#: Incidents that a gap names.
_NAMED = 5


@open_record
class Asked:
    """What was asked for, by its number in the log or its pid, and what the first log made of it.

    ``core_pids`` are the pid and the threads' LWPs of a core among the inputs. ``chosen`` is the incident that other
    logs are compared with; ``told`` counts the incidents of all logs, ``found`` says whether one of them was the
    wanted one.
    """

    number: int | None = None
    pid: int | None = None
    core_pids: tuple[int, ...] = ()
    chosen: Incident | None = None
    told: int = 0
    found: bool = False

    def choose(self, log: LogEvidence) -> Incident | None:
        """The incident of this log, None where it tells of no death."""
        if not log.incidents:
            return None
        self.told = max(self.told, log.incidents[-1].number)
        incident = self._wanted(log.incidents)
        self.found = self.found or incident is not None
        incident = incident or self._like_the_core(log.incidents) or self._like_the_chosen(log.incidents)
        incident = incident or log.incidents[-1]
        self.chosen = self.chosen or incident
        return incident

    def check(self) -> None:
        """Raise UsageError when no log tells of what was asked for."""
        if self.found or (self.number is None and self.pid is None):
            return
        what = f"no incident {self.number}" if self.pid is None else f"no incident of pid {self.pid}"
        told = f"the logs tell of {self.told}" if self.told else "the logs tell of no death"
        hint = "`haproxy-forensics scan LOG` shows one line each, with its number and pid"
        raise UsageError(f"there is {what}: {told}", hint)

    def _wanted(self, incidents: Sequence[Incident]) -> Incident | None:
        if self.pid is not None:
            return _of_pids(incidents, (self.pid,))
        if self.number is None or self.found:
            return None
        return next((one for one in incidents if one.number == self.number), None)

    def _like_the_core(self, incidents: Sequence[Incident]) -> Incident | None:
        if not self.core_pids:
            return None
        nameless = (one for one in reversed(incidents) if one.pid is None)
        return _of_pids(incidents, self.core_pids) or next(nameless, None)

    def _like_the_chosen(self, incidents: Sequence[Incident]) -> Incident | None:
        """The same process, or else the death that is nearest in time."""
        if self.chosen is None:
            return None
        if self.chosen.pid is not None and (same := _of_pids(incidents, (self.chosen.pid,))):
            return same
        when = self.chosen.last.instant
        if when is None:
            return None
        timed = [(abs(one.last.instant - when), one) for one in incidents if one.last.instant is not None]
        apart, nearest = min(timed, key=lambda each: each[0], default=(_NEAR + 1, None))
        return nearest if apart <= _NEAR else None


def _of_pids(incidents: Sequence[Incident], pids: tuple[int, ...]) -> Incident | None:
    """The latest incident of a process, by its own pid, or else by any that lines about it bear."""
    for own in (True, False):
        for one in reversed(incidents):
            if one.pid in pids or (not own and set(one.pids) & set(pids)):
                return one
    return None


def other_incidents(log: LogEvidence, chosen: Incident, path: str) -> Iterator[Absence]:
    """That a log tells of other deaths too, and how to ask for them."""
    others = [one for one in log.incidents if one is not chosen]
    if not others and not log.earlier_incidents:
        return
    total = log.incidents[-1].number
    named = [_named(one) for one in reversed(others[-_NAMED:])]
    more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
    lost = f"; the first {log.earlier_incidents} were too many to be kept" if log.earlier_incidents else ""
    yield Absence(
        f"{OTHERS}{path}",
        f"it tells of {total} deaths, and this report is about {_named(chosen)};"
        f" the others: {', '.join(named)}{more}{lost}",
        "`--incident N` or `--pid PID` for another one; `haproxy-forensics scan` shows all, one line each",
    )


def _named(one: Incident) -> str:
    """An incident in a few words."""
    known = [f"pid {one.pid}" if one.pid is not None else "", one.last.time or f"line {one.last.line}"]
    return f"{one.number} ({', '.join(each for each in known if each)})"
