"""Assertions: the line, the explanation, the trace."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from forensics.logs import BugReport, culprit_frames, parse
from tests.logs.carriers import CARRIERS, lines_of, text_lines


def bug(text: str) -> BugReport:
    """The one assertion of a text."""
    (report,) = parse(text_lines(text)).bug_reports
    return report


def test_the_requeue_race_of_2_9_0_is_read_whole() -> None:
    """A real log, with twelve frames."""
    (report,) = parse(lines_of("2.9.0-requeue-expiry-race.log")).bug_reports
    assert (report.kind, report.condition, report.file, report.line_number) == (
        "bug_on", "task->expire == 0", "src/task.c", 285,
    )  # fmt: skip
    assert (report.fatal, report.explanation, report.line, len(report.frames)) == (True, "", 2, 12)
    assert [frame.function for frame in report.frames[:3]] == [
        "__task_queue",
        "stktable_requeue_exp",
        "stktable_get_entry",
    ]


def test_an_explanation_stands_below_its_assertion() -> None:
    """Since 3.0; here a real log of 3.2.0."""
    (report,) = parse(lines_of("3.2.0-debug-dev-bug.log")).bug_reports
    assert report.explanation == "This was triggered on purpose from the CLI 'debug dev bug' command."
    assert report.frames[0].callee == "ha_backtrace_to_stderr"


def test_an_abort_has_its_message_in_the_same_line() -> None:
    """A real log of 3.5-dev5."""
    (report,) = parse(lines_of("3.5-dev5-debug-dev-abort.log")).bug_reports
    assert (report.kind, report.condition, report.file, report.line_number) == ("abort_now", "", "src/debug.c", 1183)
    assert report.explanation == "This was triggered on purpose from the CLI 'debug dev abort' command."
    assert culprit_frames(report.frames)[0].function == "debug_parse_cli_abort"


def test_an_assertion_in_a_cold_fragment_has_no_name_of_its_own() -> None:
    """2.6.12 prints it relative to main; the caller is named."""
    (report,) = parse(lines_of("2.6.12-requeue-forced.log")).bug_reports
    assert [frame.function for frame in report.frames[:2]] == ["?", "__stktable_store"]


@pytest.mark.parametrize("carrier", CARRIERS, ids=lambda carrier: carrier.__name__)
@pytest.mark.parametrize(
    "name", ["2.9.0-requeue-expiry-race.log", "3.2.0-debug-dev-bug.log", "3.5-dev5-debug-dev-abort.log"]
)
def test_every_carrier_brings_the_same_assertion(carrier: Callable[[list[bytes]], list[bytes]], name: str) -> None:
    """But for the line numbers, and the pid of the tag."""
    (plain,) = parse(lines_of(name)).bug_reports
    (carried,) = parse(carrier(lines_of(name))).bug_reports
    assert [(frame.address, frame.function, frame.symbol, frame.callee) for frame in carried.frames] == [
        (frame.address, frame.function, frame.symbol, frame.callee) for frame in plain.frames
    ]
    assert (carried.kind, carried.condition, carried.file, carried.line_number, carried.explanation) == (
        plain.kind, plain.condition, plain.file, plain.line_number, plain.explanation,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("line", "kind", "fatal"),
    [
        ('FATAL: bug condition "x" matched at src/a.c:1', "bug_on", True),
        (
            (
                'WARNING: bug condition "x" matched at src/a.c:1 '
                "(not crashing but process is untrusted now, please report to developers)"
            ),
            "bug_on",
            False,
        ),
        ('WARNING: warn condition "x" matched at src/a.c:1 (please report to developers)', "warn_on", False),
        ('FATAL: warn condition "x" matched at src/a.c:1', "warn_on", True),
        ('WARNING: check condition "x" matched at src/a.c:1 (please report to developers)', "check_if", False),
        ('FATAL: check condition "x" matched at src/a.c:1', "check_if", True),
        ("ABORT at src/a.c:1: text", "abort_now", True),
        ("ABORT at src/a.c:1", "abort_now", True),
    ],
)
def test_kind_and_deadliness_are_in_the_words(line: str, kind: str, fatal: bool) -> None:
    """DEBUG_STRICT_ACTION decides what the build makes of a condition."""
    report = bug(line)
    assert (report.kind, report.fatal, report.file, report.line_number) == (kind, fatal, "src/a.c", 1)


def test_a_condition_may_hold_quotes_and_even_the_words_that_end_it() -> None:
    """The last ones end it."""
    condition = 'strcmp(s, "" matched at x:1") == 0'
    report = bug(f'FATAL: bug condition "{condition}" matched at include/haproxy/x.h:17')
    assert (report.condition, report.file, report.line_number) == (condition, "include/haproxy/x.h", 17)


def test_a_wordless_abort_is_a_trace_and_nothing_else() -> None:
    """ABORT_NOW() of 2.4 to 3.4."""
    report = bug("  call trace(2):\n  | 0x55 [0f 0b]: pool_free+0x1/0x9\n")
    assert (report.kind, report.file, report.line_number, report.fatal) == ("abort_now", None, None, True)
    assert report.frames[0].function == "pool_free"


def test_the_traces_of_thread_dumps_are_no_aborts() -> None:
    """Each belongs to its thread."""
    assert parse(lines_of("2.9.6-sharding-patch-with-peers-watchdog.log")).bug_reports == ()


def test_what_follows_an_assertion_without_trace_is_not_its_explanation() -> None:
    """On musl there are no traces, so the next line may be anything."""
    head = 'FATAL: bug condition "x" matched at src/a.c:1\n'
    for line in (
        "[NOTICE]   (1) : hello",
        "10.0.0.1:80 [06/Feb/2009:12:14:14.655] fe be/s",
        "",
        "Hint: when reporting",
    ):
        assert bug(f"{head}{line}\n").explanation == ""


def test_lines_of_others_between_do_not_tear_a_trace() -> None:
    """Traffic goes on while one thread dies."""
    lines = lines_of("2.9.0-requeue-expiry-race.log")
    traffic = b"10.0.1.2:33317 [06/Feb/2009:12:14:14.655] http-in static/srv1 200 2750\n"
    mixed = [line for pair in ((line, traffic) for line in lines) for line in pair]
    (report,) = parse(mixed).bug_reports
    assert len(report.frames) == 12


def test_the_second_assertion_begins_a_second_report() -> None:
    """Each keeps its own frames."""
    twice = [*lines_of("2.9.0-debug-dev-bug.log"), *lines_of("2.9.0-requeue-expiry-race.log")]
    first, second = parse(twice).bug_reports
    assert (len(first.frames), len(second.frames)) == (9, 12)
    assert (first.line, second.line) == (2, 14)
