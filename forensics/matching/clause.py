"""One clause against the facts of one crash, three-valued."""

from __future__ import annotations

from collections.abc import Callable

from forensics.absence import Absence
from forensics.evidence.catalogue import KINDS
from forensics.evidence.fact import Crash, Fact, FactValue
from forensics.matching.frames import matches_stack
from forensics.matching.signature import Clause
from forensics.matching.verdict import Deciding
from forensics.record import replace
from forensics.versions import Version

#: Seconds that one pattern may take on one text.
PATTERN_SECONDS = 0.5


def evaluate(clause: Clause, crash: Crash) -> Deciding:
    """Whether the clause holds, by the most trusted witness that can tell."""
    facts = crash.all(clause.fact)
    for fact in facts:
        held = holds(clause, fact.value)
        if held is not None:
            return Deciding(clause, held, fact)
    return Deciding(clause, None, _undecided(clause, facts[0]) if facts else missing_fact(clause.fact, crash))


def holds(clause: Clause, value: FactValue) -> bool | None:
    """Whether the clause holds for one value; None where the value cannot tell."""
    return _TESTS[clause.test](clause, value)


#: What names the frames of a stack that is there.
NAMES = "the executable that ran with its debug symbols (`--exe`, `--debug-dir`), or the core"


def missing_fact(name: str, crash: Crash) -> Absence:
    """Why no input gave the fact, and what would supply it."""
    found = crash.get(name)
    absent = found if isinstance(found, Absence) else Absence(name, "what was read does not decide")
    return absent if absent.remedy else replace(absent, remedy=KINDS[name].supply)


def _undecided(clause: Clause, fact: Fact) -> Absence:
    reason = (
        "frames without a name, or a stack that was cut, leave it open"
        if clause.test == "frames"
        else (f"`{str(fact.value)[:60]}` cannot be tested by `{clause.test}`")
    )
    return Absence(clause.fact, reason, NAMES if clause.test == "frames" else KINDS[clause.fact].supply)


def _comparable(name: str, value: FactValue) -> FactValue:
    """The value without what compilers and build directories change in it."""
    if name != "crash.condition" or not isinstance(value, str):
        return value
    # Logs print the condition with macros expanded, debuggers show the source: one form for both.
    return "".join(value.split()).replace("TICK_ETERNITY", "0").replace("((void*)0)", "NULL")


def _equal(clause: Clause, value: FactValue) -> bool:
    if clause.fact == "crash.source_file":
        # An out-of-tree build prints a longer path than `src/task.c`.
        return f"/{value}".endswith(f"/{clause.operand}")
    wanted, found = _comparable(clause.fact, clause.operand), _comparable(clause.fact, value)
    return type(wanted) is type(found) and wanted == found


def _is_in(clause: Clause, value: FactValue) -> bool:
    found = str(value) if isinstance(value, int) else value
    return any(_equal(replace(clause, operand=each), found) for each in _strings(clause.operand))


def _contains(clause: Clause, value: FactValue) -> bool:
    if isinstance(value, tuple):
        return clause.operand in value
    return str(_comparable(clause.fact, clause.operand)) in str(_comparable(clause.fact, value))


def _matches(clause: Clause, value: FactValue) -> bool | None:
    import regex  # heavy, and only these clauses need it

    try:
        pattern = regex.compile(str(clause.operand))
        return any(pattern.search(text, timeout=PATTERN_SECONDS) for text in _strings(value))
    except TimeoutError:
        return None


def _at_least(clause: Clause, value: FactValue) -> bool | None:
    return value >= clause.operand if isinstance(value, int) and isinstance(clause.operand, int) else None


def _at_most(clause: Clause, value: FactValue) -> bool | None:
    return value <= clause.operand if isinstance(value, int) and isinstance(clause.operand, int) else None


def _within(clause: Clause, value: FactValue) -> bool | None:
    version = Version.parse(str(value))
    if isinstance(version, Absence):
        return None
    return any(version.in_range(each) for each in _strings(clause.operand))


def _frames(clause: Clause, value: FactValue) -> bool | None:
    return matches_stack(_strings(clause.operand), _strings(value))


def _strings(value: FactValue) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else (str(value),)


_TESTS: dict[str, Callable[[Clause, FactValue], bool | None]] = {
    "is": _equal,
    "is_not": lambda clause, value: not _equal(clause, value),
    "in": _is_in,
    "contains": _contains,
    "matches": _matches,
    "at_least": _at_least,
    "at_most": _at_most,
    "within": _within,
    "frames": _frames,
}
