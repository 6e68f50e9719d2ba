"""From verdicts to findings, exclusions, leads and steps."""

from __future__ import annotations

import pytest

from forensics.absence import Absence
from forensics.diagnosis.diagnose import diagnose, running_version
from forensics.evidence.fact import Crash
from forensics.matching.signature import Clause
from forensics.versions import Version
from tests.diagnosis.crashes import RACE, crash, deciding, fact, frame, signature, stacks, verdict

WALKED = stacks(frame("__task_queue"), frame("stktable_requeue_exp"))


def test_findings_are_best_first_then_affected_then_by_evidence() -> None:
    """A tie goes by the name, so that the order is always the same."""
    given = [
        verdict("possible", signature("d")),
        verdict("probable", signature("c"), affected=None),
        verdict("probable", signature("b")),
        verdict("probable", signature("a"), deciding("stack", ("f",))),
        verdict("none", signature("e")),
    ]
    found = diagnose(crash(RACE), given, WALKED).findings
    assert [each.signature for each in found] == ["a", "b", "c", "d"]


def test_evidence_is_what_decided_with_its_source_and_side() -> None:
    """What is unknown is no evidence for either side."""
    held, failed = deciding("crash.condition", "x == 0"), deciding("process.version", "3.0.1", held=False)
    unknown = deciding("stktable.sharded", Absence("stktable.sharded", "no core"), held=None)
    (found,) = diagnose(crash(RACE), [verdict("confirmed", None, held, failed, unknown)], WALKED).findings
    assert [(each.fact, each.supports) for each in found.evidence] == [
        ("crash.condition", True),
        ("process.version", False),
    ]
    assert found.evidence[0].source is not None and found.evidence[0].source.line == 1


@pytest.mark.parametrize(
    ("outcome", "affected", "told"),
    [("confirmed", False, True), ("confirmed", True, False), ("confirmed", None, False), ("probable", False, False)],
)
def test_memory_that_contradicts_the_version_is_told(outcome: str, affected: bool | None, told: bool) -> None:
    """With what to do about it first: the executable is not what it says."""
    given = [verdict(outcome, affected=affected)]
    found = diagnose(crash(RACE, process__version="3.0.11"), given, WALKED)
    assert ("3.0.11" in found.findings[0].contradiction) == told
    assert found.next_steps[0].startswith("Find out how this executable was built") == told


def test_what_refutes_speaks_against_and_gives_the_reason() -> None:
    """A clause of `exclude` that holds is a point against."""
    clause = Clause("crash.kind", "is", "operand", "it was killed")
    refuted = verdict("excluded", signature(exclude=(clause,)), deciding("crash.kind", "oom", because="it was killed"))
    (excluded,) = diagnose(crash(RACE), [refuted], WALKED).excluded
    assert [each.supports for each in excluded.evidence] == [False]


def test_the_reason_of_an_exclusion_is_kept() -> None:
    """It is what the reader wants to know."""
    (excluded,) = diagnose(crash(RACE), [verdict("excluded", because="it was killed")], WALKED).excluded
    assert (excluded.signature, excluded.because) == ("stick-table/race", "it was killed")


def test_an_address_is_shown_in_hex() -> None:
    """Facts hold addresses as integers."""
    (found,) = diagnose(crash(RACE), [verdict("probable", None, deciding("crash.address", 4096))], WALKED).findings
    assert found.evidence[0].value == "0x1000"


@pytest.mark.parametrize(("outcome", "wanted"), [("confirmed", False), ("probable", False), ("possible", True)])
def test_leads_are_looked_up_only_when_no_finding_is_probable(outcome: str, wanted: bool) -> None:
    """Leads beside an answer would only distract."""
    assert bool(diagnose(crash(RACE), [verdict(outcome)], WALKED).candidate_fixes) is wanted


def test_the_first_steps_are_the_upgrade_and_the_workaround() -> None:
    """The cure comes before anything to gather."""
    steps = diagnose(crash(RACE), [verdict("confirmed")], WALKED).next_steps
    assert steps[0].startswith("Upgrade to 2.9.15 (2025-03-21, the last 2.9 known on 2")
    assert steps[0].endswith("; fixed in 2.9.7, 3.0-dev7")
    assert steps[-1] == "Until then: run with `nbthread 1`"


def test_a_cure_without_a_release_is_the_remedy() -> None:
    """A wrong configuration has no release to install."""
    steps = diagnose(crash(RACE), [verdict("probable", signature(fixed_in=()))], WALKED).next_steps
    assert steps[:2] == ("upgrade", "Meanwhile: run with `nbthread 1`")


def test_an_upgrade_into_another_branch_says_so() -> None:
    """A change of branch is more work than an update."""
    steps = diagnose(crash(RACE, process__version="2.7.3"), [verdict("confirmed")], WALKED).next_steps
    assert steps[1] == "Read the notes of 2.9 first: no known release of 2.7 has the fix"


