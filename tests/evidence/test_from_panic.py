"""What a thread was stuck in is told from the dump of a panic in a log as it is from a core."""

from __future__ import annotations

from pathlib import Path

import pytest

from forensics.api import crash_of_text, gather
from forensics.evidence.fact import Fact
from forensics.report.document import Report


def told(path: Path) -> dict[str, object]:
    """The facts about the stall."""
    _taken, _witness, crash = gather([str(path)])
    names = ("watchdog.stuck_in", "watchdog.thread", "watchdog.function", "watchdog.victim")
    return {name: fact.value for name in names if isinstance(fact := crash.get(name), Fact)}


CHECKOUT = Path(__file__).resolve().parents[2]
SAMPLES, DATA = CHECKOUT / "samples", CHECKOUT / "tests/logs/data"


def test_a_loop_of_lua() -> None:
    """Of a real HAProxy 3.2.26 in a container; HAProxy's own note says the same."""
    found = told(SAMPLES / "container-lua-loop-3.2.26/container-json.log")
    assert (found["watchdog.stuck_in"], found["watchdog.thread"], found["watchdog.victim"]) == ("lua", 1, False)


def test_a_command_that_loops() -> None:
    """`debug dev loop` of 3.4.7."""
    found = told(DATA / "3.4.7-warnings-and-watchdog.log")
    assert (found["watchdog.stuck_in"], found["watchdog.function"]) == ("cli", "debug_parse_cli_loop")


def test_a_panic_on_request_has_no_stuck_thread() -> None:
    """`debug dev panic`."""
    assert told(DATA / "2.9.0-debug-dev-panic.log") == {}


DUMP = """Thread 1 is about to kill the process.
*>Thread 1 : id=0x7f0000000001 act=1 glob=0 wq=1 rq=1 tl=1 tlsz=0 rqsz=1
      1/1    stuck=1 prof=0 harmless=0 isolated=0
             cpu_ns: poll=1 now=3000000000 diff=2999999999
             curr_task=0x55d0 (task) calls=1 last=0
               fct=0x55d1(process_stream) ctx=0x55d2
             call trace(9):
             | 0x55a2e4ce1d00 [ba d9 00 00 00 bf 02 00]: {inner}+0xf0/0x1108
             | 0x55a2e4bf7a3e [eb bc f0 83 05 54 1d 20]: process_stream+0x19e/0x378
{note}
"""


@pytest.mark.parametrize(
    ("inner", "note", "what"),
    [
        ("pl_wait_unlock_long", "", "lock"),
        ("thread_isolate", "", "isolation"),
        ("regex_exec_match", "", "regex"),
        ("http_process_req_common", "", "code"),
        ("http_process_req_common", "### Note: one thread was found stuck under malloc_trim()", "malloc_trim"),
        ("http_process_req_common", "### Note: at least one thread was stuck in a Lua context", "lua"),
        ("hlua_ctx_resume", "", "lua"),
    ],
)
def test_the_innermost_function_or_the_note_decides(inner: str, note: str, what: str) -> None:
    """In words that name both thread and function."""
    crash = crash_of_text(DUMP.format(inner=inner, note=note))
    stuck, words = crash.get("watchdog.stuck_in"), crash.get("crash.explanation")
    assert isinstance(stuck, Fact) and isinstance(words, Fact)
    assert stuck.value == what
    assert str(words.value).startswith("thread 1 made no progress for seconds")


def test_the_dump_is_not_asked_for_when_it_is_there() -> None:
    """Another step is more useful then."""
    from forensics.api import triage

    report: Report = triage([str(DATA / "2.9.0-watchdog-2.log")])
    assert not [step for step in report.next_steps if "panic dump" in step]
    assert "stuck in a command that was given on HAProxy's CLI" in report.crash.explanation  # the applet <CLI> runs
