"""The rules that every signature keeps."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from forensics.matching import clause as clauses
from forensics.matching.cases import Case
from forensics.matching.lint import lint_directory, lint_signature
from forensics.matching.locate import find_signatures
from forensics.matching.signature import Signature
from tests.matching.crashes import crash, signature

STACK = {"fact": "stack", "frames": ["boom", "..."]}


def case(expect: str, **facts: Any) -> Case:
    """A case of facts."""
    return Case(f"a case that expects {expect}", expect, "facts", "", crash({"process.version": "2.9.3", **facts}))


GOOD = [
    case("probable", stack=("boom", "main")),
    case("excluded", **{"stack": ("boom", "main"), "process.version": "2.9.7"}),
    case("none", stack=("bang", "main")),
    case("possible", **{"stack": ("boom", "main"), "process.version": "unknown"}),
]


def problems(known: Signature, cases: list[Case], **more: Any) -> str:
    """What the lint says, in one text."""
    return "\n".join(each.problem for each in lint_signature(known, cases, {}, **more))


def test_a_good_signature_has_no_complaints() -> None:
    """The measure for the rest."""
    assert problems(signature(), GOOD) == ""


def test_a_case_with_another_outcome_is_a_complaint() -> None:
    """With both outcomes."""
    assert "gives none, not probable" in problems(signature(), [*GOOD, case("probable", stack=("bang", "main"))])


@pytest.mark.parametrize(
    ("left", "problem"),
    [
        (GOOD[1:], "recognises"),
        ([GOOD[0], GOOD[3]], "near miss"),
        (GOOD[:3], "stays open"),
    ],
)
def test_three_kinds_of_cases_are_demanded(left: list[Case], problem: str) -> None:
    """A match, a near miss, and one that stays open."""
    assert problem in problems(signature(), left)


def test_a_draft_needs_no_more_than_a_possible_case() -> None:
    """It cannot be probable."""
    draft = [case("possible", stack=("boom", "main")), case("none", stack=("bang", "main"))]
    assert problems(signature(status="draft"), draft) == ""


def test_confirmed_knowledge_needs_a_real_sample() -> None:
    """A sample that cannot be read here still counts."""
    assert "real sample" in problems(signature(status="confirmed"), GOOD)
    sample = Case("a real crash", "probable", "sample", "boom-2.9.3")
    assert problems(signature(status="confirmed"), [*GOOD, sample]) == ""


def test_a_clause_that_decides_nothing_is_a_complaint() -> None:
    """Take it away, and no case changes."""
    idle = signature(any=[STACK, {"fact": "crash.signal", "is": "SIGILL"}])
    cases = [case("possible", stack=("boom", "main")), case("none", stack=("bang", "main"))]
    assert "clause on crash.signal (is) decides no case" in problems(idle, cases)


def test_the_reason_of_an_exclusion_counts_as_a_difference() -> None:
    """Two exclusions may agree on the outcome and tell the reader different things."""
    clause = {"fact": "process.version", "within": ["2.9.7..2.9.*"], "because": "it is another bug there"}
    assert problems(signature(exclude=[clause]), GOOD) == ""


def test_a_pattern_that_does_not_end_is_a_complaint(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log can be written by an enemy."""
    monkeypatch.setattr(clauses, "PATTERN_SECONDS", 0.02)
    text = {"fact": "crash.explanation", "matches": "(a|aa)+c$"}
    assert "does not end in time" in problems(signature(any=[STACK, text]), GOOD)


def test_a_healthy_process_must_not_be_recognised() -> None:
    """Healthy samples are given by name."""
    healthy = [("the healthy sample", crash({"stack": ("boom", "main")}))]
    assert "finds itself possible in the healthy sample" in problems(signature(), GOOD, controls=healthy)


def test_every_broken_file_is_reported_and_the_rest_is_checked(tmp_path: Path) -> None:
    """One complaint a file, not one for all."""
    shipped = find_signatures() / "deliberate"
    shutil.copy(shipped / "debug-dev.toml", tmp_path / "lonely.toml")
    shutil.copy(shipped / "debug-dev.cases.toml", tmp_path / "orphan.cases.toml")
    (tmp_path / "broken.toml").write_text("title = 1\n", encoding="utf-8")
    found = {each.signature: each.problem for each in lint_directory(tmp_path)}
    assert set(found) == {"lonely.toml", "orphan.cases.toml", "broken.toml"}
    assert "has no signature beside it" in found["orphan.cases.toml"]
    assert "cannot be read" in found["lonely.toml"]
