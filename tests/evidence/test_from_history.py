"""What the line of an assertion adds to the facts of a log."""

from __future__ import annotations

import pytest

from forensics.absence import Absence
from forensics.api import crash_of_text
from forensics.evidence.collect import collect
from forensics.evidence.fact import Crash, Fact
from forensics.source import Source
from samples import golden

QUEUED = 'FATAL: bug condition "task->expire == 0" matched at src/task.c:310\n'
FORCED = (golden.SAMPLES / "requeue-forced-2.6.12" / "worker.log").read_text()
VERSION = "[NOTICE]   (7) : haproxy version is {}\n"


def fact(crash: Crash, name: str) -> Fact:
    found = crash.get(name)
    assert isinstance(found, Fact), found
    return found


def test_a_line_alone_tells_function_and_releases() -> None:
    crash = crash_of_text(QUEUED)
    assert fact(crash, "assertion.function").value == "__task_queue"
    releases = fact(crash, "assertion.releases")
    assert releases.value == ("2.6.2..2.6.*",)
    assert releases.trust == "derived"
    assert releases.source.line == 1
    assert releases.source.what.startswith("assertions of the releases up to ")
    assert isinstance(crash.get("process.version"), Absence)


def test_a_trace_that_begins_without_a_name_gets_no_frame_from_it() -> None:
    """The catalogue's function is a hint beside the stack: the code may have been inlined or moved."""
    crash = crash_of_text(FORCED)
    stack = fact(crash, "stack").value
    assert isinstance(stack, tuple)
    assert stack[0] == "?"
    assert fact(crash, "assertion.function").value == "__task_queue"


def test_the_running_release_has_it_there() -> None:
    crash = crash_of_text(VERSION.format("2.6.12-1+deb12u4") + QUEUED)
    assert fact(crash, "assertion.function").trust == "derived"
    assert not [gap for gap in crash.gaps if gap.subject.startswith("assertion at")]


def test_a_release_without_it_there_is_a_gap_that_proves_nothing() -> None:
    crash = crash_of_text(VERSION.format("2.6.12") + QUEUED.replace("310", "313"))
    (gap,) = [gap for gap in crash.gaps if gap.subject.startswith("assertion at")]
    assert gap == Absence(
        "assertion at src/task.c:313 in 2.6.12",
        "2.6.12 as it was released has no such assertion there; this condition stands at line 310, 385, 474 "
        "(lines moved: a distribution's patch, or a snapshot between two releases; or another version)",
    )
    function = fact(crash, "assertion.function")
    assert (function.value, function.trust) == ("__task_queue", "assumed")
    assert function.source.what.endswith("; no such assertion at this line: nearest is line 310 in 2.6.12")


def test_the_gap_names_the_releases_that_have_it_there() -> None:
    crash = crash_of_text(VERSION.format("2.9.6") + QUEUED)
    (gap,) = [gap for gap in crash.gaps if gap.subject.startswith("assertion at")]
    assert "; 2.6.2..2.6.* have it there" in gap.reason


def test_a_line_that_moved_is_told_with_less_trust() -> None:
    """The core of GH-2508 came from a build whose lines were off by 39."""
    crash = crash_of_text('FATAL: bug condition "task->expire == 0" matched at src/task.c:324\n')
    assert fact(crash, "assertion.releases").trust == "assumed"
    gap = crash.get("assertion.function")
    assert isinstance(gap, Absence)
    assert "in __task_queue() in " in gap.reason
    assert "in wake_expired_tasks() in " in gap.reason


def test_the_call_trace_decides_between_functions() -> None:
    text = (golden.SAMPLES / "requeue-race-2.9.6" / "worker.log").read_text().replace("task.c:285", "task.c:324")
    assert fact(crash_of_text(text), "assertion.function").value == "__task_queue"


def test_a_release_newer_than_the_catalogue_gets_the_function_from_its_branch() -> None:
    text = VERSION.format("3.2.26-1") + 'FATAL: bug condition "one > zero" matched at src/debug.c:965\n'
    function = fact(crash_of_text(text), "assertion.function")
    assert function.value == "debug_parse_cli_bug"
    assert function.trust == "assumed"
    assert function.source.what.endswith("; 3.2.26 is not among them: nearest is line 965 in 3.2.20")
    assert crash_of_text(text).all("assertion.releases") == ()


def test_abort_now_has_no_condition_and_is_found_by_its_line() -> None:
    crash = crash_of_text("ABORT at src/debug.c:1183: This was triggered on purpose.\n")
    assert fact(crash, "assertion.function").value == "debug_parse_cli_abort"


@pytest.mark.parametrize("kind", ["segfault", "watchdog", "oom"])
def test_a_place_that_is_no_assertion_is_not_looked_up(kind: str) -> None:
    source = Source("gdb.txt", "pasted backtrace")
    facts = (
        Fact("crash.kind", kind, source),
        Fact("crash.source_file", "src/task.c", source),
        Fact("crash.source_line", 310, source),
    )
    assert collect([("log", lambda: iter(facts))]) == Crash.of(facts)


@pytest.mark.parametrize("place", ["src/nothing.c:1", "(((.c:1", "src/task.c:999999999"])
def test_a_place_that_no_release_has_is_a_gap(place: str) -> None:
    crash = crash_of_text(f'FATAL: bug condition "no such thing" matched at {place}\n')
    assert isinstance(crash.get("assertion.releases"), Absence)
    assert crash.get("crash.condition")
