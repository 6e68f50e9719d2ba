"""Facts of an assertion of which people quote the place and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from forensics.absence import Absence
from forensics.evidence.fact import DEATH, Fact
from forensics.logs import AssertionPlace, CoredumpReport, Fatal, KernelFault, LogEvidence, SystemdExit, WorkerExit
from forensics.source import Source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from forensics.history.assertions import Assertion

#: Checks that end the process in no build of the usual kind.
_WARNING = ("WARN_ON", "WARN_ON_ONCE", "CHECK_IF", "CHECK_IF_HOT")
_CUT = "only the place of the check is there, not the line that HAProxy wrote"
_WHOLE = "the whole line, and the call trace below it, from the worker's log: `journalctl -u haproxy -g 'matched at'`"


def quoted_place(log: LogEvidence, fatal: Fatal | Absence) -> AssertionPlace | None:
    """The place that may be that of the death: the last with "matched at", else the last one that releases have.

    None where a witness says by itself how the process died.
    """
    silent = isinstance(fatal, Absence | WorkerExit | SystemdExit | CoredumpReport)
    if not silent and not (isinstance(fatal, KernelFault) and fatal.deliberate):
        return None
    worded = [one for one in log.places if not one.alone]
    return worded[-1] if worded else next((one for one in reversed(log.places) if _known(one)), None)


def _known(place: AssertionPlace) -> bool:
    return bool(_assertions(place))


def _assertions(place: AssertionPlace) -> Sequence[Assertion] | Absence:
    from forensics.history.assertions import find_assertions

    return find_assertions(place.file, place.line_number)


def collect_place(place: AssertionPlace, path: str) -> Iterator[Fact | Absence]:
    """The assertion at this place, as far as the releases tell."""
    source = Source(path, "place of an assertion, without the words around it", line=place.line)
    found = _assertions(place)
    kinds = {one.kind for one in found or ()}
    if kinds and kinds <= {*_WARNING}:
        where = f"{place.file}:{place.line_number}"
        yield Fact("warnings.checks", (f"{'/'.join(sorted(kinds))} at {where}",), source)
        yield Absence(DEATH, f"{path}: the check at {where} warns, and does not end the process", "the worker's log")
        return
    yield Fact("crash.kind", "abort_now" if kinds == {"ABORT_NOW"} else "bug_on", source, "derived")
    yield Fact("crash.source_file", place.file, source)
    yield Fact("crash.source_line", place.line_number, source)
    if place.condition and (place.worded or _is_condition(place)):
        yield Fact("crash.condition", place.condition, source)
    else:
        yield Absence("crash.condition", f"line {place.line} of {path}: {_CUT}", _WHOLE)
    yield Absence("stack", f"line {place.line} of {path}: {_CUT}", _WHOLE)


def _is_condition(place: AssertionPlace) -> bool:
    """Whether some release has what stands before the place as a condition in this file."""
    from forensics.history.assertions import places_of

    return bool(places_of(place.file, place.condition))
