"""The shipped signatures: they keep the rules, and none takes another's crash for its own."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from forensics.api import crash_of_text
from forensics.matching.cases import Case, Reader, read_cases, run_case
from forensics.matching.lint import lint_directory
from forensics.matching.load import load_signatures
from forensics.matching.locate import find_signatures
from forensics.matching.match import judge, match
from forensics.matching.signature import Signature
from forensics.versions import Version
from samples import golden
from tests.matching.crashes import Facts, crash

DIRECTORY = find_signatures()
SIGNATURES = {each.id: each for each in load_signatures(DIRECTORY)}
CASES = {identity: read_cases(DIRECTORY, identity) for identity in SIGNATURES}
REQUEUE = SIGNATURES["stick-table/requeue-expiry-race"]
SHARDING = SIGNATURES["stick-table/sharding-with-peers"]


READERS: dict[str, Reader] = {"log": crash_of_text, "sample": golden.crash}


def test_the_lint_has_no_complaints() -> None:
    """Cases of facts, logs and real samples, clauses, patterns, the crash without facts, the healthy process."""
    healthy = [(name, golden.crash(name)) for name in golden.names() if name.startswith("healthy")]
    assert healthy
    assert lint_directory(DIRECTORY, READERS, healthy) == ()


def test_the_lint_of_an_installed_package_has_no_samples_and_no_complaints() -> None:
    """Cases that need them are left out."""
    assert lint_directory(DIRECTORY, {"log": crash_of_text}) == ()


@pytest.mark.parametrize(
    ("identity", "case"),
    [(identity, case) for identity in SIGNATURES for case in CASES[identity]],
    ids=lambda value: value if isinstance(value, str) else value.name.replace(" ", "-"),
)
def test_every_case_comes_out_as_expected(identity: str, case: Case) -> None:
    """One test a case, so that a failure names it."""
    verdict = run_case(SIGNATURES[identity], case, READERS)
    assert verdict is not None
    assert verdict.outcome == case.expect


@pytest.mark.parametrize(("own", "other"), list(itertools.permutations(SIGNATURES, 2)))
def test_no_signature_claims_the_crash_of_another(own: str, other: str) -> None:
    """For all ordered pairs, unless the case itself allows it."""
    for case in CASES[own]:
        if case.crash is None or case.expect not in ("confirmed", "probable") or other in case.also:
            continue
        assert judge(SIGNATURES[other], case.crash).outcome not in ("confirmed", "probable"), case.name


@pytest.mark.parametrize("signature", SIGNATURES.values(), ids=lambda each: each.id)
def test_every_lookalike_that_names_a_signature_names_one_that_exists(signature: Signature) -> None:
    """And never itself."""
    named = {each.signature for each in signature.lookalikes if each.signature}
    assert named <= SIGNATURES.keys() - {signature.id}


@pytest.mark.parametrize("signature", SIGNATURES.values(), ids=lambda each: each.id)
def test_no_fixed_release_is_called_affected(signature: Signature) -> None:
    """The ranges end before the first fixed release of each line."""
    for text in signature.fixed_in:
        version = Version.parse(text)
        assert isinstance(version, Version)
        assert not any(version.in_range(each) for each in signature.affects), text


@pytest.mark.parametrize("file", sorted(DIRECTORY.rglob("*.toml")), ids=lambda file: file.name)
def test_every_signature_says_where_its_knowledge_comes_from(file: Path) -> None:
    """In a comment at the top; its cases need none."""
    assert file.read_text(encoding="utf-8").startswith("# Source") or file.name.endswith(".cases.toml")


@pytest.mark.parametrize("version", ["2.9-dev3", "2.9-dev12", "2.9.0", "2.9.6", "3.0-dev0", "3.0-dev6"])
def test_the_requeue_race_is_probable_in_exactly_the_releases_that_have_it(version: str) -> None:
    """The ends of its three ranges."""
    facts: Facts = {"stack": ("__task_queue", "stktable_requeue_exp", "main"), "crash.kind": "bug_on"}
    assert judge(REQUEUE, crash({**facts, "process.version": version})).outcome == "probable"


@pytest.mark.parametrize("version", ["2.8.25", "2.9-dev2", "2.9.7", "2.9.15", "3.0-dev7", "3.0.0", "3.2.4"])
def test_the_requeue_race_is_excluded_in_its_neighbours(version: str) -> None:
    """The reason names the version and the fix."""
    facts: Facts = {"stack": ("__task_queue", "stktable_requeue_exp", "main"), "crash.kind": "bug_on"}
    verdict = judge(REQUEUE, crash({**facts, "process.version": version}))
    assert verdict.outcome == "excluded"
    assert version in verdict.because
    assert "2.9.7" in verdict.because


@pytest.mark.parametrize("line", [285, 324, None])
def test_the_requeue_race_does_not_insist_on_a_line(line: int | None) -> None:
    """The core of the report came from a patched build whose lines had moved."""
    facts: Facts = {"stack": ("__task_queue", "stktable_requeue_exp", "main"), "crash.kind": "bug_on"}
    moved: Facts = {"crash.source_line": line} if line else {}
    assert judge(REQUEUE, crash({**facts, **moved, "process.version": "2.9.6"})).outcome == "probable"


def test_the_words_alone_say_that_the_call_trace_would_decide() -> None:
    """And no later relative is ruled in by them."""
    verdict = judge(REQUEUE, crash({"crash.condition": "task->expire == 0", "process.version": "2.9.6"}))
    assert verdict.outcome == "possible"
    assert "stack" in [each.subject for each in verdict.missing]


def test_a_log_of_the_sharded_build_asks_for_the_debug_symbols() -> None:
    """Only the layout of struct stktable tells a patched build from a pristine one."""
    waiting = ("?", "stktable_touch_with_exp", "?", "process_stream")
    facts: Facts = {"stack": waiting, "crash.kind": "watchdog", "peers.in_use": True}
    verdict = judge(SHARDING, crash({**facts, "process.version": "2.9.6-9eafce5"}))
    assert verdict.outcome == "possible"
    assert [each.subject for each in verdict.missing] == ["stktable.sharded", "lock.table", "lock.table_peers"]
    assert "debug symbols" in verdict.missing[0].remedy


#: What memory shows of the race.
PROVEN: Facts = {
    "stack": ("__task_queue", "stktable_requeue_exp", "stktable_get_entry"),
    "crash.kind": "bug_on",
    "crash.condition": "task->expire == 0",
    "task.expire": 0,
    "task.process": "process_table_expire",
    "task.owner_table": "clients",
    "requeue.window": "unlocked",
}


@pytest.mark.parametrize("version", ["2.8.25", "2.9.6", "2.9.7", "3.0.11", "3.2.4", "nonsense"])
def test_the_unlocked_window_confirms_the_race_whatever_the_version_says(version: str) -> None:
    assert judge(REQUEUE, crash({**PROVEN, "process.version": version})).outcome == "confirmed"


@pytest.mark.parametrize("version", ["2.9.0", "2.9.6", "3.0-dev6", "3.0.11", "nonsense"])
def test_the_held_lock_excludes_the_race_whatever_the_version_says(version: str) -> None:
    verdict = judge(REQUEUE, crash({**PROVEN, "requeue.window": "locked", "process.version": version}))
    assert verdict.outcome == "excluded"
    assert "carries the fix" in verdict.because


@pytest.mark.parametrize("name", ["task.expire", "task.process", "task.owner_table", "requeue.window"])
def test_the_race_is_no_more_than_probable_while_one_of_its_facts_is_missing(name: str) -> None:
    """And the fact is named as what would decide."""
    verdict = judge(REQUEUE, crash({**{k: v for k, v in PROVEN.items() if k != name}, "process.version": "2.9.6"}))
    assert verdict.outcome == "probable"
    assert name in [each.subject for each in verdict.missing]


def test_official_sharding_is_excluded_as_contention() -> None:
    """The reason sends the reader to the right issues."""
    waiting = ("pl_wait_unlock_long", "stktable_touch_with_exp", "process_stream")
    facts: Facts = {"stack": waiting, "crash.kind": "watchdog", "peers.in_use": True, "stktable.sharded": True}
    verdict = judge(SHARDING, crash({**facts, "process.version": "3.0.8"}))
    assert verdict.outcome == "excluded"
    assert "GH-2937" in verdict.because


def test_a_listeners_assertion_is_excluded_for_the_stick_table_and_found_for_the_listener() -> None:
    """One crash against all signatures, best first."""
    facts: Facts = {
        "process.version": "3.2.15",
        "crash.kind": "bug_on",
        "crash.condition": "task->expire == 0",
        "stack": ("__task_queue", "listener_release", "session_free", "process_stream"),
    }
    verdicts = {each.signature.id: each for each in match(SIGNATURES.values(), crash(facts))}
    assert next(iter(verdicts)) == "task/schedule-running-task"
    assert verdicts[REQUEUE.id].outcome == "excluded"
    assert "listener" in verdicts[REQUEUE.id].because
