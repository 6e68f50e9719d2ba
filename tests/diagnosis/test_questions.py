"""What would decide between known crashes that a text leaves possible: of real texts, by the shipped signatures."""

from __future__ import annotations

import pytest

from forensics.api import crash_of_text
from forensics.diagnosis.diagnose import diagnose
from forensics.diagnosis.finding import Diagnosis, Question
from forensics.diagnosis.questions import expected, questions
from forensics.evidence.fact import FactValue
from forensics.matching.knowledge import load_knowledge
from forensics.matching.match import judge, match
from forensics.matching.signature import Clause
from tests.diagnosis.crashes import crash, signature, verdict

QUEUED = 'FATAL: bug condition "task->expire == 0" matched at src/task.c:{}\n'
VERSION = "[NOTICE]   (7) : haproxy version is {}\n"
AT_ONE = "[ 1.2] haproxy[13726]: segfault at 1 ip 0000558b178329b6 sp 00007fff7b93fa90 error 6 in haproxy[558b1782e000+1dd000]\n"
WAITING = """\
Thread 3 is about to kill the process.
*>Thread 3 : id=0x7f01 act=1 glob=0 wq=1 rq=0 tl=0 tlsz=0 rqsz=0
      1/1    stuck=1 prof=0 harmless=0 isolated=0
             cpu_ns: poll=8153 now=2067816190 diff=2067808037
             curr_task=0
             call trace(3):
             | 0x55d0 [eb b2 66 66 2e 0f 1f 84]: pl_wait_unlock_long+0x1/0x63
             | 0x55d1 [eb b2 66 66 2e 0f 1f 84]: stktable_touch_with_exp+0x1/0x63
             | 0x55d2 [eb b2 66 66 2e 0f 1f 84]: process_stream+0x1/0x63
"""

REQUEUE, SCHEDULE = "stick-table/requeue-expiry-race", "task/schedule-running-task"
ELDER, LISTENER = "stick-table/expiry-task-race", "listener/global-queue-task-race"
SHARDING, CONTENTION = "stick-table/sharding-with-peers", "stick-table/update-lock-contention"


def diagnosed(text: str) -> Diagnosis:
    """The diagnosis of a text."""
    crash = crash_of_text(text)
    return diagnose(crash, match(load_knowledge(), crash))


def names(question: Question) -> list[str]:
    """The candidates that a question is about."""
    return sorted(answer.signature for answer in question.answers)


#: A text, its findings, the facts of its questions in their order, and who answers the first.
TEXTS: dict[str, tuple[str, list[str], list[str], list[str]]] = {
    "an assertion without a trace and a version": (
        QUEUED.format(285), [REQUEUE, SCHEDULE], ["stack", "process.version"], [REQUEUE, SCHEDULE],
    ),
    "an assertion of 2.9.6 without a trace": (
        VERSION.format("2.9.6") + QUEUED.format(285), [REQUEUE, SCHEDULE], ["stack"], [REQUEUE, SCHEDULE],
    ),
    "an assertion of 2.6.6 without a trace": (
        VERSION.format("2.6.6") + QUEUED.format(310), [LISTENER, ELDER], ["stack"], [LISTENER, ELDER],
    ),
    "a wait for a lock without a version": (
        WAITING, [SHARDING, CONTENTION, "stick-table/expire-loop"], ["process.version"],
        ["stick-table/expire-loop", SHARDING, CONTENTION],
    ),
    "a kernel's line of an end on purpose": (AT_ONE, [], ["stack"], [LISTENER, ELDER, REQUEUE, SCHEDULE]),
    "a place alone": ("matched at src/task.c:310\n", [], ["stack"], [LISTENER, ELDER, SCHEDULE]),
    "a place alone, elsewhere": ("matched at src/stconn.c:1479\n", [], [], []),
    "a place that the version does not have": (
        VERSION.format("2.9.6") + "matched at src/stconn.c:1479\n", [], [], [],
    ),
    "a watchdog's first line": (
        "Thread 1 is about to kill the process.\n", [], ["stack"],
        ["stick-table/expire-loop", SHARDING, CONTENTION, "task/schedule-deadlock"],
    ),
    "an exit code": ("[ALERT]    (1) : Current worker (7) exited with code 139 (Segmentation fault)\n", [], [], []),
    "nothing": ("nothing\n", [], [], []),
}  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_that_fits_several_names_each_and_asks_what_tells_them_apart_best(name: str) -> None:
    text, findings, facts, first = TEXTS[name]
    found = diagnosed(text)
    assert sorted(each.signature for each in found.findings) == sorted(findings)
    assert [each.fact for each in found.questions][: len(facts)] == facts
    assert bool(found.questions) == bool(facts)
    if first:
        assert names(found.questions[0]) == sorted(first)


