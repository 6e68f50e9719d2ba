"""No pattern takes more than linear time, whatever a line holds."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest

from forensics.logs.carrier import MAX_LINE
from forensics.matching.knowledge import load_knowledge
from forensics.matching.signature import GROUPS
from tests.logs.hostile_lines import Found, hostile, patterns_of

PACKAGES = ("forensics.logs", "forensics.config", "forensics.names", "forensics.culprit", "forensics.versions")
CLAUSES = [
    Found(f"{each.id} {clause.fact}", re.compile(str(clause.operand)), ("search",))
    for each in load_knowledge()
    for name in GROUPS
    for clause in each.group(name)
    if clause.test == "matches"
]
PATTERNS = [*patterns_of(*PACKAGES), *CLAUSES]
#: Seconds for the largest line; the slowest honest pattern takes a tenth of it on a busy machine.
BOUND = 0.5
#: Growth over four times the size: 4 is linear, 16 is quadratic. Times below the floor say nothing.
GROWTH, FLOOR = 9.0, 0.1
SMALL, LARGE = MAX_LINE // 4 + 9000, (MAX_LINE // 4 + 9000) * 4


def seconds(found: Found, method: str, line: str | bytes) -> float:
    """The time that one use takes, the better of two tries."""
    pattern: re.Pattern[Any] = found.pattern
    arguments = ("", line) if method == "sub" else (line,)
    best = 1e9
    for _try in range(2):
        started = time.process_time()
        used = getattr(pattern, method)(*arguments)
        if method == "finditer":
            list(used)
        best = min(best, time.process_time() - started)
        if best < FLOOR:
            break
    return best


@pytest.mark.parametrize("found", PATTERNS, ids=[each.name for each in PATTERNS])
def test_every_pattern_is_linear(found: Found) -> None:
    """Tried in the way its module uses it, with what it is made of."""
    for short, long in zip(hostile(found.pattern, SMALL), hostile(found.pattern, LARGE), strict=True):
        for method in found.uses:
            lines: tuple[Any, Any] = (short, long)
            if isinstance(found.pattern.pattern, bytes):
                lines = (short.encode("latin-1", "replace"), long.encode("latin-1", "replace"))
            # A busy machine may stretch any one measurement; what is quadratic is so every time.
            said = complaint(found, method, lines)
            for _try in range(3 if said else 0):
                said = complaint(found, method, lines) and said
            assert not said, f"{said}: {long[:60]!r} with {method}"


def complaint(found: Found, method: str, lines: tuple[Any, Any]) -> str:
    """What is wrong with the times of a short and a long line, "" for nothing."""
    before, took = (seconds(found, method, line) for line in lines)
    if max(before, took) >= BOUND:
        return f"{before:.2f} s, then {took:.2f} s"
    return f"{before:.4f} s, then {took:.4f} s" if took > FLOOR and took >= before * GROWTH else ""


def test_the_patterns_of_all_modules_are_found() -> None:
    """The net has no holes: each `re.compile` of a module's own level is among them."""
    names = {each.name.rsplit(".", 1)[0] for each in PATTERNS}
    for path in (Path(__file__).resolve().parents[2] / "forensics" / "logs").glob("*.py"):
        if re.search(r"^_?[A-Z_]+ = re\.compile", path.read_text(encoding="utf-8"), re.MULTILINE):
            assert f"forensics.logs.{path.stem}" in names
