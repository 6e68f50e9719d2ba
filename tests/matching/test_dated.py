"""Signatures judged by the releases that have the assertion at its line, where nobody names the version."""

from __future__ import annotations

import pytest

from forensics.absence import Absence
from forensics.evidence.fact import Crash, Fact
from forensics.matching.dated import all_affected
from forensics.matching.match import judge
from forensics.source import Source
from tests.matching.crashes import signature

LOG = Source("worker.log", "assertions of the releases")


def crash(*releases: str, trust: str = "derived", version: str = "") -> Crash:
    facts = [Fact("stack", ("boom", "main"), LOG), Fact("assertion.releases", releases, LOG, trust)]
    return Crash.of([*facts, Fact("process.version", version, LOG)] if version else facts)


@pytest.mark.parametrize(
    ("releases", "affects", "answer"),
    [
        (("2.9.0..2.9.6",), ("2.9.0..2.9.6",), True),
        (("2.9.0..2.9.7",), ("2.9.0..2.9.6",), None),
        (("2.9.7..2.9.9",), ("2.9.0..2.9.6",), False),
        # Two ranges of a signature that meet at the release of the branch.
        (("2.9-dev11..2.9.3",), ("2.9-dev3..2.9-dev12", "2.9.0..2.9.6"), True),
        (("2.9.2", "3.0-dev1..3.0-dev4"), ("2.9.0..2.9.6", "3.0-dev0..3.0-dev6"), True),
        (("2.9.2", "3.0-dev1..3.0-dev4"), ("2.9.0..2.9.6",), None),
        # What comes after the last release known may be fixed, or not.
        (("3.2.10..3.2.*",), ("3.2.0..3.2.25",), None),
        (("3.2.10..3.2.*",), ("3.2.0..3.2.*",), True),
        (("3.2.10..3.2.*",), ("3.1.0..3.1.9",), False),
        (("3.3.4",), ("3.2.0..3.2.*",), None),
        # A branch that has ended gets no more.
        (("3.3.4",), ("2.9.0..2.9.*",), False),
        (("2.9.12..2.9.15",), ("2.9.0..2.9.*",), True),
        # Releases that the catalogue does not know count by their ends.
        (("9.9.1..9.9.4",), ("9.9.0..9.9.5",), True),
        (("nonsense",), ("2.9.0..2.9.6",), None),
        ((), ("2.9.0..2.9.6",), None),
    ],
)
def test_all_some_or_none_of_the_releases_are_affected(
    releases: tuple[str, ...], affects: tuple[str, ...], answer: bool | None
) -> None:
    assert all_affected(releases, affects) is answer


def test_when_each_of_the_releases_is_affected_the_version_is_as_good_as_known() -> None:
    verdict = judge(signature(), crash("2.9.1..2.9.4"))
    assert (verdict.outcome, verdict.affected, verdict.missing) == ("probable", True, ())


def test_when_none_of_them_is_affected_the_signature_is_excluded_and_says_why() -> None:
    verdict = judge(signature(), crash("2.8.1..2.8.4"))
    assert (verdict.outcome, verdict.affected) == ("excluded", False)
    assert verdict.because == (
        "version (one of 2.8.1..2.8.4) is not among those affected (2.9.0..2.9.6); fixed in 2.9.7"
    )


def test_when_some_are_affected_the_version_is_missing() -> None:
    verdict = judge(signature(), crash("2.9.5..2.9.8"))
    assert (verdict.outcome, verdict.affected) == ("possible", None)
    assert [one.reason for one in verdict.missing] == ["one of 2.9.5..2.9.8: some of them are affected, others not"]


def test_releases_that_only_the_condition_tells_decide_nothing() -> None:
    """Where the line moved, the build carries patches: the fix may be among them."""
    assert judge(signature(), crash("2.9.1..2.9.4", trust="assumed")).outcome == "possible"
    assert judge(signature(), crash("2.8.1", trust="assumed")).outcome == "possible"


def test_a_version_that_an_input_names_comes_first() -> None:
    assert judge(signature(), crash("2.9.1..2.9.4", version="2.9.7")).outcome == "excluded"
    assert judge(signature(), crash("2.8.1", version="2.9.2")).outcome == "probable"


def test_releases_alone_suggest_no_signature() -> None:
    alone = Crash.of([Fact("assertion.releases", ("2.9.1",), LOG, "derived"), Fact("assertion.function", "boom", LOG)])
    assert judge(signature(), alone).outcome == "none"
    assert isinstance(alone.get("stack"), Absence)
