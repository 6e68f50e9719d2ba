"""What threads did, from the names of their functions."""

from __future__ import annotations

import pytest

from forensics.haproxy.occupation import BUSY, IDLE, STOPPED, WAITING, occupation_of

HANDLER = "<signal handler called>"


@pytest.mark.parametrize(
    ("functions", "rank", "words"),
    [
        (["epoll_wait", "_do_poll", "run_poll_loop"], IDLE, "idle in epoll_wait"),
        (["", "__GI_epoll_wait", "", "run_poll_loop"], IDLE, "idle in epoll_wait"),
        (["", "_do_poll", "run_poll_loop"], IDLE, "idle in the poller"),
        (["_do_poll", "run_poll_loop"], BUSY, "busy in _do_poll"),
        (["__poll", "_do_poll", "run_poll_loop"], IDLE, "idle in poll"),
        (["__GI___clock_nanosleep", "main"], IDLE, "sleeps in clock_nanosleep"),
        (["process_table_expire", "run_tasks_from_lists"], BUSY, "busy in process_table_expire"),
        (["", ""], BUSY, "busy, in code without a name"),
        ([], BUSY, "busy, in code without a name"),
        (
            ["pl_wait_unlock_long.isra.0", "stktable_touch_with_exp"], WAITING,
            "waits for a lock (pl_wait_unlock_long)",
        ),
        (["__lll_lock_wait", "___pthread_mutex_lock", "f"], WAITING, "waits for a lock (__lll_lock_wait)"),
        (["thread_isolate", "cli_io_handler"], WAITING, "waits for the other threads (thread_isolate)"),
        (
            ["wait4", "debug_handler", HANDLER, "__pl_wait_unlock_long", "f"], STOPPED,
            "waits for a lock (__pl_wait_unlock_long), when debug_handler() interrupted it",
        ),
        (
            ["wait4", "debug_handler", HANDLER, "epoll_wait", "_do_poll"], IDLE,
            "idle in epoll_wait, when it was made to dump itself",
        ),
        (["pause", "on_signal", HANDLER, "work"], STOPPED, "in a signal handler; before: busy in work"),
    ],
)  # fmt: skip
def test_activities(functions: list[str], rank: int, words: str) -> None:
    found = occupation_of(functions)
    assert (found.rank, found.words) == (rank, words)


@pytest.mark.parametrize(
    "name", ["task_unlock_all", "epoll_waiter", "pollute", "http_wait_for_request", "futexture_x1"]
)
def test_names_that_only_look_like_waiting_are_busy(name: str) -> None:
    assert occupation_of([name, "main"]).rank == BUSY
