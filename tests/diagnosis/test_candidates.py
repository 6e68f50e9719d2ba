"""Leads from the table of fixes: only what the release lacks, the best first."""

from __future__ import annotations

import subprocess
import sys

import pytest

from forensics.absence import Absence
from forensics.diagnosis import candidates
from forensics.diagnosis.candidates import LIMIT, candidate_fixes, lacks
from forensics.diagnosis.finding import CandidateFix
from tests.diagnosis.crashes import RACE, crash, version

#: The fix of the stick-table race: 3.0-dev7, brought back to 2.9.7.
RACE_FIX = "5fc1afb341be"


def leads(release: str, **changed: str | tuple[str, ...]) -> tuple[CandidateFix, ...]:
    """The candidate fixes of the race in this release."""
    return candidate_fixes(crash(RACE, **changed), version(release))


def named(commit: str) -> candidates.Fix:
    """The fix of this commit."""
    return next(fix for fix in candidates._fixes() if fix.commit == commit)


def test_a_fix_of_a_function_on_the_stack_is_a_lead_in_the_release_before_it() -> None:
    """2.9.6 is the last release without it."""
    (lead,) = [fix for fix in leads("2.9.6") if fix.commit == RACE_FIX]
    assert lead.fixed_in == ("2.9.7", "3.0-dev7")
    assert lead.issues == (2508,)
    assert lead.because == ("touches stktable_requeue_exp",)


@pytest.mark.parametrize("release", ["2.9.7", "3.0.0", "3.0-dev7", "3.1-dev3"])
def test_a_fix_that_the_release_has_is_no_lead(release: str) -> None:
    """By its own branch, or because the branch began after the fix."""
    assert RACE_FIX not in [fix.commit for fix in leads(release)]


@pytest.mark.parametrize(
    ("release", "lacking"),
    [("2.9.6", True), ("2.9.7", False), ("3.0-dev6", True), ("3.0-dev7", False), ("3.0.1", False), ("2.8.9", True)],
)
def test_what_a_release_lacks_follows_its_branch_and_else_the_mainline(release: str, lacking: bool) -> None:
    """2.8 never got it, so it still lacks it."""
    assert lacks(named(RACE_FIX), version(release)) is lacking


def test_a_bug_that_came_after_a_branch_began_is_no_lead_there() -> None:
    """A fix that was not brought back may have had nothing to fix."""
    later = named("9357873641c5")  # of a bug that came with 2.9-dev3
    assert not lacks(later, version("2.8.9"))
    assert lacks(later, version("2.9.5"))


def test_a_fix_that_names_the_assertion_comes_first_then_several_functions_then_one() -> None:
    """The order of the house: check, several functions, one function."""
    ranked = [fix.because for fix in leads("2.6.1")]
    assert ranked[0][:3] == ("names the same assertion", "touches __task_queue", "touches stktable_requeue_exp")
    assert ranked[1][0] == "names the same assertion"
    counts = [len(because) for because in ranked if because[0] != "names the same assertion"]
    assert [count > 1 for count in counts] == sorted((count > 1 for count in counts), reverse=True)


def test_the_assertion_is_found_whatever_spaces_integers_and_build_directory() -> None:
    """Macros expand differently, and builds happen anywhere."""
    told = leads("2.6.1", crash__condition="task->expire==7", crash__source_file="/b/src/task.c", stack="")
    assert {fix.because for fix in told} == {("names the same assertion",)}


def test_functions_of_every_stack_weigh_nothing() -> None:
    """The scheduler is below every crash."""
    everywhere = tuple(sorted(candidates.EVERYWHERE))
    assert candidate_fixes(crash({"stack": everywhere}), version("2.4.0")) == ()


def test_a_rare_function_weighs_more_than_a_common_one() -> None:
    """Many fixes touch connect_server, few the expiry of tables."""
    one = candidate_fixes(crash({"stack": ("connect_server", "stktable_requeue_exp")}), version("2.6.0"))
    several = [len(fix.because) for fix in one]
    first_single = one[several.index(1)]
    assert first_single.because == ("touches stktable_requeue_exp",)


def test_there_are_never_more_leads_than_a_reader_can_follow() -> None:
    """Two hundred functions would name hundreds of fixes."""
    many = tuple(name for name, _ in candidates._frequency().most_common(200))
    assert len(candidate_fixes(crash({"stack": many}), version("2.4.0"))) == LIMIT


def test_without_a_version_there_are_no_leads() -> None:
    """Nobody can say what an unknown release lacks."""
    assert candidate_fixes(crash(RACE), Absence("process.version", "unknown")) == ()


def test_every_version_of_the_table_parses() -> None:
    """The code relies on it."""
    for fix in candidates._fixes():
        for text in fix.stable.values():
            assert candidates._version(text).release == text


def test_the_table_is_not_read_until_it_is_asked_for() -> None:
    """A crash that is recognised must not pay for it."""
    program = "import forensics.diagnosis.diagnose, forensics.diagnosis.candidates as c, sys\n"
    program += "sys.exit(c._fixes.cache_info().currsize)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