def test_the_first_question_is_a_step_with_what_answers_it() -> None:
    steps = diagnosed(QUEUED.format(285)).next_steps
    assert steps[0].startswith("Do not act on any of these 2 yet")
    assert steps[1] == (
        "Get the core; gdb's backtrace of it; or the call trace of the worker's log (tells: functions, innermost first), to tell apart "
        f"`{REQUEUE}`, `{SCHEDULE}`"
    )
    assert steps[2] == f"Find out which version ran (`haproxy -v`), to tell apart `{REQUEUE}`, `{SCHEDULE}`"


def test_an_answer_says_what_fits_and_what_refutes() -> None:
    stack, version, *_ = diagnosed(QUEUED.format(285)).questions
    answer = next(each for each in stack.answers if each.signature == REQUEUE)
    assert answer.expects == "__task_queue <- stktable_requeue_exp|stktable_touch_with_exp|stktable_get_entry|..."
    assert answer.refuted_by.startswith("__task_queue <- listener_accept|listener_release|")
    assert (answer.telling, answer.decides) == ("fits", True)
    assert version.answers[0].expects.startswith("2.9-dev3..2.9-dev12")


def test_what_only_memory_knows_proves_and_rules_out() -> None:
    asked = {each.fact: each for each in diagnosed(QUEUED.format(285)).questions}
    (answer,) = asked["requeue.window"].answers
    assert (answer.telling, answer.expects, answer.refuted_by, answer.decides) == (
        "proves",
        "unlocked",
        "locked",
        False,
    )


def test_a_probable_finding_asks_nothing() -> None:
    trace = "  call trace(3):\n  | 0x55d0 [0f 0b 0f 1f 44 00 00 48]: __task_queue+0x1/0x63\n"
    trace += "  | 0x55d1 [eb b2 66 66 2e 0f 1f 84]: stktable_requeue_exp+0x1/0x63\n"
    found = diagnosed(VERSION.format("2.9.6") + QUEUED.format(285) + trace)
    assert found.findings[0].verdict == "probable"
    assert found.questions == ()


def test_two_that_differ_in_their_releases_alone_are_told_apart_by_the_version() -> None:
    """The version comes first although both want a stack, as they want the same one."""
    stack = Clause("stack", "frames", ("guilty",))
    kind = Clause("crash.condition", "is", "x")
    old = signature("a/old", affects=("2.4.0..2.4.9",), all=(kind, stack))
    new = signature("a/new", affects=("2.6.0..2.6.9",), all=(kind, stack))
    facts = crash({"crash.condition": "x"})
    asked = questions([judge(old, facts), judge(new, facts)], facts)
    assert [each.fact for each in asked] == ["process.version", "stack"]
    assert {answer.expects for answer in asked[0].answers} == {"2.4.0..2.4.9", "2.6.0..2.6.9"}


def test_a_verdict_without_open_clauses_asks_nothing() -> None:
    assert questions([verdict("possible"), verdict("excluded")], crash({})) == ()


@pytest.mark.parametrize(
    ("clause", "words"),
    [
        (("is", True), "yes"),
        (("is", "x"), "x"),
        (("is_not", ""), "not empty"),
        (("is_not", "x"), "not x"),
        (("in", ("a", "b")), "a, b"),
        (("contains", "x"), "with x"),
        (("matches", "^x"), "like ^x"),
        (("at_least", 3), "at least 3"),
        (
            ("within", tuple(f"2.{minor}.0" for minor in range(8))),
            "2.0.0, 2.1.0, 2.2.0, 2.3.0, 2.4.0, 2.5.0 and 2 more",
        ),
        (("frames", ("a", "[b]", "c|d|e|f", "?", "...")), "a <- c|d|e|..."),
        (("frames", ("...", "a", "...")), "... <- a"),
    ],
)
def test_every_kind_of_clause_is_said_in_words(clause: tuple[str, FactValue], words: str) -> None:
    assert expected(Clause("x", *clause)) == words
