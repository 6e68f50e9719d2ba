"""What locks of stick-tables tell at death, and what they cannot tell."""

from __future__ import annotations

import pytest

from forensics.absence import Absence
from forensics.haproxy.locks.table_locks import requeue_window, waiting_frames
from forensics.haproxy.plock import lock_word
from forensics.unwind.frame import Frame, ThreadStack

WRITE, SPIN, READ, FREE = 0x5_0000_0004, 0x1_0000_0004, 0x8, 0x0
#: A writer that waits for one reader to leave.
WAITS = WRITE + 0x4


def frame(function: str, **more: bool) -> Frame:
    return Frame(0, 4096, function, function, 0, "", 0, "/usr/sbin/haproxy", more.get("inlined", False), "cfi", "")


def stack(*functions: str) -> ThreadStack:
    return ThreadStack(2, 2, False, tuple(map(frame, functions)), "")


IDLE = stack("epoll_wait", "_do_poll", "run_poll_loop")
WAITING = stack("pl_wait_unlock_long", "stktable_touch_with_exp", "process_stream")
EXPIRING = stack("eb32_delete", "process_table_expire", "run_tasks_from_lists")


@pytest.mark.parametrize("word", [FREE, READ])
@pytest.mark.parametrize("others", [(), (IDLE,), (EXPIRING,)])
def test_a_lock_that_nobody_writes_under_is_not_held_by_the_thread_that_died(
    word: int, others: tuple[ThreadStack, ...]
) -> None:
    """Whatever the others did: a fixed build holds it for writing."""
    assert requeue_window(lock_word(word), others) == "unlocked"


@pytest.mark.parametrize("word", [WRITE, SPIN])
@pytest.mark.parametrize("others", [(), (IDLE,), (WAITING,)])
def test_a_lock_that_is_taken_is_that_of_the_thread_that_died_if_nobody_else_can_have_it(
    word: int, others: tuple[ThreadStack, ...]
) -> None:
    """Idle threads hold no lock, and those that wait for one of a table do not have it."""
    assert requeue_window(lock_word(word), others) == "locked"


def test_a_lock_that_another_thread_may_hold_proves_nothing() -> None:
    found = requeue_window(lock_word(WRITE), (IDLE, EXPIRING))
    assert isinstance(found, Absence)
    assert "thread 2" in found.reason


def test_a_thread_whose_stack_names_nobody_may_hold_it() -> None:
    assert isinstance(requeue_window(lock_word(WRITE), (stack("", ""),)), Absence)


def test_a_writer_that_waits_for_readers_proves_nothing() -> None:
    assert isinstance(requeue_window(lock_word(WAITS), ()), Absence)


@pytest.mark.parametrize(
    ("functions", "waits"),
    [
        (("pl_wait_unlock_long", "stktable_touch_with_exp", "process_stream"), ["pl_wait_unlock_long"]),
        (("__sched_yield", "pl_wait_new_long", "peer_send_msgs"), ["__sched_yield", "pl_wait_new_long"]),
        (("__sched_yield", "", "stktable_get_entry"), ["__sched_yield", ""]),
        (("", "stktable_touch_with_exp", "process_stream"), [""]),
        (("__stktable_store", "stktable_get_entry"), ["__stktable_store"]),
        (("pat_match_reg", "stktable_get_entry", "process_stream"), []),
        (("", "", "stktable_get_entry"), []),
        ((), []),
    ],
)
def test_only_frames_of_a_wait_are_looked_at(functions: tuple[str, ...], waits: list[str]) -> None:
    """The slow path of a lock, which has no name in a stripped build; until 2.6 its loop is inlined."""
    assert [one.function for one in waiting_frames(tuple(map(frame, functions)))] == waits
