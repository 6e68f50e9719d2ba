"""One clause against facts."""

from __future__ import annotations

import pytest

from forensics.absence import Absence
from forensics.evidence.catalogue import KINDS
from forensics.evidence.fact import Crash, Fact, FactValue
from forensics.matching import clause as clauses
from forensics.matching.clause import evaluate
from forensics.matching.signature import Clause
from tests.matching.crashes import crash


@pytest.mark.parametrize(
    ("fact", "test", "operand", "value", "held"),
    [
        ("crash.kind", "is", "bug_on", "bug_on", True),
        ("crash.kind", "is", "bug_on", "watchdog", False),
        ("crash.kind", "is_not", "bug_on", "watchdog", True),
        ("crash.kind", "in", ("bug_on", "watchdog"), "watchdog", True),
        ("crash.kind", "in", ("bug_on",), "watchdog", False),
        ("crash.condition", "is", "task->expire == 0", "task->expire==0", True),
        ("crash.condition", "is_not", "task->expire == 0", "task->expire  == 0", False),
        ("crash.condition", "is_not", "task->expire == 0", "task->expire == TICK_ETERNITY", False),
        ("crash.condition", "is", "s->txn == NULL", "s->txn == ((void *)0)", True),
        ("crash.condition", "contains", "expire == 0", "task->expire==0", True),
        ("crash.source_file", "is", "src/task.c", "/build/haproxy-2.9.6/src/task.c", True),
        ("crash.source_file", "is", "src/task.c", "src/mytask.c", False),
        ("crash.explanation", "contains", "on purpose", "This was triggered on purpose", True),
        ("crash.explanation", "matches", r"CLI '\w+", "from the CLI 'debug dev bug'", True),
        ("stack.functions", "contains", "boom", ("a", "boom"), True),
        ("stack.functions", "contains", "boo", ("a", "boom"), False),
        ("stack.functions", "matches", "^bo", ("a", "boom"), True),
        ("process.threads", "at_least", 2, 64, True),
        ("process.threads", "at_most", 1, 64, False),
        ("crash.address", "is", 1, 1, True),
        ("crash.address", "is", 1, True, False),
        ("peers.in_use", "is", True, False, False),
        ("process.version", "within", ("2.9.0..2.9.6",), "2.9.6-9eafce5", True),
        ("process.version", "within", ("2.9.0..2.9.6",), "2.9.7", False),
        ("process.version", "within", ("2.9.0..2.9.6",), "no version", None),
        ("stack", "frames", ("boom", "..."), ("boom", "main"), True),
        ("stack", "frames", ("boom", "..."), ("?", "main"), None),
    ],
)
def test_a_test_says_what_its_name_says(
    fact: str, test: str, operand: FactValue, value: FactValue, held: bool | None
) -> None:
    """Every test, on values that fit and that do not."""
    assert evaluate(Clause(fact, test, operand), crash({fact: value})).held is held


def test_a_decided_clause_carries_the_fact_it_met() -> None:
    """So that the report can show where it was read."""
    met = evaluate(Clause("crash.kind", "is", "bug_on"), crash({"crash.kind": "bug_on"})).fact
    assert isinstance(met, Fact)
    assert met.source.input == "witness 0"


def test_a_clause_on_an_absent_fact_says_what_would_supply_it() -> None:
    """The catalogue knows the remedy."""
    met = evaluate(Clause("stktable.sharded", "is", True), crash({}))
    assert met.held is None
    assert isinstance(met.fact, Absence)
    assert met.fact.remedy == KINDS["stktable.sharded"].supply


def test_the_reason_of_a_gap_is_kept() -> None:
    """A collector that knows why it failed knows better than the catalogue."""
    gap = Absence("stack", "the core ends before the stack", "a complete core")
    met = evaluate(Clause("stack", "frames", ("boom", "...")), Crash.of((), (gap,)))
    assert met.fact == gap


def test_the_next_witness_decides_where_the_first_cannot() -> None:
    """A core without names, and a log with them."""
    facts = crash({"stack": ("?", "?")}, {"stack": ("boom", "main")})
    decided = evaluate(Clause("stack", "frames", ("boom", "...")), facts)
    assert decided.held is True
    assert isinstance(decided.fact, Fact)
    assert decided.fact.source.input == "witness 1"


def test_the_most_trusted_witness_wins_where_it_can_tell() -> None:
    """Memory before text."""
    facts = crash({"stack": ("bang", "main")}, {"stack": ("boom", "main")})
    assert evaluate(Clause("stack", "frames", ("boom", "...")), facts).held is False


def test_a_pattern_that_takes_too_long_leaves_it_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text made to hold the matcher up costs its time limit, no more."""
    monkeypatch.setattr(clauses, "PATTERN_SECONDS", 0.02)
    slow = Clause("crash.explanation", "matches", "(a|aa)+(b|bb)+c$")
    met = evaluate(slow, crash({"crash.explanation": "a" * 5000 + "b" * 5000}))
    assert met.held is None
    assert isinstance(met.fact, Absence)
