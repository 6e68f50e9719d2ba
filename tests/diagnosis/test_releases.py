"""Which release is known, and which one to install."""

from __future__ import annotations

import pytest

from forensics.absence import Absence
from forensics.diagnosis import releases
from forensics.diagnosis.releases import Upgrade, upgrade_to
from tests.diagnosis.crashes import version

RACE_FIXED = ("2.9.7", "3.0-dev7")


def target(text: str, *fixed_in: str) -> Upgrade:
    """The upgrade, which must be there."""
    upgrade = upgrade_to(version(text), fixed_in)
    assert isinstance(upgrade, Upgrade), upgrade
    return upgrade


def test_every_release_of_the_table_parses_and_stands_in_order() -> None:
    """Everything else here relies on it."""
    for branch in releases.branches():
        rows = releases._table()["development"].get(branch, []) + releases._table()["stable"].get(branch, [])
        known = [release.version for release in releases.branch_releases(branch)]
        assert len(known) == len(rows) > 0
        assert known == sorted(known)


def test_a_release_has_its_date_whatever_a_packager_added() -> None:
    """A release that is not in the table has none."""
    assert releases.release_date(version("2.9.6")) == "2024-02-26"
    assert releases.release_date(version("2.9.6-1+deb12u4")) == "2024-02-26"
    assert isinstance(releases.release_date(version("2.9.99")), Absence)


def test_the_last_of_a_branch_is_stable_where_there_is_a_stable_one() -> None:
    """Who runs a snapshot should leave it."""
    latest = releases.latest_of_branch(version("2.9-dev3"))
    assert not isinstance(latest, Absence) and latest.text == "2.9.15"
    assert isinstance(releases.latest_of_branch(version("9.9.0")), Absence)


def test_the_newest_known_release_is_stable_and_not_newer_than_the_table() -> None:
    """Snapshots are not advised."""
    newest = releases.newest_known()
    assert "-dev" not in newest.text
    assert newest.date <= releases.known_until()


def test_the_upgrade_is_the_last_release_of_the_same_branch() -> None:
    """Not the first with the fix: later ones fixed more."""
    upgrade = target("2.9.6", *RACE_FIXED)
    assert upgrade.to.text == "2.9.15" and not upgrade.changes_branch
    assert upgrade.describe() == f"2.9.15 (2025-03-21, the last 2.9 known on {releases.known_until()})"


def test_a_branch_without_the_fix_leads_to_the_next_that_has_it() -> None:
    """2.7 and 2.8 never got it."""
    upgrade = target("2.7.3", *RACE_FIXED)
    assert upgrade.to.branch == "2.9" and upgrade.changes_branch


def test_a_branch_that_fell_silent_is_told() -> None:
    """Nobody fixes what comes next there."""
    assert target("2.9.6", *RACE_FIXED).silent
    assert not target("2.6.12-1+deb12u4", "2.6.13").silent


def test_a_fix_newer_than_the_table_is_its_own_target() -> None:
    """Signatures may be newer than the table."""
    upgrade = target("2.9.15", "2.9.16", "3.0-dev7")
    assert upgrade.to.text == "2.9.16" and "newer than what was known" in upgrade.describe()


@pytest.mark.parametrize(
    ("text", "fixed_in"),
    [("2.9.7", RACE_FIXED), ("2.9.15", RACE_FIXED), ("3.1.2", RACE_FIXED), ("3.0.0", ("2.9.7",)), ("2.4.3", ())],
)
def test_no_upgrade_is_named_where_the_fix_is_there_or_unknown(text: str, fixed_in: tuple[str, ...]) -> None:
    """An upgrade that changes nothing is bad advice."""
    assert isinstance(upgrade_to(version(text), fixed_in), Absence)


def test_a_development_release_gets_the_stable_release_of_its_branch_or_a_later_snapshot() -> None:
    """The newest branch has snapshots alone."""
    assert target("2.9-dev3", "2.9-dev8").to.text == "2.9.15"
    assert target("3.5-dev2", "3.5-dev4").to.text == "3.5-dev5"
    assert isinstance(upgrade_to(version("3.5-dev2"), ("3.5-dev9",)), Absence)


@pytest.mark.parametrize(
    ("text", "has"),
    [("2.9.6", False), ("2.9.7", True), ("3.0-dev6", False), ("3.0-dev7", True), ("3.0.0", True), ("2.8.25", False)],
)
def test_the_own_branch_decides_and_else_the_mainline(text: str, has: bool) -> None:
    """2.9.6 is newer than 3.0-dev6 in time and still lacks it."""
    assert releases.has_fix(version(text), RACE_FIXED) is has


def test_releases_behind_are_counted() -> None:
    """Within the branch."""
    assert releases.behind(version("2.9.6")) == 9
    assert releases.behind(version("2.9.15")) == 0
