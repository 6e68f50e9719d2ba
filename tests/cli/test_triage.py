"""The command `triage`: formats, output, exit status, standard input."""

from __future__ import annotations

import gzip
import io
import json
import sys
from pathlib import Path

import jsonschema
import pytest

from forensics.report.schema import report_schema
from samples import golden
from tests.cli.running import run

RACE = golden.SAMPLES / "requeue-race-2.9.6"
SYMBOLS = ("--symbols", str(golden.SYMBOLS), "--sysroot", "/nonexistent-host")
ALL = (str(RACE / "core.zst"), str(RACE / "worker.log"), str(RACE / "haproxy.cfg"), *SYMBOLS)


def test_the_first_screen_answers(capsys: pytest.CaptureFixture[str]) -> None:
    ran = run(capsys, "triage", *ALL)
    screen = "\n".join(ran.out.splitlines()[:26])
    assert ran.status == 0
    assert ran.err == ""
    for answer in (
        "HAProxy 2.9.6 stopped itself",
        "task->expire == 0",
        "__task_queue, src/task.c:285",
        "CONFIRMED: A stick-table's expiration task is queued after its timer was erased",
        "[stick-table/requeue-expiry-race]",
        "Upgrade to 2.9.15",
        "HOW SURE",
    ):
        assert answer in screen


def test_the_json_report_is_valid_and_the_only_thing_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    ran = run(capsys, "triage", *ALL, "--format", "json")
    document = json.loads(ran.out)
    jsonschema.validate(document, report_schema(strict=True))
    assert document["findings"][0]["signature"] == "stick-table/requeue-expiry-race"


def test_the_printed_schema_is_the_one_that_reports_follow(capsys: pytest.CaptureFixture[str]) -> None:
    schema = json.loads(run(capsys, "schema").out)
    report = json.loads(run(capsys, "triage", *ALL, "--format", "json").out)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(report, schema)


def test_markdown_names_verdict_evidence_and_steps(capsys: pytest.CaptureFixture[str]) -> None:
    ran = run(capsys, "triage", *ALL, "--format", "markdown")
    assert ran.out.startswith("# ")
    assert "stick-table/requeue-expiry-race" in ran.out
    assert "```" in ran.out


def test_output_goes_to_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "report.json"
    ran = run(capsys, "triage", *ALL, "--format", "json", "--output", str(path))
    assert ran.out == ""
    assert json.loads(path.read_text())["crash"]["kind"] == "bug_on"


def test_an_output_that_cannot_be_written_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ran = run(capsys, "triage", *ALL, "--output", str(tmp_path / "no" / "such" / "directory"))
    assert ran.status == 1
    assert "cannot write" in ran.err


def test_a_dash_reads_a_log_from_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = io.BytesIO((RACE / "worker.log").read_bytes())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(data))
    ran = run(capsys, "triage", "-")
    assert ran.status == 0
    assert "task->expire == 0" in ran.out


def test_a_compressed_log_on_standard_input_is_decompressed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = io.BytesIO(gzip.compress((RACE / "worker.log").read_bytes()))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(data))
    assert "task->expire == 0" in run(capsys, "triage", "-").out


@pytest.mark.parametrize("wanted", ["possible", "probable", "confirmed"])
def test_fail_unless_sets_the_exit_status(wanted: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "triage", *ALL, "--fail-unless", wanted).status == 0
    # A log alone proves nothing.
    assert run(capsys, "triage", ALL[1], "--fail-unless", wanted).status == (wanted != "possible")


def test_a_log_without_a_death_says_that_nothing_crashed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "haproxy.log"
    path.write_text("[NOTICE]   (12) : New worker (13) forked\n[NOTICE]   (12) : Loading success.\n")
    ran = run(capsys, "triage", str(path))
    assert ran.status == 0
    assert "did not crash, as far as these inputs tell" in ran.out
    assert "NO CRASH TO EXPLAIN" in ran.out


def test_reports_are_scrubbed_unless_asked_otherwise(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "worker.log"
    path.write_text(
        'FATAL: bug condition "one > zero" matched at src/debug.c:652\nseen from 203.0.113.7 token=abcdef123\n'
    )
    hidden, shown = run(capsys, "triage", str(path)), run(capsys, "triage", str(path), "--no-scrub")
    assert "203.0.113.7" not in hidden.out
    assert "<ip-1>" in hidden.out
    assert "203.0.113.7" in shown.out


def test_plain_output_has_no_escape_sequences(capsys: pytest.CaptureFixture[str]) -> None:
    assert "\x1b" not in run(capsys, "triage", *ALL).out


@pytest.mark.parametrize("form", ["text", "json", "gdb"])
def test_backtraces_show_every_thread(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    ran = run(capsys, "backtrace", ALL[0], *SYMBOLS, "--format", form)
    assert ran.status == 0
    for name in ("__task_queue", "stktable_requeue_exp", "process_table_expire", "clone3"):
        assert name in ran.out
    assert "10516" in ran.out
    assert "10518" in ran.out


def test_equal_stacks_are_shown_once_unless_all_are_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    core = str(golden.SAMPLES / "requeue-race-2.9.6" / "core.zst")
    grouped = run(capsys, "backtrace", core, *SYMBOLS).out
    every = run(capsys, "backtrace", core, *SYMBOLS, "--all").out
    assert grouped.count("Thread") <= every.count("Thread")


@pytest.mark.parametrize("command", [(), ("triage",), ("backtrace",), ("signatures",), ("symbols",), ("scan",)])
def test_every_command_has_a_help_worth_reading(command: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    ran = run(capsys, *command, "--help")
    assert ran.status == 0
    assert "Usage:" in ran.out
    assert len(ran.out.splitlines()) > 8


def test_the_signatures_are_listed_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    listed = run(capsys, "signatures", "list").out
    assert "stick-table/requeue-expiry-race" in listed
    shown = run(capsys, "signatures", "show", "stick-table/requeue-expiry-race").out
    assert "2.9.0..2.9.6" in shown
    assert "Looks alike" in shown


def test_an_unknown_signature_is_an_error_that_names_near_ones(capsys: pytest.CaptureFixture[str]) -> None:
    ran = run(capsys, "signatures", "show", "requeue-expiry-race")
    assert ran.status == 1
    assert "stick-table/requeue-expiry-race" in ran.err
