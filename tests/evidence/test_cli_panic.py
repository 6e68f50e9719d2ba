"""A panic that a command asked for is told from the watchdog's, whatever backtrace tells it."""

from __future__ import annotations

import pytest

from forensics.api import crash_of_text
from forensics.evidence.cli_panic import is_called
from forensics.evidence.fact import Fact
from tests.diagnosis.witnesses import text_of, witnesses

CLI = ("debug_parse_cli_panic", "cli_parse_request", "cli_io_handler", "task_run_applet")
HAPROXY, LIBC = "/usr/sbin/haproxy", "/lib/x86_64-linux-gnu/libc.so.6"


@pytest.mark.parametrize(
    ("functions", "modules", "asked"),
    [
        (("abort", "ha_panic", *CLI), (LIBC, *[HAPROXY] * 5), True),
        (("abort", "ha_panic", "ha_panic", "?", "?", "task_run_applet"), (LIBC, *[HAPROXY] * 5), True),
        (("ha_panic", "wdt_handler", "<signal handler called>", *CLI), (HAPROXY,) * 7, False),
        (("ha_panic", "<signal handler called>", *CLI), (HAPROXY,) * 6, False),
        (("ha_panic", "?", "gettimeofday", *CLI), (HAPROXY, LIBC, "[vdso]", *[HAPROXY] * 4), False),
        (("ha_panic", "__restore_rt", "__vdso_gettimeofday", *CLI), (None,) * 7, False),
        (("ha_panic", "process_stream"), (HAPROXY,) * 2, False),
        (("debug_parse_cli_bug", *CLI), (HAPROXY,) * 5, False),
        ((), (), False),
    ],
)
def test_the_watchdog_comes_by_a_signal(functions: tuple[str, ...], modules: tuple[str, ...], asked: bool) -> None:
    assert is_called(functions, modules) == asked


@pytest.mark.parametrize(("name", "form"), [each for each in witnesses() if "loop" in each[0] or "sharding" in each[0]])
def test_no_panic_of_the_watchdog_is_taken_for_a_command(name: str, form: str) -> None:
    command = crash_of_text(text_of(name, form)).get("debug.command")
    assert not isinstance(command, Fact) or command.value != "panic"
