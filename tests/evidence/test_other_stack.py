"""A death that several witnesses tell of: the stack is that of whoever has one."""

from __future__ import annotations

from itertools import permutations

import pytest

from forensics.api import crash_of_text

KERNEL = (
    "kernel: haproxy[42]: segfault at 8 ip 000055d000001234 sp 00007f0000000042 error 4 in haproxy[55d000000000+9000]\n"
)
FATAL = 'FATAL: bug condition "one > two" matched at src/one.c:42\n'
EXIT = "[ALERT]    (40) : Current worker (42) exited with code 139 (Segmentation fault)\n"
GDB = """\
(gdb) bt
#0  0x000055d000001234 in one_reader (it=0x8) at src/one.c:42
#1  0x000055d000001334 in process_stream (t=0x0) at src/stream.c:2000
"""
COLLECTED = """\
Process 42 (haproxy) of user 99 dumped core.

Stack trace of thread 42:
#0  0x000055d000001234 one_reader (haproxy)
#1  0x000055d000001334 process_stream (haproxy)
"""
STRIPPED = COLLECTED.replace("one_reader", "n/a").replace("process_stream", "n/a")
STACK = ("one_reader", "process_stream")


@pytest.mark.parametrize("first", [KERNEL, FATAL, EXIT, KERNEL + EXIT], ids=["kernel", "check", "master", "both"])
@pytest.mark.parametrize("second", [GDB, COLLECTED, STRIPPED + GDB], ids=["gdb", "collector", "no symbols, gdb"])
def test_the_stack_below_is_that_of_the_death(first: str, second: str) -> None:
    crash = crash_of_text(first + second)
    assert crash.all("stack")[0].value == STACK
    assert not [gap for gap in crash.gaps if gap.subject == "stack"]


@pytest.mark.parametrize("order", list(permutations([KERNEL, GDB, EXIT], 2)))
def test_in_any_order_of_the_pastes(order: tuple[str, ...]) -> None:
    if GDB in order:
        assert crash_of_text("".join(order)).all("stack")[0].value == STACK


def test_what_the_closer_witness_tells_stays() -> None:
    """The kernel knows the address; the debugger the line."""
    crash = crash_of_text(KERNEL + GDB)
    told = {name: [fact.value for fact in crash.all(name)] for name in ("crash.address", "crash.kind", "crash.signal")}
    assert told == {"crash.address": [8], "crash.kind": ["segfault"], "crash.signal": ["SIGSEGV"]}
    assert crash.all("crash.source_line")[0].value == 42


def test_the_line_of_a_check_is_not_that_of_the_debugger() -> None:
    crash = crash_of_text(FATAL + GDB.replace("one.c:42", "other.c:7"))
    assert [fact.value for fact in crash.all("crash.source_file")] == ["src/one.c"]


def test_other_programs_stacks_are_not_ours() -> None:
    assert not crash_of_text(KERNEL + COLLECTED.replace("(haproxy)", "(one)").replace("one (one)", "one")).all("stack")


VALGRIND = """\
==42== Invalid read of size 8
==42==    at 0x43437B: other_reader (other.c:60)
==42==    by 0x4300E2: process_stream (stream.c:4767)
==42==  Address 0x18 is not stack'd, malloc'd or (recently) free'd
==42==
==42== Process terminating with default action of signal 11 (SIGSEGV)
==42==  Access not within mapped region at address 0x18
==42==    at 0x43437C: one_reader (one.c:42)
==42==    by 0x4300E2: process_stream (stream.c:4767)
==42==    by 0x4C2FB55: ??? (in /usr/lib/libone.so.1)
==42==  If you believe this happened as a result of a stack
"""


def test_valgrind_tells_where_the_process_ended() -> None:
    """And before it of what went on."""
    indented = "".join(f"\t{line}" for line in VALGRIND.splitlines(keepends=True))
    assert crash_of_text(indented).all("stack")[0].value == (*STACK, "?")
    crash = crash_of_text(VALGRIND)
    assert crash.all("stack")[0].value == (*STACK, "?")
    assert [crash.all(name)[0].value for name in ("crash.signal", "crash.source_line")] == ["SIGSEGV", 42]


def test_what_valgrind_finds_is_no_death() -> None:
    assert not crash_of_text("".join(VALGRIND.splitlines(keepends=True)[:5])).died


def test_a_shell_tells_of_the_signal() -> None:
    crash = crash_of_text("fish: Job 1, './haproxy -f one.cfg' terminated by signal SIGSEGV (Address boundary error)\n")
    assert crash.all("crash.signal")[0].value == "SIGSEGV"
    assert not crash_of_text("fish: Job 1, './other' terminated by signal SIGSEGV (Address boundary error)\n").died
