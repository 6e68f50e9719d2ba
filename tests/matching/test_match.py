"""The outcome table, row by row."""

from __future__ import annotations

from typing import Any

import pytest

from forensics.absence import Absence
from forensics.evidence.catalogue import KINDS
from forensics.matching.clause import NAMES
from forensics.matching.match import CIRCUMSTANCES, TEXTS, judge, match
from tests.matching.crashes import Facts, crash, signature

BOOM: Facts = {"stack": ("boom", "main"), "process.version": "2.9.3"}
KIND = {"fact": "crash.kind", "is": "bug_on"}
STACK = {"fact": "stack", "frames": ["boom", "..."]}
TEXT = {"fact": "crash.explanation", "contains": "on purpose"}
SHARDED = {"fact": "stktable.sharded", "is": True}


def test_a_stack_and_an_affected_version_are_probable() -> None:
    """Row 6."""
    assert judge(signature(), crash(BOOM)).outcome == "probable"


def test_an_assertion_is_as_good_as_a_stack() -> None:
    """Row 6, with no stack asked for."""
    only = signature(all=[{"fact": "crash.condition", "is": "a == 0"}])
    assert judge(only, crash({"crash.condition": "a==0", "process.version": "2.9.3"})).outcome == "probable"


def test_a_signature_without_ranges_is_probable_in_any_version() -> None:
    """Row 6: ``affected`` is then unknown and does not matter."""
    verdict = judge(signature(affects=[], fixed_in=[]), crash({"stack": ("boom", "main")}))
    assert (verdict.outcome, verdict.affected) == ("probable", None)


def test_a_contradicting_stack_is_no_match() -> None:
    """Row 1."""
    assert judge(signature(), crash({**BOOM, "stack": ("bang", "main")})).outcome == "none"


def test_a_clause_of_none_that_is_true_is_no_match() -> None:
    """Row 1, by ``match.none``."""
    without = signature(all=[STACK], none=[{"fact": "crash.kind", "is": "oom"}])
    assert judge(without, crash({**BOOM, "crash.kind": "oom"})).outcome == "none"
    assert judge(without, crash(BOOM)).outcome == "probable"


def test_circumstances_alone_suggest_nothing() -> None:
    """Row 2: every assertion shares its kind."""
    assert judge(signature(all=[KIND, STACK]), crash({"crash.kind": "bug_on", "process.version": "2.9.3"})).outcome == (
        "none"
    )


def test_nothing_matches_a_crash_without_facts() -> None:
    """Row 2."""
    assert judge(signature(), crash({})).outcome == "none"


def test_a_true_exclude_clause_excludes_and_says_why() -> None:
    """Row 3, which precedes memory and version."""
    excluding = signature(exclude=[{**SHARDED, "because": "it is sharded"}], confirm=[SHARDED])
    verdict = judge(excluding, crash({**BOOM, "stktable.sharded": True}))
    assert (verdict.outcome, verdict.because, verdict.missing) == ("excluded", "it is sharded", ())


def test_an_exclude_clause_explains_the_contradiction_on_its_own_fact() -> None:
    """A lookalike is shown as excluded instead of being passed over."""
    known = {"fact": "stack", "frames": ["bang", "..."], "because": "it banged"}
    excluding = signature(any=[{"fact": "crash.condition", "is": "a == 0"}], all=[STACK], exclude=[known])
    facts: Facts = {"crash.condition": "a == 0", "process.version": "2.9.3"}
    assert judge(excluding, crash({**facts, "stack": ("bang", "main")})).outcome == "excluded"
    assert judge(excluding, crash({**facts, "stack": ("other", "main")})).outcome == "none"


def test_an_exclude_clause_alone_does_not_make_a_lookalike() -> None:
    """Row 2 precedes row 3: something of the signature has to be there."""
    excluding = signature(
        all=[{"fact": "crash.condition", "is": "a == 0"}],
        exclude=[{"fact": "crash.condition", "is_not": "a == 0", "because": "another assertion"}],
    )
    assert judge(excluding, crash({"crash.condition": "b == 0", "process.version": "2.9.3"})).outcome == "none"


def test_memory_that_agrees_confirms() -> None:
    """Row 4."""
    assert judge(signature(confirm=[SHARDED]), crash({**BOOM, "stktable.sharded": True})).outcome == "confirmed"


def test_memory_outranks_the_version() -> None:
    """Row 4: a patched build lies about its version."""
    facts: Facts = {"stack": ("boom", "main"), "process.version": "2.9.9", "stktable.sharded": True}
    verdict = judge(signature(confirm=[SHARDED]), crash(facts))
    assert (verdict.outcome, verdict.affected) == ("confirmed", False)


