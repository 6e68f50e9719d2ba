"""Call traces: the line, the symbol, and whom to believe."""

from __future__ import annotations

import pytest

from forensics.logs.carrier import Record
from forensics.logs.trace import TraceFrame, name_by_callers, parse_frame, parse_symbol


def frame(text: str) -> TraceFrame:
    """The frame of one line."""
    found = parse_frame(Record(text, 7))
    assert found is not None
    return found


def test_a_line_up_to_3_1_shows_the_bytes_at_the_address() -> None:
    """In square brackets, and no callee."""
    found = frame("  | 0x559009bccaf9 [0f 0b 0f 1f 44 00 00 48]: debug_parse_cli_bug+0x59/0x5b")
    expected = (0x559009BCCAF9, "debug_parse_cli_bug", "debug_parse_cli_bug+0x59/0x5b", 0x59, 0x5B, None, None, 7)
    assert found == TraceFrame(*expected)
    assert (found.code, found.code_at) == (bytes.fromhex("0f0b0f1f44000048"), 0)


def test_a_line_of_3_2_shows_the_bytes_before_the_address_and_the_callee() -> None:
    """The closing bracket does not match the opening one."""
    found = frame(
        "  | 0x5639855a0e8a <4e 30 01 e8 76 f3 ff ff]: process_runnable_tasks+0x3ea/0x8f3 > run_tasks_from_lists+0"
    )
    assert (found.function, found.callee) == ("process_runnable_tasks", "run_tasks_from_lists")
    assert (found.code, found.code_at) == (bytes.fromhex("4e3001e876f3ffff"), -8)


def test_unreadable_bytes_and_short_addresses_are_read() -> None:
    """A non-PIE executable has addresses of three bytes, padded with blanks."""
    found = frame("  |       0x501e56 [-- -- -- -- -- -- -- --]: main+0x10/0x20")
    assert (found.address, found.code) == (0x501E56, b"")


@pytest.mark.parametrize(
    ("text", "function", "module"),
    [
        ("process_stream", "process_stream", None),
        ("process_stream+0", "process_stream", None),
        ("process_stream+0x1418/0x34be", "process_stream", None),
        ("main+0x21e5/0x2e6b", "main", None),
        ("pl_wait_unlock_long.isra.0+0x12/0x20", "pl_wait_unlock_long", None),
        ("main+0xe18c1", "?", None),
        ("main-0x1771", "?", None),
        ("ha_dump_backtrace+0x1128", "?", None),
        ("name+0x40/0x20", "?", None),
        ("libc:+0x3c050", "?", "libc"),
        ("libc:__sched_yield+0x7/0x21", "__sched_yield", "libc"),
        ("linux-vdso:__vdso_gettimeofday+0x3c/0x2ab", "__vdso_gettimeofday", "linux-vdso"),
    ],
)
def test_a_name_is_believed_only_inside_of_its_symbol(text: str, function: str, module: str | None) -> None:
    """Beyond it dladdr() shows the nearest exported neighbour."""
    symbol = parse_symbol(text)
    assert (symbol.function, symbol.module) == (function, module)


def test_an_offset_before_main_is_negative() -> None:
    """It counts from main, not from the load address."""
    assert parse_symbol("main-0x1771").offset == -0x1771


def test_a_callee_that_cannot_be_believed_is_left_out() -> None:
    """A call through the PLT prints an address before main."""
    assert frame("  | 0x55 <00 00 00 e8 5f 5e e9 ff]: ha_dump_backtrace+0x71/0x3c8 > main-0x1220").callee is None


def test_a_caller_names_the_frame_that_has_no_name() -> None:
    """The .cold fragment of __task_queue shows as main-0x.., but its caller called it by name."""
    inner = frame("| 0x55 <00]: main-0x1771")
    outer = frame("| 0x66 <00]: stktable_requeue_exp+0x1bb/0x390 > __task_queue")
    assert [found.function for found in name_by_callers([inner, outer])] == ["__task_queue", "stktable_requeue_exp"]


def test_a_caller_does_not_name_a_frame_of_a_library() -> None:
    """Bytes before an interrupted instruction can look like a call."""
    inner, outer = frame("| 0x55 <00]: libc:+0x3c050"), frame("| 0x66 <00]: a+0x1/0x3 > b")
    assert name_by_callers([inner, outer])[0].function == "?"


@pytest.mark.parametrize("text", ["", "| 0x", "| 0x12 [zz]: x", "haproxy | 0x12 hello", "|" * 1000])
def test_other_lines_with_bars_are_no_frames(text: str) -> None:
    """Traffic logs have bars too."""
    assert parse_frame(Record(text, 1)) is None
