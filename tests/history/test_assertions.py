"""The catalogue of assertions, asked with lines that real HAProxys printed or would print."""

from __future__ import annotations

import random
import re
import time
from pathlib import Path

import pytest

from forensics.absence import Absence
from forensics.elf.image import ElfImage
from forensics.history.assertions import (
    Assertion,
    find_assertions,
    is_known,
    nearest_in,
    newest_before,
    places_of,
    releases_in,
)
from forensics.logs import BugReport, parse
from forensics.memory.open import open_bytes
from forensics.symbols.checks import checks_of
from forensics.versions import Version, VersionRange
from samples.lab import builds
from tests.unwind.test_gdb_oracle import LAB

LOGS = Path(__file__).parents[1] / "logs" / "data"

#: So many assertions of each executable are looked up.
_SOME = 250

#: A whole sentence in .rodata, as BUG_ON, WARN_ON and CHECK_IF of 2.6 to 3.4 have it.
SENTENCE = re.compile(rb'(?:FATAL|WARNING): (?:bug|warn|check) condition "([^\0]*)" matched at ([^\0\n:]+):(\d+)')


def version(text: str) -> Version:
    parsed = Version.parse(text)
    assert isinstance(parsed, Version)
    return parsed


def found(file: str, line: int, condition: str = "") -> tuple[Assertion, ...]:
    answer = find_assertions(file, line, condition)
    assert not isinstance(answer, Absence), answer
    return answer


def printed() -> list[tuple[str, BugReport]]:
    """Release and assertion of each log whose file is named after its release, where a place was printed."""
    reports = []
    for path in sorted(LOGS.glob("*.log")):
        release = re.match(r"\d\.\d(?:\.\d+|-dev\d+)", path.name)
        if release is None:
            continue  # of no release: a debugger's, a sanitizer's
        with path.open("rb") as lines:
            evidence = parse(lines)
        reports += [(release[0], one) for one in evidence.bug_reports if one.fatal and one.file]
    return reports


def test_the_line_of_each_real_log_gives_its_release_among_others() -> None:
    assert {release for release, _ in printed()} >= {"2.6.12", "2.9.0", "3.2.0", "3.5-dev5"}
    for release, bug in printed():
        answers = found(bug.file or "", bug.line_number or 0, bug.condition)
        assert len(answers) == 1
        assert not answers[0].moved
        assert answers[0].stands_in(version(release)), (release, bug, answers)


def sentences(executable: Path) -> list[tuple[str, str, int]]:
    """Condition, file and line of assertions whose sentence an executable holds, picked by chance."""
    every = {(one[1], one[2], one[3]) for one in SENTENCE.finditer(executable.read_bytes())}
    told = sorted((text.decode(), file.decode(), int(line)) for text, file, line in every)
    return random.Random(5).sample(told, min(_SOME, len(told)))


def executable(name: str) -> Path:
    path = builds.runnable(LAB, name).executable
    if not path.is_file():
        pytest.skip(f"{path} is not there: python -m samples.lab.builds {name}")
    return path


@pytest.mark.parametrize(("name", "release"), [("haproxy-2.6", "2.6.12"), ("haproxy-3.0", "3.0.11")])
def test_every_assertion_of_an_unpatched_build_is_found_at_its_line(name: str, release: str) -> None:
    every = sentences(executable(name))
    assert len(every) > 200
    for condition, file, line in every:
        answers = [one for one in found(file, line, condition) if one.stands_in(version(release))]
        assert len(answers) == 1, (condition, file, line)
        assert not answers[0].moved


@pytest.mark.parametrize(("name", "release"), [("package-3.2", "3.2.26"), ("package-3.4", "3.4.7")])
def test_of_a_release_newer_than_the_catalogue_the_condition_still_tells_the_branch(name: str, release: str) -> None:
    """Lines moved since the last release known: half of them still stand where they stood."""
    every = sentences(executable(name))
    assert not is_known(version(release))
    answers = [find_assertions(file, line, condition) for condition, file, line in every]
    named = [one for one in answers if not isinstance(one, Absence)]
    assert len(named) > 0.98 * len(every)
    here = [one for one in named if any(each.stands_in(version(release)) for each in one)]
    assert len(here) > 0.9 * len(every)
    assert sum(not one[0].moved for one in here) > 0.45 * len(every)


def test_a_distribution_s_patches_move_some_lines_and_the_condition_finds_them() -> None:
    every = sentences(executable("package-3.0"))
    answers = [found(file, line, condition) for condition, file, line in every]
    exact = sum(any(one.stands_in(version("3.0.11")) for one in each if not one.moved) for each in answers)
    moved = sum(each[0].moved and any(one.stands_in(version("3.0.11")) for one in each) for each in answers)
    assert exact > 0.9 * len(every)
    assert exact + moved > 0.97 * len(every)


def test_a_line_alone_gives_function_kind_and_releases() -> None:
    assert found("src/stconn.c", 1479) == (
        Assertion("src/stconn.c", 1479, "sc_conn_recv", "BUG_ON", ("2.6.12..2.6.15",)),
    )


def test_the_condition_decides_between_assertions_at_one_line() -> None:
    """__task_queue() has two: the other one moved to this line when the first one moved on."""
    (alone,), (timer,) = found("src/task.c", 278), found("src/task.c", 278, "task->expire == 0")
    assert timer.function == alone.function == "__task_queue"
    assert timer.releases == ("2.7-dev2..2.7-dev5",)
    assert set(releases_in("2.9.0..2.9.6")) <= {each for text in alone.releases for each in releases_in(text)}
    assert find_assertions("src/task.c", 278, "no such text") == Absence(
        "assertion in the catalogue", "no release known has an assertion with this condition at src/task.c:278"
    )


