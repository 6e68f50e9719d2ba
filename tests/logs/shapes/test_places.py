"""The place of an assertion without its words, as people paste it."""

from __future__ import annotations

import pytest

from forensics.absence import Absence
from forensics.api import crash_of_text
from tests.logs.shapes.facts import NONE, Facts, check, value

RECEIVING: Facts = {
    "crash.kind": "bug_on", "crash.source_file": "src/stconn.c", "crash.source_line": 1479,
    "assertion.function": "sc_conn_recv", "assertion.releases": ("2.6.12..2.6.15",),
}  # fmt: skip
QUEUEING: Facts = {
    "crash.condition": "task->expire == 0",
    "crash.source_line": 285,
    "assertion.function": "__task_queue",
}
PLACES: dict[str, tuple[str, Facts]] = {
    "cut off": ("matched at src/stconn.c:1479", RECEIVING),
    "cut off behind a carrier": ("Jan 18 11:23:05 lb1 haproxy[7]: matched at src/stconn.c:1479", RECEIVING),
    "in a sentence": ("it stopped with matched at src/stconn.c:1479 last night.", {**RECEIVING, "crash.condition": None}),
    "quoted in Markdown": ("> - `matched at src/stconn.c:1479`", RECEIVING),
    "only the place in backticks": ("matched at `src/stconn.c:1479`:", RECEIVING),
    "nothing but the place": ("src/stconn.c:1479", RECEIVING),
    "nothing but the place, in Markdown": (" * **at `src/stconn.c:1479`**.", RECEIVING),
    "a longer path": ("matched at ../build/src/stconn.c:1479", {"assertion.function": "sc_conn_recv"}),
    "with its condition": ('"task->expire == 0" matched at src/task.c:285', QUEUEING),
    "with its condition and word": ('bug condition "task->expire == 0" matched at src/task.c:285', QUEUEING),
    "with its condition, in a sentence": ("Crashed with `task->expire == 0 matched at src/task.c:285`", QUEUEING),
    "with a condition that none has": (
        "bug condition nothing matched at src/task.c:285", {"crash.condition": "nothing", "crash.kind": "bug_on"},
    ),
    "wrapped by mail": ('> FATAL: bug condition "task->expire == 0" matched at\n> src/task.c:285', QUEUEING),
    "wrapped earlier": ('FATAL: bug condition "task->expire == 0" matched\n  at src/task.c:285', QUEUEING),
    "of no release": (
        "matched at src/stconn.c:4", {"crash.kind": "bug_on", "crash.source_line": 4, "assertion.function": None},
    ),
    "an abort in Markdown": (
        "> it said **ABORT at `src/debug.c:1183`**",
        {"crash.kind": "abort_now", "crash.source_file": "src/debug.c", "crash.source_line": 1183},
    ),
    "below the master's words": (
        "[ALERT]    (1) : Current worker (7) exited with code 139 (Segmentation fault)\nmatched at src/stconn.c:1479",
        {**RECEIVING, "crash.signal": "SIGSEGV", "process.pid": 7},
    ),
    "beside its version": (
        "HAProxy version 2.6.14 2023/06/09 - https://haproxy.org/\nmatched at src/stconn.c:1479",
        {**RECEIVING, "process.version": "2.6.14"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PLACES)
def test_a_place_alone_tells_function_and_releases(name: str) -> None:
    text, facts = PLACES[name]
    check(f"{text}\n", facts)


def test_a_place_with_several_checks_lists_each_with_its_releases() -> None:
    crash = crash_of_text("matched at include/haproxy/buf.h:791\n")
    listed = value(crash, "assertion.candidates")
    assert isinstance(listed, tuple)
    first, second = listed
    assert first == "BUG_ON_HOT in __b_put_varint(): 2.6-dev3..2.6.*, 2.7-dev0..2.7-dev7"
    assert second.startswith("BUG_ON_HOT in bl_put(): 3.1-dev11..3.1.*")
    wanting = crash.get("assertion.function")
    assert isinstance(wanting, Absence)
    assert wanting.remedy == "the whole line with its condition, or the version that ran (`haproxy -v`)"


@pytest.mark.parametrize(
    "text",
    [
        'lb1 haproxy[7]: 192.0.2.1:4 [x] web web/s1 0/0/0 200 - - ---- "GET /matched at src/task.c:285 HTTP/1.1"',
        'lb1 haproxy[7]: 192.0.2.1:4 [x] web web/s1 {ABORT at src/task.c:285} "GET / HTTP/1.1"',
        "[WARNING]  (7) : a script says: matched at src/task.c:285",
        "Jan 18 11:23:05 lb1 app[7]: rule 5 matched at src/task.c:285",
        'WARNING: bug condition "x" matched at src/task.c:285 (not crashing but process is untrusted now)',
        "Jan 18 11:23:05 lb1 haproxy[7]: src/task.c:285",
        'WARNING: warn condition "x" matched at\nsrc/task.c:285 (please report to developers)',
        "nothing matched at\nall",
        "src/task.c:285: error: expected ';' before '}' token",
        "src/task.c:4",
        "see ABORT at noon:12",
        "matched at 12:30",
    ],
)
def test_ordinary_lines_with_such_words_are_no_death(text: str) -> None:
    check(f"{text}\n", NONE)


def test_a_place_alone_says_nothing_within_a_long_log() -> None:
    check("nothing\n" * 10_000 + "src/stconn.c:1479\n", NONE)
    check("nothing\n" * 10_000 + "matched at src/stconn.c:1479\n", RECEIVING)


def test_a_check_that_only_warns_is_no_death() -> None:
    check("matched at src/debug.c:405\n", {**NONE, "warnings.checks": ("CHECK_IF/WARN_ON at src/debug.c:405",)})


def test_a_whole_line_outranks_a_quoted_place() -> None:
    text = 'FATAL: bug condition "task->expire == 0" matched at src/task.c:285\nnot matched at src/stconn.c:1479\n'
    check(text, QUEUEING)
