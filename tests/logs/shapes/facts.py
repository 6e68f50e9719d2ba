"""What a text must tell."""

from __future__ import annotations

from forensics.api import crash_of_text
from forensics.evidence.fact import Crash, FactValue

Facts = dict[str, FactValue | None]


def value(crash: Crash, name: str) -> FactValue | None:
    return next((fact.value for fact in crash.all(name)), None)


def check(text: str, facts: Facts) -> None:
    """Each fact has this value; None stands for none."""
    crash = crash_of_text(text)
    assert {name: value(crash, name) for name in facts} == facts


NONE: Facts = {"crash.kind": None, "crash.signal": None, "stack": None}
