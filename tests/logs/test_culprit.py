"""Below the frames of dying stands the culprit."""

from __future__ import annotations

import pytest

from forensics.culprit import culprit_index
from forensics.logs import culprit_frames, parse
from tests.logs.carriers import lines_of


def culprit(names: str, modules: dict[int, str] | None = None) -> str:
    """The culprit of a stack, written as words."""
    functions = names.split()
    index = culprit_index(functions, [(modules or {}).get(number) for number in range(len(functions))])
    return functions[index] if index < len(functions) else "nobody"


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("__task_queue stktable_requeue_exp main", "__task_queue"),
        (
            "__pthread_kill_implementation raise abort ha_panic wdt_handler __restore_rt process_stream main",
            "process_stream",
        ),
        ("sched_yield ha_thread_dump_fill debug_handler __restore_rt process_stream", "process_stream"),
        ("abort_with_line __task_queue", "__task_queue"),
        ("ha_crash_now __task_queue", "__task_queue"),
        ("__GI_raise __GI_abort __libc_message malloc_printerr _int_free pool_put", "_int_free"),
        ("ha_panic.cold ha_thread_dump_one.isra.0 cli_io_handler", "cli_io_handler"),
        ("complain complain_with_dbg debug_parse_cli_bug", "debug_parse_cli_bug"),
        ("raise abort", "nobody"),
        ("", "nobody"),
    ],
)
def test_what_dying_adds_is_cut_off(names: str, expected: str) -> None:
    """Whoever added it: HAProxy, libc, or the kernel."""
    assert culprit(names) == expected


def test_the_boundary_that_gdb_prints_is_cut_off_too() -> None:
    """With everything above it."""
    assert culprit_index(["raise", "<signal handler called>", "guilty"], [None] * 3) == 2


def test_one_nameless_frame_of_libc_below_a_handler_is_the_trampoline() -> None:
    """A second one may be the culprit."""
    names = ["wdt_handler", "?", "?", "main"]
    assert culprit_index(names, [None, "libc.so.6", "libc.so.6", None]) == 2
    assert culprit_index(names, [None, "libcrypto", "libc", None]) == 1


def test_below_an_abort_all_nameless_frames_of_libc_are_its_own() -> None:
    """A stripped libc has a few of them."""
    assert culprit_index(["raise", "abort", "?", "?", "pool_put"], [None, None, "libc", "libc", None]) == 4


def test_the_watchdogs_trace_of_2_9_begins_below_the_trampoline() -> None:
    """A real log: ha_panic is called by an address of libc. The loop looks at the clock, which is nobody's fault."""
    (panic,) = parse(lines_of("2.9.0-watchdog-2.log")).panics
    frames = panic.threads[0].frames
    first = culprit_frames(frames)[0]
    assert frames[frames.index(first) - 1].function == "__vdso_gettimeofday"


def test_who_looks_at_the_clock_is_not_stuck_in_that() -> None:
    """By name, or by the file; the last frame stays."""
    assert culprit_index(["gettimeofday", "f"], ["libc.so.6", None]) == 1
    assert culprit_index(["wdt_handler", "?", "?", "f"], [None, "libc", "linux-vdso", None]) == 3
    assert culprit_index(["clock_gettime"], ["libc.so.6"]) == 0
    assert culprit_index(["gettimeofday", "f"], ["haproxy", "haproxy"]) == 0


def test_a_fragment_of_the_dump_is_known_by_its_neighbour() -> None:
    """A real log of 3.4.0: ha_panic.cold shows as ha_dump_backtrace+0x33c8."""
    (panic,) = parse(lines_of("3.4.0-debug-dev-panic.log")).panics
    assert [frame.symbol for frame in culprit_frames(panic.threads[1].frames)] == [
        "main+0x20e2eb", "cli_io_handler+0x3b8/0xc95", "task_process_applet+0x3a5/0xbb0",
    ]  # fmt: skip


def test_nothing_is_cut_from_the_trace_of_an_assertion() -> None:
    """The start of a thread in libc, at its end, is no trampoline."""
    (report,) = parse(lines_of("2.9.0-requeue-expiry-race.log")).bug_reports
    assert culprit_frames(report.frames) == report.frames
