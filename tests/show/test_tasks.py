"""`show tasks`: the queues of a dead process, and what a living one says of them."""

from __future__ import annotations

import re

import pytest

from forensics.errors import UsageError
from forensics.haproxy.clock import Moment
from forensics.haproxy.state import State
from forensics.show.answer import Answer, Question
from forensics.show.tasks import answer, when
from tests.oracles.dying import died, lived, opened

pytestmark = [pytest.mark.xdist_group("haproxy")]


def lines(state: State, *words: str, limit: int = 0) -> list[str]:
    found = answer(state, Question(words, limit))
    assert isinstance(found, Answer)
    shown = list(found.lines())
    assert found.gaps() == ()
    return shown


@pytest.mark.parametrize("name", ["haproxy-2.6", "haproxy-3.0"])
def test_run_queues_are_counted_as_the_living_process_counts_them(name: str) -> None:
    core, answers = lived(name, "show threads", "show tasks")
    live, dead = answers["show tasks"].split("\n"), lines(opened(core, name))
    # Nothing is to run in the core; while the process answers, a tasklet of that answer may wait itself.
    assert dead[0] == "Running tasks: 0 (2 threads)"
    assert live[0] in (dead[0], dead[0].replace(": 0 ", ": 1 "))
    # What comes behind the share are times, which end with the process.
    assert live[1].startswith(dead[1])


@pytest.mark.parametrize("name", ["haproxy-2.2", "haproxy-2.6", "haproxy-3.0"])
def test_a_check_waits_for_its_time(name: str) -> None:
    core, _answers = lived(name, "show threads") if name == "haproxy-2.2" else lived(name, "show threads", "show tasks")
    listed = lines(opened(core, name), "all")
    checks = [line for line in listed if "process_chk" in line]
    assert len(checks) == 1
    # A check every 500 ms. The date of a thread that sleeps (2.2 has no other) is that of its last turn.
    due = re.search(r" exp=(?:in (\d+) ms|(\d+) ms ago)", checks[0])
    assert due
    assert int(due[1] or due[2]) <= 3000
    assert any(line.startswith("  process_chk ") for line in lines(opened(core, name)))


def test_tasks_that_were_to_run_are_listed_with_who_woke_them() -> None:
    core, _log = died("haproxy-3.0", "debug dev deadlock 4")
    state = opened(core, "haproxy-3.0")
    counted = lines(state)
    # Four tasks on two threads: one took the lock and is done, two wait for it, and one is still in its queue.
    assert counted[0] == "Running tasks: 1 (2 threads)"
    assert counted[2].split() == ["debug_run_cli_deadlock", "1", "100.0"]
    listed = lines(state, "all")
    assert "debug_parse_cli_deadlock() at src/debug.c:" in listed[1]
    assert "(QUEUED|WOKEN_INIT)" in listed[1]
    assert lines(state, "all", limit=1) == listed[:2]
    found = answer(state, Question(("all",)))
    assert isinstance(found, Answer)
    data = found.data()
    assert isinstance(data, list)
    assert data[0]["function"] == "debug_run_cli_deadlock"
    assert data[0]["kind"] == "task"


def test_other_words_are_refused() -> None:
    core, _log = died("haproxy-3.0", "debug dev deadlock 4")
    with pytest.raises(UsageError):
        answer(opened(core, "haproxy-3.0"), Question(("some",)))


@pytest.mark.parametrize(
    ("tick", "now", "words"),
    [
        (0, 5, "<NEVER>"),
        (105, 5, "in 100 ms"),
        (5, 105, "100 ms ago"),
        (5, 0xFFFFFFFB, "in 10 ms"),  # ticks wrap
        (-11, 5, "16 ms ago"),
    ],
)
def test_ticks_are_told_from_now_and_wrap(tick: int, now: int, words: str) -> None:
    assert when(tick, Moment(now, 0)) == words
