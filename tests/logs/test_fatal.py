"""Which of the things a log tells is the death that is asked about."""

from __future__ import annotations

from forensics.absence import Absence
from forensics.logs import BugReport, KernelFault, Mention, OutOfMemory, Panic, SystemdExit, WorkerExit, parse
from tests.logs.carriers import lines_of, text_lines

BUG = 'FATAL: bug condition "x" matched at src/a.c:1\n  call trace(1):\n  | 0x55 [0f 0b]: guilty+0x1/0x9\n'
TRAP = "[ 12.345678] traps: haproxy[7] trap invalid opcode ip:55d0 sp:7ffd error:0 in haproxy[562d117a7000+28b000]\n"
EXIT = "[ALERT]    (1) : Current worker (7) exited with code 132 (Illegal instruction)\n"
SYSTEMD = "haproxy.service: Main process exited, code=exited, status=132/n/a\n"


def test_the_process_itself_is_the_best_witness() -> None:
    """Though kernel, master and systemd speak after it."""
    assert isinstance(parse(text_lines(BUG + TRAP + EXIT + SYSTEMD)).fatal(), BugReport)
    assert isinstance(parse(text_lines(TRAP + EXIT + SYSTEMD)).fatal(), KernelFault)
    assert isinstance(parse(text_lines(EXIT + SYSTEMD)).fatal(), WorkerExit)
    assert isinstance(parse(text_lines(SYSTEMD)).fatal(), SystemdExit)


def test_an_earlier_death_does_not_explain_the_last_one() -> None:
    """The exits bound the incidents."""
    found = parse(text_lines(BUG + EXIT + TRAP + EXIT)).fatal()
    assert isinstance(found, KernelFault)
    assert isinstance(parse(text_lines(TRAP + EXIT + BUG + EXIT + SYSTEMD)).fatal(), BugReport)


def test_the_latest_of_two_assertions_counts() -> None:
    """No exit stands between them."""
    found = parse([*text_lines(BUG), *lines_of("2.9.0-requeue-expiry-race.log")]).fatal()
    assert isinstance(found, BugReport) and found.line_number == 285


def test_a_real_panic_is_found_above_the_masters_words() -> None:
    """2.9.0 under a master."""
    assert isinstance(parse(lines_of("2.9.0-debug-dev-panic.log")).fatal(), Panic)


def test_libc_and_the_oom_killer_are_causes_too() -> None:
    """The exit below them is not."""
    abort = "[ALERT]    (1) : Current worker (7) exited with code 134 (Aborted)\n"
    assert isinstance(parse(text_lines("free(): invalid pointer\n" + abort)).fatal(), Mention)
    killed = "[ALERT]    (1) : Current worker (7) exited with code 137 (Killed)\n"
    found = parse(text_lines("[ 12.345678] Out of memory: Killed process 7 (haproxy) total-vm:1kB\n" + killed)).fatal()
    assert isinstance(found, OutOfMemory)


def test_a_life_without_death_has_none() -> None:
    """Nor have warnings, ordinary ends, and the deaths of others."""
    for text in (
        "",
        "[WARNING]  (1) : Former worker (7) exited with code 143 (Terminated)\n",
        'WARNING: check condition "x" matched at src/a.c:1 (please report to developers)\n',
        "nginx[7]: segfault at 0 ip 0000 sp 7ffd error 4 in nginx[55d000000000+1dd000]\n",
        "nginx.service: Main process exited, code=dumped, status=11/SEGV\n",
        "[ALERT]    (1) : Current program 'api' (7) exited with code 139 (Segmentation fault)\n",
    ):
        assert isinstance(parse(text_lines(text)).fatal(), Absence)
