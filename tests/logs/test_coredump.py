"""The message of systemd-coredump."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from forensics.logs import CoredumpReport, parse
from tests.logs.carriers import CARRIERS, text_lines

MESSAGE = """Process 1032 (haproxy) of user 188 dumped core.

Module libgcc_s.so.1 from deb gcc-14-14.2.0-4ubuntu2~24.04.amd64
Stack trace of thread 1043:
#0  0x00007fd2b748bedc __pthread_kill_implementation (libc.so.6 + 0x8bedc)
#3  0x0000561267417df2 n/a (haproxy + 0x205df2)
#5  0x00007fd2b743ebf0 __restore_rt (libc.so.6 + 0x3ebf0)
#6  0x0000561267417e00 pl_wait_unlock_long.isra.0 (haproxy)

Stack trace of thread 1032:
#0  0x00007fd2b7500000 epoll_wait (libc.so.6 + 0x100000)
ELF object binary architecture: AMD x86-64
"""


def report(lines: list[bytes]) -> CoredumpReport:
    """The one report of some lines."""
    (found,) = parse(lines).coredumps
    return found


@pytest.mark.parametrize("carrier", CARRIERS, ids=lambda carrier: carrier.__name__)
def test_threads_and_frames_are_read_in_every_carrier(carrier: Callable[[list[bytes]], list[bytes]]) -> None:
    """The crashed thread comes first."""
    found = report(carrier(text_lines(MESSAGE)))
    assert (found.pid, found.comm, found.signal) == (1032, "haproxy", None)
    crashed, other = found.threads
    assert (crashed.lwp, other.lwp) == (1043, 1032)
    assert [frame.function for frame in crashed.frames] == [
        "__pthread_kill_implementation", "?", "__restore_rt", "pl_wait_unlock_long",
    ]  # fmt: skip
    assert [frame.module_offset for frame in crashed.frames] == [0x8BEDC, 0x205DF2, 0x3EBF0, None]
    assert crashed.frames[1].address == 0x561267417DF2


def test_its_frames_are_no_backtrace_of_a_debugger() -> None:
    """They look alike but for a word."""
    assert parse(text_lines(MESSAGE)).backtraces == ()


def test_the_journals_fields_tell_the_signal() -> None:
    """The message itself does not."""
    entry = {"MESSAGE": MESSAGE, "COREDUMP_PID": "1032", "COREDUMP_SIGNAL": "6", "COREDUMP_SIGNAL_NAME": "SIGABRT"}
    found = report([json.dumps(entry).encode()])
    assert (found.signal, len(found.threads)) == ("SIGABRT", 2)


def test_an_export_has_the_fields_in_any_order() -> None:
    """Here after the message."""
    assert report(text_lines(f"MESSAGE={MESSAGE}COREDUMP_PID=1032\nCOREDUMP_SIGNAL=11\n")).signal == "SIGSEGV"


def test_coredumpctl_info_tells_the_signal_too() -> None:
    """Before the message, which it indents."""
    text = f"           PID: 1032 (haproxy)\n        Signal: 6 (ABRT)\n       Message: {MESSAGE}"
    assert report(text_lines(text)).threads[0].lwp == 1043


def test_the_short_variants_have_no_stack() -> None:
    """When stacks are turned off, and when systemd could not read the process."""
    assert report(text_lines("Process 7 (haproxy) of user 0 dumped core.\n")).threads == ()
    found = report(
        text_lines("Process 7 (haproxy) of user 0 terminated abnormally with signal 11/SEGV, processing...\n")
    )
    assert (found.signal, found.threads) == ("SIGSEGV", ())