def test_a_possible_finding_yields_no_cure_but_a_warning_and_what_would_decide() -> None:
    """A guess must not be dressed as an answer."""
    missing = (Absence("stktable.sharded", "no symbols", "the core with debug symbols of its build-id"),)
    steps = diagnose(crash(RACE), [verdict("possible", missing=missing)], WALKED).next_steps
    assert steps[0] == "Do not act on `stick-table/race` yet: only possible, not proven"
    assert not any(step.startswith("Upgrade") for step in steps)
    assert any(
        "the core with debug symbols of its build-id (tells: stick-tables are split into shards)" in step
        for step in steps
    )


def test_when_nothing_matches_the_steps_say_so_and_name_a_newer_release() -> None:
    """The newer release is the cheapest thing to try."""
    steps = diagnose(crash(RACE), [], WALKED).next_steps
    assert steps[0].startswith("Try 2.9.15 (2025-03-21): 2.9.6 is 9 releases behind, fixes since that touch")
    assert any(step.startswith("No known crash matches: report it") for step in steps)


def test_a_gap_with_a_remedy_becomes_a_step_and_equal_remedies_one_step() -> None:
    """One log closes many gaps."""
    gaps = [Absence("a", "gone", "the log"), Absence("b", "gone", "the log"), Absence("c", "gone")]
    steps = diagnose(crash(RACE, gaps), [], WALKED).next_steps
    assert "Missing a, b: the log" in steps
    assert not any("Missing c" in step for step in steps)


def test_nameless_culprits_ask_for_the_symbols_of_exactly_this_build() -> None:
    """Symbols of another build would name the wrong functions."""
    steps = diagnose(crash({"crash.kind": "segfault"}), [], stacks(frame("")), "ab12").next_steps
    assert any("debug symbols of build-id ab12 (`debuginfod-find debuginfo ab12`)" in step for step in steps)


def test_a_failed_check_without_its_text_asks_for_the_log() -> None:
    """Only the log has the text of the check."""
    steps = diagnose(crash(RACE, crash__condition=""), [], WALKED).next_steps
    assert any("journalctl -u haproxy" in step for step in steps)


def test_a_log_alone_asks_for_a_core_next_time() -> None:
    """With a core at hand the advice would be noise."""
    assert any("set-dumpable" in step for step in diagnose(crash(RACE), [], ()).next_steps)
    assert not any("set-dumpable" in step for step in diagnose(crash(RACE), [], WALKED).next_steps)


@pytest.mark.parametrize("kind", ["oom", "signal_from_outside", "watchdog", "heap_corruption"])
def test_a_death_that_has_its_own_first_question_asks_it(kind: str) -> None:
    """Who sent the signal, how much memory, which other thread."""
    asked = diagnose(crash({"crash.kind": kind}), [], WALKED).next_steps
    assert asked[0] != diagnose(crash({"crash.kind": "segfault"}), [], WALKED).next_steps[0]


def test_every_step_is_one_line() -> None:
    """Gaps come with remedies of any shape and number."""
    many = [Absence(f"gap {number}", "gone", f"a\nb {number}") for number in range(40)]
    steps = diagnose(crash(RACE, many), [verdict("possible")], ()).next_steps
    assert len(steps) <= 8 and not any("\n" in step for step in steps)


def test_the_version_is_that_of_the_first_witness_that_can_be_read() -> None:
    """One witness may hold rubbish."""
    two = Crash.of([fact("process.version", "?"), fact("process.version", "2.9.6")])
    found = running_version(two)
    assert isinstance(found, Version) and found.release == "2.9.6"
    assert isinstance(running_version(Crash.of([])), Absence)


def test_nothing_known_at_all_is_still_a_diagnosis() -> None:
    """An empty input must not be an error here."""
    empty = diagnose(Crash.of([]), [])
    assert empty.findings == () and empty.candidate_fixes == ()
    assert empty.fingerprint.stable == "unknown"
    assert empty.next_steps


def test_an_unknown_version_is_asked_for_by_its_command() -> None:
    """The log of the worker, which is at hand, often does not say it."""
    missing = (Absence("process.version", "no input says it", "the core file"),)
    steps = diagnose(crash(RACE, process__version=""), [verdict("possible", missing=missing)], WALKED).next_steps
    assert any("`haproxy -v`" in step for step in steps)
    assert not any("the core file" in step for step in steps)


def test_a_long_workaround_is_cut_after_a_whole_sentence() -> None:
    """Signatures explain; a step is something to do."""
    long = signature(workaround="No setting helps. Use `nbthread 1`. " + "It was measured. " * 30)
    steps = diagnose(crash(RACE), [verdict("confirmed", long)], WALKED).next_steps
    assert steps[-1].startswith("Until then: No setting helps. Use `nbthread 1`. It was measured.")
    assert steps[-1].endswith("measured")
    assert len(steps[-1]) < 260


def test_a_workaround_that_says_until_itself_is_not_told_twice() -> None:
    """Signatures are written by many hands."""
    until = signature(workaround="Until then remove the peers.")
    assert diagnose(crash(RACE), [verdict("confirmed", until)], WALKED).next_steps[-1] == "Until then remove the peers"


def test_an_answer_asks_for_no_core() -> None:
    """What is known needs no further trouble."""
    assert not any("set-dumpable" in step for step in diagnose(crash(RACE), [verdict("probable")]).next_steps)