def test_integers_that_a_build_changed_do_not_hide_the_condition() -> None:
    """`sizeof` and limits differ from one build to the other."""
    assert found("src/applet.c", 229 + 108, "size > 88") == found("src/applet.c", 337, "size > 96")
    assert found("src/applet.c", 337, "size > 96")[0].function == "applet_reserve_svcctx"


def test_blanks_of_the_printed_condition_do_not_count() -> None:
    assert found("src/task.c", 285, "task -> expire==0") == found("src/task.c", 285, "task->expire == 0")


def test_a_text_that_changed_narrows_the_releases_to_those_that_print_it() -> None:
    assert found("src/applet.c", 379, "size > 88")[0].releases == ("3.0-dev3..3.0-dev5",)


def test_where_nothing_begins_the_end_of_a_statement_counts() -> None:
    """Compilers differ in which line of a statement they print."""
    first, last = found("src/server.c", 3730), found("src/server.c", 3731)
    assert first == last
    assert first[0].line == 3730


def test_a_line_that_moved_is_found_by_file_and_condition_and_says_so() -> None:
    answers = found("src/task.c", 324, "task->expire == 0")
    assert {one.function for one in answers} == {"__task_queue", "wake_expired_tasks"}
    assert all(one.moved and one.line == 0 for one in answers)
    assert answers[0].stands_in(version("2.9.6"))


def test_without_a_condition_a_line_with_nothing_is_an_absence() -> None:
    answer = find_assertions("src/task.c", 1)
    assert isinstance(answer, Absence)
    assert answer.reason == "no release known has an assertion at src/task.c:1"


@pytest.mark.parametrize(
    "path", ["src/task.c", "./src/task.c", "../../haproxy-2.6.12/src/task.c", "/b/src/task.c", "task.c"]
)
def test_paths_compare_by_their_end(path: str) -> None:
    assert found(path, 310, "task->expire == 0") == found("src/task.c", 310, "task->expire == 0")


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "src/",
        "src/nothing.c",
        ".c",
        "src/task.c\n",
        '"],[',
        "(" * 4000,
        "a/" * 4000,
        "src\\task",
        "\udc80\u202e",
    ],
)
def test_a_path_of_no_file_is_an_absence(path: str) -> None:
    assert isinstance(find_assertions(path, 310, "x" * 100_000), Absence)


def test_a_range_that_reaches_the_last_release_known_stays_open() -> None:
    assert found("src/debug.c", 1183)[0].releases == ("3.5-dev5..3.5.*",)
    assert found("src/debug.c", 1183)[0].stands_in(version("3.5.2"))


def test_every_range_of_the_answers_can_be_parsed_and_lies_in_one_branch() -> None:
    for one in found("src/task.c", 1, "task->expire == 0"):
        for text in one.releases:
            parsed = VersionRange.parse(text)
            assert isinstance(parsed, VersionRange)
            assert parsed.first.branch == parsed.last.branch
            assert releases_in(text)


def test_where_a_release_has_a_condition_is_told() -> None:
    there = [one for one in places_of("src/task.c", "task->expire == 0") if one.stands_in(version("2.6.12"))]
    assert [one.line for one in there] == [310, 385, 474]
    assert places_of("src/task.c", "nothing") == ()
    near = nearest_in(version("2.6.12"), "src/task.c", 320, "task->expire == 0")
    assert near == there[0]
    assert not nearest_in(version("2.6.12"), "src/task.c", 320, "nothing")


@pytest.mark.parametrize(
    ("name", "release", "last"), [("package-3.2", "3.2.26", "3.2.20"), ("package-3.4", "3.4.7", "3.4.1")]
)
def test_the_last_release_known_tells_the_function_in_a_newer_one(name: str, release: str, last: str) -> None:
    """Since 3.1 executables themselves say which function each check stands in."""
    before = newest_before(version(release))
    assert before == version(last)
    checks = [
        one for one in checks_of(ElfImage(open_bytes(str(executable(name))))).all if one.kind == "bug" and one.condition
    ]
    assert len(checks) > 500
    checks = random.Random(5).sample(checks, _SOME)
    near = [nearest_in(version(last), one.file, one.line, one.condition) for one in checks]
    right = sum(
        not isinstance(found, Absence) and found.function == one.function
        for one, found in zip(checks, near, strict=True)
    )
    assert right > 0.96 * len(checks)


def test_a_branch_that_nobody_knows_has_no_release_before() -> None:
    assert isinstance(newest_before(version("9.9.9")), Absence)


def test_releases_in_a_range() -> None:
    assert [one.text for one in releases_in("2.9-dev11..2.9.1")] == ["2.9-dev11", "2.9-dev12", "2.9.0", "2.9.1"]
    assert releases_in("9.9.1..9.9.*") == releases_in("nonsense") == ()


def test_a_look_up_takes_milliseconds() -> None:
    """Ten of the dearest: the files with most assertions, with a condition that stands nowhere."""
    find_assertions("src/task.c", 1)
    start = time.process_time()
    for _ in range(10):
        find_assertions("src/mux_quic.c", 99_999, "nothing like it")
    assert time.process_time() - start < 0.25
