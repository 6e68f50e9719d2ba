"""Every sample is diagnosed as its ``expected.json`` says, from all of it and from each part alone."""

from __future__ import annotations

import json

import jsonschema
import pytest

from forensics.report.schema import report_schema
from samples import golden

#: Samples whose folder holds no HAProxy: they give an error.
NOT_HAPROXY = ("foreign",)

REQUEUE = "stick-table/requeue-expiry-race"
SHARDING = "stick-table/sharding-with-peers"
DELIBERATE = "deliberate/debug-dev"

#: What each part of a sample gives: (sample, files, signature, verdict).
VERDICTS = [
    ("requeue-race-2.9.6", ("core.zst",), REQUEUE, "confirmed"),
    ("requeue-race-2.9.6", ("worker.log",), REQUEUE, "possible"),
    ("requeue-race-2.9.6", ("core.zst", "worker.log", "haproxy.cfg"), REQUEUE, "confirmed"),
    ("requeue-race-3.0.11", ("core.zst",), REQUEUE, "confirmed"),
    ("requeue-race-3.0.11", ("core.zst", "worker.log", "haproxy.cfg"), REQUEUE, "confirmed"),
    ("requeue-race-3.0.11", ("worker.log",), REQUEUE, "possible"),
    ("requeue-fixed-3.0.11", ("core.zst",), REQUEUE, "excluded"),
    ("requeue-fixed-3.0.11", ("core.zst", "worker.log"), REQUEUE, "excluded"),
    ("requeue-forced-2.6.12", ("core.zst", "worker.log"), "stick-table/expiry-task-race", "excluded"),
    ("sharding-with-peers-2.9.6", ("core.zst",), SHARDING, "confirmed"),
    ("sharding-with-peers-2.9.6", ("core.zst", "haproxy.cfg"), SHARDING, "confirmed"),
    ("sharding-with-peers-2.9.6", ("worker.log",), SHARDING, "possible"),
    ("sharding-with-peers-2.9.6", ("worker.log", "haproxy.cfg"), SHARDING, "possible"),
    ("truncated-2.9.6", ("core.zst",), SHARDING, "possible"),
    ("truncated-2.9.6", ("worker.log",), SHARDING, "possible"),
    ("truncated-2.9.6", ("core.zst", "worker.log", "haproxy.cfg"), SHARDING, "probable"),
    ("bug-on-2.6.12", ("core.zst",), DELIBERATE, "probable"),
    ("bug-on-2.6.12", ("worker.log",), DELIBERATE, "probable"),
    ("bug-on-3.4.7", ("core.zst",), DELIBERATE, "probable"),
    ("bug-on-3.4.7", ("worker.log",), DELIBERATE, "probable"),
    ("panic-3.4.7", ("worker.log",), DELIBERATE, "probable"),
    ("journal-bug-3.4.7", ("journal.log",), DELIBERATE, "probable"),
]

ROTATED = ("haproxy.log", "haproxy.log.1.gz", "haproxy.log.2.gz")

#: (sample, files, kind, signal): how it died.
DEATHS = [
    ("bug-on-2.6.12", ("core.zst",), "bug_on", "SIGSEGV"),
    ("bug-on-3.4.7", ("core.zst",), "bug_on", "SIGILL"),
    ("requeue-race-2.9.6", ("core.zst",), "bug_on", "SIGILL"),
    ("segfault-2.6.12", ("core.zst",), "segfault", "SIGSEGV"),
    ("segfault-2.6.12", ("core.zst", "worker.log"), "segfault", "SIGSEGV"),
    ("sharding-with-peers-2.9.6", ("core.zst",), "watchdog", "SIGABRT"),
    ("watchdog-loop-3.0.11", ("core.zst",), "watchdog", "SIGABRT"),
    ("watchdog-loop-3.0.11", ("worker.log",), "watchdog", "SIGABRT"),
    ("signal-from-outside-2.6.12", ("core.zst",), "signal_from_outside", "SIGSEGV"),
    ("healthy-2.6.12", ("core.zst",), "unknown", ""),
    # Who called abort() is lost with the stack: a self-sent SIGABRT alone is no verdict.
    ("truncated-2.9.6", ("core.zst",), "unknown", "SIGABRT"),
    ("truncated-2.9.6", ("core.zst", "worker.log"), "watchdog", "SIGABRT"),
    ("journal-bug-3.4.7", ("journal.log",), "bug_on", "SIGILL"),
    ("container-lua-loop-3.2.26", ("container-json.log",), "watchdog", "SIGABRT"),
    ("rotated-double-free-3.0.11", ROTATED, "pool_corruption", "SIGILL"),
]


