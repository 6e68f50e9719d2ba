"""Panics and thread dumps."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from forensics.api import crash_of_text
from forensics.logs import Panic, culprit_frames, parse
from tests.logs.carriers import CARRIERS, lines_of, text_lines


def panic(name: str) -> Panic:
    """The one panic of a real log."""
    (found,) = parse(lines_of(name)).panics
    return found


def test_a_watchdog_panic_of_2_9_names_the_stuck_thread() -> None:
    """The other one was idle."""
    found = panic("2.9.0-watchdog-1.log")
    idle, stuck = found.threads
    assert (found.thread, found.pid, found.version) == (2, None, None)
    assert (idle.number, idle.pthread, idle.stuck, idle.harmless, idle.task_function) == (
        1,
        0x7FE46E3CC940,
        False,
        True,
        None,
    )
    assert (stuck.requested, stuck.stuck, stuck.harmless, stuck.task_function, stuck.task_context) == (
        True, True, False, "?", "(nil)",
    )  # fmt: skip
    assert found.panicking == stuck
    assert not found.on_purpose


def test_the_panic_of_the_cli_is_on_purpose() -> None:
    """Nobody is stuck in it, and 2.9 shows no trace."""
    found = panic("2.9.0-debug-dev-panic.log")
    assert found.on_purpose
    assert found.panicking is not None
    assert (found.panicking.task_function, found.panicking.frames) == ("task_run_applet", ())
    assert found.panicking.stream[1].startswith("flags=0x8, conn_retries=0")
    assert len(found.panicking.stream) == 17


def test_the_header_of_3_4_tells_version_and_pid() -> None:
    """With the features of the build."""
    found = panic("3.4.0-debug-dev-panic.log")
    assert (found.thread, found.pid, found.version) == (2, 12020, "3.4.0-64a335366")
    assert found.features is not None and found.features.startswith("-51DEGREES +ACCEPT4")
    assert [thread.number for thread in found.threads] == [1, 2, 3, 4]
    assert found.on_purpose
    assert found.threads[1].exec_context == "applet '<CLI>'"
    assert found.threads[3].lock_history[:2] == ("U:LISTENER", "U:PROTO")


def test_the_sharding_panic_shows_the_peer_and_who_waits_for_whom() -> None:
    """A NUL stands before one of its traces."""
    found = panic("2.9.6-sharding-patch-with-peers-watchdog.log")
    peer, stream = found.threads
    assert (peer.peer_applet, stream.peer_applet) == (True, False)
    assert (peer.stuck, stream.stuck) == (True, True)
    assert stream.task_function == "process_stream"
    assert "stktable_touch_with_exp" in [frame.function for frame in culprit_frames(stream.frames)]
    assert len(stream.frames) == 9


def test_warnings_of_blocked_traffic_are_no_panics() -> None:
    """Two stand before the real one of 3.5-dev5."""
    evidence = parse(lines_of("3.5-dev5-deadlock.log"))
    (found,) = evidence.panics
    warnings = [mention.value for mention in evidence.mentions if mention.what == "blocked traffic warning"]
    assert len(warnings) == 2
    assert len(found.threads) == 2
    assert [culprit_frames(thread.frames)[1].function for thread in found.threads] == ["debug_run_cli_deadlock"] * 2
    assert not found.on_purpose


@pytest.mark.parametrize("carrier", CARRIERS, ids=lambda carrier: carrier.__name__)
@pytest.mark.parametrize(
    "name", ["2.9.0-watchdog-2.log", "2.9.6-sharding-patch-with-peers-watchdog.log", "3.4.0-debug-dev-panic.log"]
)
def test_every_carrier_brings_the_same_panic(carrier: Callable[[list[bytes]], list[bytes]], name: str) -> None:
    """Even those that eat the blanks at the head of a line."""
    (carried,) = parse(carrier(lines_of(name))).panics
    plain = panic(name)
    assert (carried.thread, carried.pid, carried.version) == (plain.thread, plain.pid, plain.version)
    for mine, theirs in zip(carried.threads, plain.threads, strict=True):
        assert (mine.number, mine.requested, mine.stuck, mine.harmless, mine.task_function, mine.peer_applet) == (
            theirs.number, theirs.requested, theirs.stuck, theirs.harmless, theirs.task_function, theirs.peer_applet,
        )  # fmt: skip
        assert (mine.lock_history, mine.stream) == (theirs.lock_history, theirs.stream)
        assert [frame.symbol for frame in mine.frames] == [frame.symbol for frame in theirs.frames]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (
            "*>Thread 1 : act=1 glob=0 wq=1 rq=0 tl=0 tlsz=0 rqsz=0",
            "             stuck=1 fdcache=0 prof=0 harmless=0 wantrdv=0",
        ),
        ("*>Thread 1 : id=0x7f act=1 glob=0 wq=1 rq=0", "             stuck=1 prof=0 harmless=0 wantrdv=0"),
        ("*>Thread 1 : id=0x7f act=1 glob=0 wq=1 rq=0", "     1/1    stuck=1 prof=0 harmless=0 wantrdv=0"),
        ("*>Thread 1 : id=0x7f act=1", "     1/1    loops=3 ctxsw=9 stuck=1 prof=0 harmless=0 isolated=1 locks=1"),
    ],
)
def test_the_lines_of_a_thread_are_read_from_2_0_to_3_4(first: str, second: str) -> None:
    """By their shape, not by their version."""
    text = f"Thread 1 is about to kill the process.\n{first}\n{second}\n  curr_task=0\n"
    (thread,) = parse(text_lines(text)).panics[0].threads
    assert (thread.requested, thread.stuck, thread.harmless, thread.isolated) == (
        True,
        True,
        False,
        "isolated=1" in second,
    )


def test_locks_that_are_held_and_lua_are_seen() -> None:
    """With the note below the dumps."""
    text = (
        "Thread 1 is about to kill the process.\n"
        "*>Thread 1 : id=0x7f act=1 glob=0\n"
        "             lock_hist: W:PATEXP U:PATEXP S:PROTO locked: PROTO(S) STK_TABLE(W)\n"
        "             Current executing Lua from a stream analyser -- stack traceback:\n"
        "### Note: one thread was found stuck under malloc_trim(), which can run for a\n"
    )
    (found,) = parse(text_lines(text)).panics
    assert found.threads[0].locked == ("PROTO(S)", "STK_TABLE(W)")
    assert found.threads[0].lock_history == ("W:PATEXP", "U:PATEXP", "S:PROTO")
    assert found.threads[0].in_lua
    assert found.notes[0].startswith("### Note: one thread was found stuck")


def test_a_dump_without_its_header_is_still_a_panic() -> None:
    """The head of the log was cut off."""
    (found,) = parse(lines_of("2.9.0-watchdog-1.log")[1:]).panics
    assert (found.thread, len(found.threads)) == (None, 2)
    assert found.panicking is not None and found.panicking.number == 2


def test_the_longer_header_of_3_2_6_has_the_pid() -> None:
    """But not the word PANIC."""
    (found,) = parse(text_lines("Thread 25 is about to kill the process (pid 4242).\n")).panics
    assert (found.thread, found.pid) == (25, 4242)


STAMPS = {
    "none": "",
    "clock in brackets": "[10:00:00]",
    "number and clock": "100000.12: [10:00:00]",
    "date and level": "[2024-03-01 10:00:00 UNKNOWN] ",
}


@pytest.mark.parametrize("stamp", STAMPS.values(), ids=STAMPS)
def test_home_made_stamps_do_not_hide_threads(stamp: str) -> None:
    """Some put nothing between their stamp and the flags, others cut the leading blanks."""
    text = (
        "Thread 2 is about to kill the process.\n"
        "  Thread 1 : id=0x7f0000000001 act=0 glob=0 wq=1 rq=0 tl=0 tlsz=0 rqsz=0\n"
        "      1/1    stuck=0 prof=0 harmless=1 isolated=0\n"
        "*>Thread 2 : id=0x7f0000000002 act=1 glob=0 wq=1 rq=0 tl=0 tlsz=0 rqsz=0\n"
        "      1/2    stuck=1 prof=0 harmless=0 isolated=0\n"
    )
    (panic,) = parse(text_lines("".join(stamp + line for line in text.splitlines(keepends=True)))).panics
    assert [(one.number, one.requested, one.stuck) for one in panic.threads] == [(1, False, False), (2, True, True)]


def test_a_panic_without_any_thread_tells_no_number_of_stuck_ones() -> None:
    assert not crash_of_text("Thread 2 is about to kill the process.\n").all("threads.stuck")


SHOWN = """\
* Thread 1 : id=0x7f0000000001 act=1 glob=0 wq=1 rq=0 tl=1 tlsz=0 rqsz=1
      1/1    stuck=0 prof=0 harmless=0 isolated=0
             curr_task=0x55d000000001 (task) calls=1 last=0
               fct=0x55d000000002(task_run_applet) ctx=0x55d000000003(<CLI>)
             call trace(9):
             | 0x55d000000004 [60 02 00 b0 00 20 0c 91]: ha_dump_backtrace+0x42/0x224
             | 0x55d000000005 [60 02 00 b0 00 20 0c 91]: cli_io_handler+0x42/0x224
  Thread 2 : id=0x7f0000000002 act=1 glob=1 wq=1 rq=0 tl=0 tlsz=0 rqsz=0
      1/2    stuck=0 prof=0 harmless=0 isolated=0
"""


def test_show_threads_of_a_living_process_is_no_panic() -> None:
    """It has no head, and no thread in it is stuck; the CLI runs on the thread that dumps."""
    assert not parse(text_lines(SHOWN)).panics
    assert not crash_of_text(f"It eats all CPU:\n```\n{SHOWN}```\n").died


def test_a_panic_that_lost_its_head_has_a_thread_that_is_stuck() -> None:
    (found,) = parse(text_lines(SHOWN.replace("1/2    stuck=0", "1/2    stuck=1"))).panics
    assert (found.thread, [one.stuck for one in found.threads]) == (None, [False, True])
