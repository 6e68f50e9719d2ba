"""`show info`: the process as a whole, in the lines of HAProxy's `show info`."""

from __future__ import annotations

from collections.abc import Iterator

from forensics.absence import Absence
from forensics.haproxy.state import State
from forensics.report.scrub import scrub_text
from forensics.show.answer import Answer, Question
from forensics.show.info_fields import LINES, Asked


def answer(state: State, question: Question) -> Answer | Absence:
    """All that memory tells; what it does not is left out, and told as gaps."""
    asked = Asked(state)
    found = {line.name: line.read(asked) for line in LINES if line.printed(asked)}
    told = {name: value for name, value in found.items() if not isinstance(value, Absence)}
    if question.scrub and "description" in told:
        told["description"] = scrub_text(str(told["description"]))  # whatever the configuration says there
    missing = {name: value for name, value in found.items() if isinstance(value, Absence)}
    return Answer(lambda: _lines(told), lambda: told, lambda: grouped(missing))


def _lines(told: dict[str, int | str]) -> Iterator[str]:
    for name, value in told.items():
        yield f"{name}: {value}"


def grouped(missing: dict[str, Absence]) -> tuple[Absence, ...]:
    """One gap for all that is missing for the same reason."""
    names: dict[tuple[str, str], list[str]] = {}
    for name, absence in missing.items():
        names.setdefault((absence.reason, absence.remedy), []).append(name)
    return tuple(Absence(", ".join(each), reason, remedy) for (reason, remedy), each in names.items())
