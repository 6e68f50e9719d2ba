"""Versions: parsing, order and ranges."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forensics.absence import Absence
from forensics.errors import UsageError
from forensics.versions import Version, VersionRange

IN_ORDER = ["2.8.25", "2.9-dev0", "2.9-dev3", "2.9-dev12", "2.9.0", "2.9.6", "2.9.15", "3.0-dev0", "3.0.0", "10.0-dev1"]


def version(text: str) -> Version:
    """The version of a string that must be one."""
    parsed = Version.parse(text)
    assert isinstance(parsed, Version), parsed
    return parsed


@pytest.mark.parametrize(
    ("text", "release", "branch"),
    [
        ("2.9.6-9eafce5", "2.9.6", "2.9"),
        ("2.6.12-1+deb12u4", "2.6.12", "2.6"),
        ("3.2.16-1~bpo13+1", "3.2.16", "3.2"),
        ("3.5-dev5-03bde20ef", "3.5-dev5", "3.5"),
        ("3.0-dev6", "3.0-dev6", "3.0"),
        ("v2.9.0", "2.9.0", "2.9"),
        (" 2.9.6-12-gabcdef\n", "2.9.6", "2.9"),
        ("2.9.6-9eafce5-37", "2.9.6", "2.9"),
    ],
)
def test_a_version_as_haproxy_prints_it_names_its_release(text: str, release: str, branch: str) -> None:
    """Whatever stands behind the release is left out."""
    assert (version(text).release, version(text).branch) == (release, branch)


@pytest.mark.parametrize("text", ["", "none", "2.9", "2.9.x", "2.9.6.1", "2.9-rc1", "2.9.6a", "2.9-dev", "99999.1.1"])
def test_what_is_no_version_is_an_absence_with_a_reason(text: str) -> None:
    """Nothing is raised for a string that a log may hold."""
    parsed = Version.parse(text)
    assert isinstance(parsed, Absence)
    assert parsed.reason


def test_development_releases_come_before_the_first_release_of_their_branch() -> None:
    """The order of a whole row of releases."""
    parsed = [version(text) for text in IN_ORDER]
    backwards = parsed[::-1]
    assert sorted(backwards) == parsed


def test_a_snapshot_compares_as_the_release_it_is_named_after() -> None:
    """The number of commits ahead says nothing that can be compared."""
    assert version("2.9.6-12-gabcdef") == version("v2.9.6")


@pytest.mark.parametrize(
    ("text", "held"),
    [("2.9-dev2", False), ("2.9-dev3", True), ("2.9-dev12", True), ("2.9.0", False), ("3.0-dev3", False)],
)
def test_a_range_of_development_releases_does_not_reach_the_release(text: str, held: bool) -> None:
    """Both ends belong to the range."""
    assert version(text).in_range("2.9-dev3..2.9-dev12") is held


@pytest.mark.parametrize(("text", "held"), [("2.3.14", False), ("2.3.21", True), ("2.4-dev0", False)])
def test_a_branch_that_was_never_fixed_is_open_at_its_end(text: str, held: bool) -> None:
    """``X.Y.*`` ends a range above every release of the branch, and below the next."""
    assert version(text).in_range("2.3.15..2.3.*") is held


def test_a_single_version_is_a_range() -> None:
    """A defect of exactly one release needs no dots."""
    assert version("3.3.7-abc1234").in_range("3.3.7")
    assert not version("3.3.8").in_range("3.3.7")


@pytest.mark.parametrize("text", ["", "..", "2.9.6..2.9.0", "2.9.*", "2.9.0..x", "2.9..3.0"])
def test_what_is_no_range_is_refused(text: str) -> None:
    """A range comes from a signature file, never from evidence: a wrong one is misuse."""
    assert isinstance(VersionRange.parse(text), Absence)
    with pytest.raises(UsageError):
        version("2.9.0").in_range(text)


@given(st.text(max_size=40))
def test_no_text_makes_parsing_fail(text: str) -> None:
    """A version or an absence, and every version can be ordered."""
    parsed = Version.parse(text)
    assert isinstance(parsed, Absence) or parsed <= parsed


@given(st.lists(st.sampled_from(IN_ORDER), min_size=2, max_size=2))
def test_a_release_lies_in_the_range_of_itself_and_what_follows(pair: list[str]) -> None:
    """Ranges agree with the order."""
    first, last = sorted(pair, key=IN_ORDER.index)
    assert version(first).in_range(f"{first}..{last}")
    assert version(last).in_range(f"{first}..{last}")
