"""The line in which a BSD kernel says that a process ended by a signal."""

from __future__ import annotations

import pytest

from forensics.api import crash_of_text
from forensics.logs import Mention, WorkerExit, parse
from tests.logs.carriers import text_lines

ENDED = "pid 4242 (haproxy), jid 0, uid 80: exited on signal 11 (core dumped)"

CARRIED = {
    "bare": ENDED,
    "without jail, before 12.0": "pid 4242 (haproxy), uid 80: exited on signal 11",
    "syslogd": f"Mar  1 10:00:00 gate kernel: {ENDED}",
    "RFC 5424": f'<6>1 2024-03-01T10:00:00+01:00 gate.example kernel - - [meta sequenceId="7"] {ENDED}',
    "RFC 5424 with the kernel's level": f"<6>1 2024-03-01T10:00:00+01:00 gate.example kernel - - - <6>{ENDED}",
    "columns of a web page": f"Mar 1 10:00:00kernel{ENDED}",
    "within a sentence": f"it says {ENDED}, what now?",
}


@pytest.mark.parametrize("name", CARRIED)
def test_the_end_is_told_in_every_carrier(name: str) -> None:
    (found,) = parse(text_lines(CARRIED[name] + "\n")).exits
    assert found == WorkerExit(4242, 139, "SIGSEGV", "process", 1)


@pytest.mark.parametrize(
    ("number", "signal"), [(4, "SIGILL"), (6, "SIGABRT"), (10, "SIGBUS"), (11, "SIGSEGV"), (12, "SIGSYS")]
)
def test_signals_are_numbered_as_on_bsd(number: int, signal: str) -> None:
    """10 is SIGUSR1 and 12 SIGUSR2 on Linux, which end a process without any fault."""
    (found,) = parse(text_lines(f"pid 7 (haproxy), jid 1, uid 80: exited on signal {number}\n")).exits
    assert found.signal == signal


def test_other_programs_are_nobody_s_business() -> None:
    log = parse(text_lines("Mar  1 10:00:00 gate kernel: pid 9 (php-fpm), jid 0, uid 0: exited on signal 11\n"))
    assert not log.exits
    assert not log.incidents


def test_a_signal_alone_says_neither_kind_nor_stack() -> None:
    crash = crash_of_text(f"Mar  1 10:00:00 gate kernel: {ENDED}\n")
    assert [crash.all(name)[0].value for name in ("crash.signal", "process.pid")] == ["SIGSEGV", 4242]
    assert not crash.all("crash.kind")
    assert not crash.all("stack")


def test_why_there_is_no_core_is_told() -> None:
    text = "pid 7 (haproxy), jid 0, uid 80: exited on signal 6 (no core dump - bad address)\n"
    assert [one for one in parse(text_lines(text)).mentions if one.what == "core refused"] == [
        Mention("core refused", "no core dump - bad address", 1)
    ]
    crash = crash_of_text(text)
    assert "kern.sugid_coredump" in str([gap.remedy for gap in crash.gaps if gap.subject == "core of the process"])


MASTER = (
    "Mar  1 10:00:00 gate haproxy[4240]: [ALERT]    (4240) : Current worker (4242) exited with code 139 "
    "(Segmentation fault)\n"
)
KERNEL = f"Mar  1 10:00:00 gate kernel: {ENDED}\n"
ASSERTED = 'Mar  1 10:00:00 gate haproxy[4240]: FATAL: bug condition "one > two" matched at src/one.c:12\n'


@pytest.mark.parametrize("lines", [(ASSERTED, KERNEL, MASTER), (ASSERTED, MASTER, KERNEL)])
def test_kernel_and_master_tell_of_one_death(lines: tuple[str, ...]) -> None:
    """The assertion above both is that of the death."""
    log = parse(text_lines("".join(lines)))
    assert len(log.incidents) == 1
    assert log.fatal() == log.bug_reports[0]


def test_one_master_after_another_tells_of_several() -> None:
    second = KERNEL.replace("4242", "4250") + MASTER.replace("4242", "4250")
    log = parse(text_lines(KERNEL + MASTER + second))
    assert [one.pid for one in log.incidents] == [4242, 4250]


def test_the_words_of_an_exit_code_name_the_signal_of_bsd() -> None:
    """Code 138 would be SIGUSR1 on Linux, and no fault."""
    (found,) = parse(text_lines("[ALERT]    (1) : Current worker (7) exited with code 138 (Bus error)\n")).exits
    assert found.signal == "SIGBUS"