def test_half_of_the_memory_does_not_confirm() -> None:
    """Row 4 wants all of ``confirm``; the rest is named as missing."""
    half = signature(confirm=[SHARDED, {"fact": "peers.in_use", "is": True}])
    verdict = judge(half, crash({**BOOM, "stktable.sharded": True}))
    assert verdict.outcome == "probable"
    assert [each.subject for each in verdict.missing] == ["peers.in_use"]


def test_a_version_outside_the_ranges_excludes_and_names_the_fix() -> None:
    """Row 5."""
    verdict = judge(signature(), crash({**BOOM, "process.version": "2.9.7-abcdef0"}))
    assert (verdict.outcome, verdict.affected) == ("excluded", False)
    assert "2.9.7-abcdef0" in verdict.because
    assert "fixed in 2.9.7" in verdict.because


@pytest.mark.parametrize(
    ("changes", "facts", "subject"),
    [
        ({}, {"stack": ("boom", "main")}, "process.version"),
        ({}, {**BOOM, "process.version": "unknown"}, "process.version"),
        ({"all": [STACK, SHARDED]}, BOOM, "stktable.sharded"),
        ({"all": [STACK], "any": [SHARDED, KIND]}, BOOM, "stktable.sharded"),
        (
            {"all": [STACK], "any": [{"fact": "crash.condition", "is": "a == 0"}]},
            {"stack": ("?", "main"), "crash.condition": "a == 0", "process.version": "2.9.3"},
            "stack",
        ),
    ],
)
def test_a_gap_leaves_it_possible_and_says_what_would_decide(
    changes: dict[str, Any], facts: dict[str, Any], subject: str
) -> None:
    """Row 7."""
    verdict = judge(signature(**changes), crash(facts))
    assert verdict.outcome == "possible"
    missing = {each.subject: each for each in verdict.missing}
    # A stack that is there lacks names, not itself.
    assert missing[subject].remedy == (NAMES if subject == "stack" else KINDS[subject].supply)


def test_text_alone_is_possible_at_most() -> None:
    """Row 7."""
    facts = {"crash.explanation": "done on purpose", "process.version": "2.9.3"}
    assert judge(signature(all=[TEXT]), crash(facts)).outcome == "possible"


def test_a_draft_is_possible_at_most() -> None:
    """Row 7: knowledge that nobody has seen at work."""
    assert judge(signature(status="draft"), crash(BOOM)).outcome == "possible"


def test_of_alternatives_one_suffices_and_is_shown() -> None:
    """The alternatives that do not hold are no evidence against."""
    verdict = judge(signature(any=[STACK, KIND]), crash({**BOOM, "crash.kind": "segfault"}))
    assert verdict.outcome == "probable"
    assert [each.clause.fact for each in verdict.decided_by] == ["stack", "process.version"]


def test_alternatives_that_are_all_false_contradict() -> None:
    """Row 1."""
    facts = {**BOOM, "crash.kind": "segfault"}
    assert judge(signature(all=[STACK], any=[KIND]), crash(facts)).outcome == "none"


def test_the_version_stands_among_the_deciding_clauses() -> None:
    """With the ranges as its operand."""
    last = judge(signature(), crash(BOOM)).decided_by[-1]
    assert (last.clause.fact, last.clause.test, last.clause.operand, last.held) == (
        "process.version",
        "affects",
        ("2.9.0..2.9.6",),
        True,
    )


def test_each_missing_fact_is_named_once() -> None:
    """Two clauses on one fact need one remedy."""
    twice = signature(all=[STACK, KIND], exclude=[{"fact": "crash.kind", "is": "oom", "because": "it was"}])
    missing = judge(twice, crash(BOOM)).missing
    assert [each.subject for each in missing] == ["crash.kind"]
    assert all(isinstance(each, Absence) for each in missing)


def test_the_best_verdict_comes_first() -> None:
    """Confirmed, probable, possible, excluded, none; the affected before the unknown."""
    signatures = [
        signature(all=[{"fact": "stack", "frames": ["bang", "..."]}]),
        signature(affects=["2.8.0..2.8.1"]),
        signature(all=[STACK, SHARDED]),
        signature(affects=[]),
        signature(),
        signature(confirm=[STACK]),
    ]
    verdicts = match(signatures, crash(BOOM))
    assert [each.outcome for each in verdicts] == [
        "confirmed",
        "probable",
        "probable",
        "possible",
        "excluded",
        "none",
    ]
    assert [each.affected for each in verdicts[1:3]] == [True, None]


def test_every_fact_that_weighs_less_is_in_the_catalogue() -> None:
    """A renamed fact must not become decisive by accident."""
    assert set(KINDS) >= CIRCUMSTANCES | TEXTS
