"""The watchdog's panic and its warnings, and what spins."""

from __future__ import annotations

import pytest

from tests.logs.carriers import DATA
from tests.logs.shapes.facts import Facts, check

WATCHDOG = """\
Thread 1 is about to kill the process.
*>Thread 1 : id=0x7f01 act=1 glob=0 wq=1 rq=0 tl=0 tlsz=0 rqsz=0
{second}
             cpu_ns: poll=8153 now=2067816190 diff=2067808037
             curr_task=0x55 (task) calls=1 last=0
               fct=0x55(process_stream+0x1/0x20) ctx=0x5
{lua}             call trace(2):
             | 0x55d0 [eb b2 66 66 2e 0f 1f 84]: guilty+0x1/0x63
"""
SECOND_LINES = {
    "2.0": "             stuck=1 fdcache=0 prof=0 harmless=0 wantrdv=0",
    "2.2": "             stuck=1 prof=0 harmless=0 wantrdv=0",
    "2.5": "      1/1    stuck=1 prof=0 harmless=0 wantrdv=0",
    "2.8": "      1/1    stuck=1 prof=0 harmless=0 isolated=0",
    "3.3": "      1/1    loops=8 ctxsw=17 stuck=1 prof=0 harmless=0 isolated=0 locks=0",
}


@pytest.mark.parametrize("release", SECOND_LINES)
def test_the_watchdogs_dump_is_read_in_the_form_of_every_release(release: str) -> None:
    facts: Facts = {
        "crash.kind": "watchdog",
        "threads.stuck": 1,
        "stack": ("guilty",),
        "task.function": "process_stream",
    }
    check(WATCHDOG.format(second=SECOND_LINES[release], lua=""), facts)


@pytest.mark.parametrize(
    "header",
    [
        "Thread 1 is about to kill the process.",
        "PANIC! Thread 1 is about to kill the process (pid 7).",
        "lb1 haproxy[7]: Thread 1 is about to kill the process.",
    ],
)
def test_every_header_of_a_panic_is_known(header: str) -> None:
    check(header + "\n", {"crash.kind": "watchdog", "crash.signal": "SIGABRT"})


def test_warnings_of_blocked_traffic_come_before_a_panic_and_are_no_death() -> None:
    """A real log of 3.4.7, whose first checks were made to fail by commands that did not end it."""
    log = (DATA / "3.4.7-warnings-and-watchdog.log").read_text()
    facts: Facts = {"warnings.blocked_traffic": 2, "threads.stuck": 1, "debug.command": "loop"}
    check(log, {**facts, "crash.kind": "watchdog", "process.version": "3.4.7-1"})
    check(log.partition("PANIC!")[0], {"crash.kind": None, "stack": None, "warnings.blocked_traffic": 2})


SPINNING: dict[str, tuple[str, Facts]] = {
    "2.6 to 2.8": (
        (DATA / "2.6.12-spinning.log").read_text(),
        {"spinning.object": "STREAM", "spinning.rate": 305000001, "spinning.frontend": "web", "spinning.backend": "web",
         "spinning.analysers": ("request 0x200", "response 0x0")},
    ),
    "2.9 on": (
        (DATA / "3.0.11-spinning.log").read_text(),
        {"spinning.rate": 271600001, "spinning.frontend": "web", "spinning.backend": "<NONE>",
         "spinning.analysers": ("request 0x200", "response 0x0")},
    ),
    "an applet": (
        ("[ALERT]    (7) : A bogus APPCTX [0x7f01] is spinning at 100001 calls per second and refuses to die, aborting now!"
        " Please report this error to developers [strm=0x55,c00 src=unix fe=GLOBAL be=GLOBAL dst=<CLI> rqa=0 rpa=80000000"
        " filters={} applet=0x55(cli_applet) handler=0x56(cli_io_handler+0/0x81c)]\n"),
        {"spinning.object": "APPCTX", "spinning.rate": 100001, "spinning.applet": "cli_io_handler",
         "spinning.analysers": ("request 0x0", "response 0x80000000")},
    ),
    "an end of a connection": (
        "A bogus CONN_STREAM [0x7f01] is spinning at 100001 calls per second and refuses to die, aborting now!\n",
        {"spinning.object": "CONN_STREAM", "spinning.rate": 100001, "spinning.frontend": None},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SPINNING)
def test_what_spins_is_told_with_its_stream(name: str) -> None:
    text, facts = SPINNING[name]
    check(text, {**facts, "crash.kind": "spinning"})