@pytest.mark.parametrize("name", golden.names())
def test_all_of_a_sample_gives_its_expected_report(name: str) -> None:
    expected = json.loads((golden.SAMPLES / name / golden.EXPECTED).read_text(encoding="utf-8"))
    assert golden.document(name) == expected, f"read the difference; if it is meant: python -m samples.golden {name}"


@pytest.mark.parametrize("name", [name for name in golden.names() if name not in NOT_HAPROXY])
def test_every_report_of_a_sample_is_valid(name: str) -> None:
    for files in (golden.EVIDENCE, ("core.zst",), ("worker.log",)):
        if golden.evidence(name, *(file for file in files if file != "haproxy.cfg")):
            jsonschema.validate(golden.document(name, *files), report_schema(strict=True))


@pytest.mark.parametrize(("name", "files", "signature", "verdict"), VERDICTS)
def test_the_verdict_from_each_part_of_a_sample(
    name: str, files: tuple[str, ...], signature: str, verdict: str
) -> None:
    document = golden.document(name, *files)
    found = {one["signature"]: one["verdict"] for one in document["findings"]}
    found |= {one["signature"]: "excluded" for one in document["excluded"]}
    assert found.get(signature) == verdict, found


@pytest.mark.parametrize(("name", "files", "kind", "signal"), DEATHS)
def test_the_kind_of_death_from_each_part_of_a_sample(
    name: str, files: tuple[str, ...], kind: str, signal: str
) -> None:
    crash = golden.document(name, *files)["crash"]
    assert (crash["kind"], crash.get("signal", "")) == (kind, signal)


def test_nothing_matches_a_healthy_process() -> None:
    document = golden.document("healthy-2.6.12")
    assert document["findings"] == []
    assert document["excluded"] == []
    assert not any(thread["crashed"] for thread in document["threads"])


def test_nothing_is_confirmed_without_memory() -> None:
    """A log and a configuration are the words of the process; only its memory proves."""
    for name in golden.names():
        if golden.evidence(name, "worker.log"):
            findings = golden.document(name, "worker.log", "haproxy.cfg").get("findings", [])
            assert not [one for one in findings if one["verdict"] == "confirmed"], name


def test_memory_outranks_the_version_that_a_build_calls_itself() -> None:
    """The race in a build that says 3.0.11 is confirmed, and the report says what the version has against it."""
    document = golden.document("requeue-race-3.0.11", "core.zst")
    (finding,) = document["findings"]
    assert (finding["signature"], finding["verdict"], finding["affected"]) == (REQUEUE, "confirmed", False)
    assert "3.0.11" in finding["contradiction"]
    assert {one["fact"] for one in finding["evidence"] if not one["supports"]} == {"process.version"}
    assert "how this executable was built" in document["next_steps"][0]


def test_core_and_log_of_one_crash_do_not_disagree() -> None:
    for name in golden.names():
        assert golden.document(name).get("disagreements", []) == [], name


def test_the_same_crash_has_one_fingerprint_from_core_from_log_and_from_a_stripped_build() -> None:
    core = golden.document("requeue-race-2.9.6", "core.zst")["fingerprint"]["stable"]
    log = golden.document("requeue-race-2.9.6", "worker.log")["fingerprint"]["stable"]
    stripped = golden.document("requeue-fixed-3.0.11", "core.zst")["fingerprint"]["stable"]
    assert core == log == stripped


def test_the_log_of_another_crash_beside_a_core_is_shown_as_a_disagreement() -> None:
    from forensics.api import triage

    core = golden.evidence("requeue-race-2.9.6", "core.zst")
    log = golden.evidence("bug-on-3.4.7", "worker.log")
    report = triage([*core, *log], golden.options())
    subjects = {one.subject for one in report.disagreements}
    assert {"version", "condition of the assertion", "functions of the crashed thread"} <= subjects


def test_what_a_cut_core_lost_is_said_with_the_setting_that_usually_cuts_it() -> None:
    document = golden.document("truncated-2.9.6", "core.zst")
    truncated = document["inputs"][0]["truncated"]
    assert truncated["missing_bytes"] > 100_000
    assert "ProcessSizeMax" in truncated["likely_cause"]
    assert any("ProcessSizeMax" in step for step in document["next_steps"])


def test_a_report_is_the_same_bytes_twice() -> None:
    assert golden.document("sharding-with-peers-2.9.6") == golden.document("sharding-with-peers-2.9.6")


def test_an_excluded_lookalike_says_which_fact_refuted_it() -> None:
    document = golden.document("requeue-fixed-3.0.11", "core.zst")
    excluded = next(one for one in document["excluded"] if one["signature"] == REQUEUE)
    assert "the table's lock was held" in excluded["because"]
    assert "requeue.window" in {one["fact"] for one in excluded["evidence"] if not one["supports"]}
