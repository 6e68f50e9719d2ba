"""Tasks of real processes, typed: state, caller, timer; and what damage leaves of them."""

from __future__ import annotations

import pytest

from forensics.absence import Absence
from forensics.haproxy.queues import Queues, iter_queued, iter_queues, now_ms, until
from forensics.haproxy.state import State
from forensics.haproxy.task import Task, read_task
from tests.oracles.dying import died, lived, opened

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
    now = now_ms(state)
    assert isinstance(now, int)
    assert checks[0].waiting is True
    assert isinstance(checks[0].expire, int)
    assert abs(until(checks[0].expire, now)) <= 3000
    # A timer may be queued for an earlier date than it has by now, never for a later one.
    assert isinstance(checks[0].key, int)
    assert until(checks[0].key, checks[0].expire & 0xFFFFFFFF) <= 0
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
