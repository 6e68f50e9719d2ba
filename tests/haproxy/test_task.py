"""Tasks of real processes, typed: state, caller, timer; and what damage leaves of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from forensics.absence import Absence
from forensics.haproxy.clock import Moment, read_moment
from forensics.haproxy.queues import Queues, iter_queued, iter_queues
from forensics.haproxy.state import State
from forensics.haproxy.task import Task, read_task
from forensics.haproxy.ticks import signed
from tests.oracles.dying import died, lived, opened, rewritten

pytestmark = [pytest.mark.xdist_group("haproxy")]


def running(state: State) -> list[Task]:
    found = [read_task(state.space, thread.current) for thread in state.threads if thread.current]
    assert all(isinstance(one, Task) for one in found)
    return [one for one in found if isinstance(one, Task)]


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("haproxy-2.2", "task_run_applet"),
        ("haproxy-2.6", "task_run_applet"),
        ("haproxy-3.0", "task_process_applet"),
    ],
)
def test_the_task_that_panicked_ran_the_cli(name: str, function: str) -> None:
    core, _log = died(name, "debug dev panic")
    (task,) = running(opened(core, name))
    assert (task.function, task.applet, task.kind, task.state_names) == (function, "<CLI>", "task", ("RUNNING",))
    assert (task.freed, task.waiting, task.expire) == (False, False, 0)
    if name == "haproxy-3.0":
        assert not isinstance(task.caller, Absence)
        assert task.caller.file == "src/stconn.c"
        assert task.caller.words.startswith("appctx_wakeup() by ")
    else:
        assert isinstance(task.caller, Absence)


def test_a_task_that_waits_is_due_when_its_queue_says() -> None:
    core, _answers = lived("haproxy-3.0", "show threads")
    state, told = opened(core, "haproxy-3.0"), Queues()
    waiting = [one for queue in iter_queues(state) if queue.kind == "wait" for one in iter_queued(state, queue, told)]
    checks = [one.task for one in waiting if isinstance(one.task, Task) and one.task.function == "process_chk"]
    assert len(checks) == 1
    now = read_moment(state.space)
    assert isinstance(now, Moment)
    assert checks[0].waiting is True
    assert isinstance(checks[0].expire, int)
    assert abs(now.left(checks[0].expire)) <= 3000
    # A timer may be queued for an earlier date than it has by now, never for a later one.
    assert isinstance(checks[0].key, int)
    assert signed(checks[0].key - checks[0].expire) <= 0
    assert told.gaps == ()


def test_what_is_no_task_is_an_absence_or_says_nothing() -> None:
    core, _answers = lived("haproxy-3.0", "show threads")
    space = opened(core, "haproxy-3.0").space
    assert isinstance(read_task(space, 0), Absence)
    assert isinstance(read_task(space, 0xFFFFFFFFFFFFFFF0), Absence)
    zeros = space.variable("ha_thread_ctx")
    assert isinstance(zeros, int)
    found = read_task(space, zeros)
    assert isinstance(found, Task)
    assert found.function == ""


def test_a_freed_task_is_recognised(tmp_path: Path) -> None:
    core, _log = died("haproxy-3.0", "debug dev panic")
    state = opened(core, "haproxy-3.0")
    (task,) = running(state)
    place = state.space.layout("task")
    assert not isinstance(place, Absence)
    caller = task.address + place.fields["caller"].offset
    was = state.space.memory.word(caller)
    assert isinstance(was, int)
    # "-1 on free" (task-t.h); a set low bit keeps who woke it last.
    (freed,) = running(rewritten(state, tmp_path / "freed", {caller: -1}, "haproxy-3.0"))
    assert (freed.freed, isinstance(freed.caller, Absence)) == (True, True)
    (marked,) = running(rewritten(state, tmp_path / "marked", {caller: was | 1}, "haproxy-3.0"))
    assert (marked.freed, marked.caller) == (True, task.caller)


def test_damaged_queues_are_told_with_the_link_that_is_broken(tmp_path: Path) -> None:
    core, _log = died("haproxy-3.0", "debug dev deadlock 4")
    state = opened(core, "haproxy-3.0")
    words: dict[int, int] = {}
    for thread in state.threads:  # the task that is left is in one of these queues
        assert not isinstance(thread.context, Absence)
        for name, index in (("tasklets", 1), ("timers", 0), ("rqueue", 0), ("rqueue_shared", 0)):
            place = thread.context.address_of(name, index)
            assert isinstance(place, int)
            words[place] = 0x5050505050505050 if name == "tasklets" else 0x10
    damaged = rewritten(state, tmp_path / "core", words, "haproxy-3.0")
    told = Queues()
    assert [one for queue in iter_queues(damaged) for one in iter_queued(damaged, queue, told)] == []
    kinds = ("run queue", "shared run queue", "normal tasklets", "wait queue")
    assert {gap.subject for gap in told.gaps} == {f"{kind} of thread {number}" for kind in kinds for number in (1, 2)}
    assert f"{min(words):#x}" in "".join(gap.reason for gap in told.gaps)


def test_an_absurd_number_of_threads_is_not_believed(tmp_path: Path) -> None:
    core, _log = died("haproxy-3.0", "debug dev panic")
    state = opened(core, "haproxy-3.0")
    settings = state.space.object("global", "global")
    assert not isinstance(settings, Absence)
    address = settings.address_of("nbthread")
    assert isinstance(address, int)
    damaged = rewritten(state, tmp_path / "core", {address & ~7: -1}, "haproxy-3.0")
    assert [thread.number for thread in damaged.threads] == [1, 2]
