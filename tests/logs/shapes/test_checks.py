"""Checks of HAProxy's own, and their call traces."""

from __future__ import annotations

import pytest

from tests.logs.shapes.facts import NONE, Facts, check

CHECKS: dict[str, tuple[str, Facts]] = {
    "BUG_ON": (
        'FATAL: bug condition "one > zero" matched at src/debug.c:652',
        {"crash.kind": "bug_on", "crash.condition": "one > zero", "crash.source_line": 652},
    ),
    "quotes": (
        'FATAL: bug condition "strcmp(a, "x" matched at ") == 0" matched at include/haproxy/x.h:7',
        {"crash.condition": 'strcmp(a, "x" matched at ") == 0', "crash.source_file": "include/haproxy/x.h"},
    ),
    "WARN_ON made fatal": (
        'FATAL: warn condition "x" matched at src/a.c:1', {"crash.kind": "bug_on", "crash.condition": "x"},
    ),
    "CHECK_IF made fatal": (
        'FATAL: check condition "x" matched at src/a.c:1', {"crash.kind": "bug_on", "crash.condition": "x"},
    ),
    "explained": (
        'FATAL: bug condition "x" matched at src/a.c:1\nA session must not outlive its stream.',
        {"crash.explanation": "A session must not outlive its stream."},
    ),
    "ABORT_NOW with words": (
        "ABORT at src/debug.c:1183: This was triggered on purpose from the CLI 'debug dev abort' command.",
        {"crash.kind": "abort_now", "crash.source_line": 1183, "debug.command": "abort"},
    ),
    "ABORT_NOW without": (
        "  call trace(2):\n  | 0x5647e96d6d79 [c6 04 25 01 00 00 00 00]: guilty+0x59/0x5b\n",
        {"crash.kind": "abort_now", "stack": ("guilty",), "crash.source_file": None},
    ),
    "not crashing": (
        ('WARNING: bug condition "x" matched at src/a.c:1 (not crashing but process is untrusted now, please report to'
        " developers)"),
        {**NONE, "warnings.checks": ("bug_on x at src/a.c:1",)},
    ),
    "WARN_ON": (
        ('WARNING: warn condition "x" matched at src/a.c:1 (please report to developers)\n'
        "This was triggered on purpose from the CLI 'debug dev warn' command.\n"
        "  call trace(2):\n"
        "  | 0x5628ea88f681 [eb b2 66 66 2e 0f 1f 84]: debug_parse_cli_warn+0x61/0x63\n"
        "  | 0x5628ea83b27f [85 c0 0f 85 f4 00 00 00]: main+0xde21f\n"),
        {**NONE, "warnings.checks": ("warn_on x at src/a.c:1",), "debug.command": None},
    ),
    "CHECK_IF": (
        'WARNING: check condition "x" matched at src/a.c:1 (please report to developers)',
        {**NONE, "warnings.checks": ("check_if x at src/a.c:1",)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CHECKS)
def test_checks_that_end_the_process_are_told_from_those_that_warn(name: str) -> None:
    check(CHECKS[name][0] + "\n", CHECKS[name][1])


TRACES = {
    "at": "| 0x559009bccaf9 [0f 0b 0f 1f 44 00 00 48]: guilty+0x59/0x5b",
    "before": "| 0x559cd2002902 <37 20 00 e8 5e ff ff ff]: guilty+0x42/0x44 > complain_with_dbg",
    "short": "|       0x501e56 [0f 0b 0f 1f 44 00 00 48]: guilty+0x59/0x5b",
    "unreadable": "| 0x559cd2002902 <-- -- -- -- -- -- -- --]: guilty+0x42/0x44",
}


@pytest.mark.parametrize("shape", TRACES)
def test_every_form_of_a_call_traces_line_is_read(shape: str) -> None:
    """Up to 3.1 and since 3.2, of a PIE and not."""
    text = f'FATAL: bug condition "x" matched at src/a.c:1\n  call trace(3):\n  {TRACES[shape]}\n'
    text += "  | 0x559cd2002903 [00 00 00 00 00 00 00 00]: libc:+0x3c050\n"
    text += "  | 0x559cd2002904 [00 00 00 00 00 00 00 00]: main-0x1220\n"
    check(text, {"stack": ("guilty", "?", "?")})
