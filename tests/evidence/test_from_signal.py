"""The instruction at the top of a trace, from lines of real traces."""

from __future__ import annotations

import pytest

from forensics.evidence.from_signal import signal_of_trace
from forensics.logs import parse
from tests.logs.carriers import text_lines

BUG = 'FATAL: bug condition "one > zero" matched at src/debug.c:389\n  call trace(14):\n  '


@pytest.mark.parametrize(
    ("line", "signal"),
    [
        ("| 0x55c4d85929b6 [c6 04 25 01 00 00 00 00]: main-0x19ea", "SIGSEGV"),  # 2.6.12
        ("| 0x559009bccaf9 [0f 0b 0f 1f 44 00 00 48]: debug_parse_cli_bug+0x59/0x5b", "SIGILL"),  # 2.9.0
        ("| 0x55db940ad5fe [ba d9 00 00 00 bf 02 00]: __pool_free+0x6e/0x86", ""),  # 3.0.11: the caller
        ("| 0x559cd2002902 <37 20 00 e8 5e ff ff ff]: debug_parse_cli_bug+0x42/0x44 > complain_with_dbg", ""),  # 3.5
        ("| 0x559cd2002902 [-- -- -- -- -- -- -- --]: debug_parse_cli_bug+0x42/0x44", ""),
    ],
)
def test_the_signal_is_known_where_the_trace_shows_the_instruction(line: str, signal: str) -> None:
    (report,) = parse(text_lines(f"{BUG}{line}\n")).bug_reports
    assert signal_of_trace(report.frames) == signal


def test_no_trace_tells_no_signal() -> None:
    """As with musl."""
    assert signal_of_trace(()) == ""
