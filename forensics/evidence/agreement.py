"""Where two witnesses of one incident contradict each other."""

from __future__ import annotations

from forensics.evidence.fact import Crash, Fact
from forensics.names import UNNAMED
from forensics.record import record

#: Subjects that both core and log can tell, and how a report calls them.
_SUBJECTS = {
    "process.version": "version",
    "process.pid": "pid",
    "crash.kind": "how it died",
    "crash.signal": "signal",
    "crash.condition": "condition of the assertion",
    "crash.source_line": "line of the assertion",
    "stack": "functions of the crashed thread",
    "config.threads": "nbthread",
}


@record
class Contradiction:
    """What two witnesses say differently about ``subject``."""

    subject: str
    first: Fact
    second: Fact


def contradictions(crash: Crash) -> tuple[Contradiction, ...]:
    """Every subject on which the most trusted witness and another one do not agree."""
    found = []
    for name, subject in _SUBJECTS.items():
        facts = crash.all(name)
        for other in facts[1:]:
            if other.source.input != facts[0].source.input and _differ(facts[0], other):
                found.append(Contradiction(subject, facts[0], other))
                break
    return tuple(found)


def _differ(first: Fact, second: Fact) -> bool:
    if first.name == "stack":
        return _stacks_differ(_physical(first), _physical(second))
    if first.name == "crash.kind":
        return "unknown" not in (first.value, second.value) and first.value != second.value
    if first.name == "crash.condition":
        return "".join(str(first.value).split()) != "".join(str(second.value).split())
    if first.name == "process.version":
        return not _same_version(str(first.value), str(second.value))
    return first.value != second.value


def _same_version(first: str, second: str) -> bool:
    """`2.9.6` and `2.9.6-9eafce5` name the same release."""
    shorter, longer = sorted((first, second), key=len)
    return longer == shorter or longer.startswith((f"{shorter}-", f"{shorter}+"))


def _physical(fact: Fact) -> list[str]:
    """The stack without inlined frames, which logs do not show."""
    entries = fact.value if isinstance(fact.value, tuple) else ()
    # libc and the vdso have several names for one function; which is shown depends on who resolves it.
    return [entry.removeprefix("__GI_").removeprefix("__vdso_") for entry in entries if not entry.startswith("[")]


def _stacks_differ(first: list[str], second: list[str]) -> bool:
    """Whether no single stack could be behind both.

    Where one names every frame, the other's names must stand among them in order; where
    both have nameless frames, only the names at the same depth can be compared.
    """
    for whole, part in ((first, second), (second, first)):
        if UNNAMED not in whole:
            return not _in_order(whole, [name for name in part if name != UNNAMED])
    return any(a != b for a, b in zip(first, second, strict=False) if UNNAMED not in (a, b))


def _in_order(whole: list[str], part: list[str]) -> bool:
    remaining = iter(whole)
    return all(any(name == other for other in remaining) for name in part)
