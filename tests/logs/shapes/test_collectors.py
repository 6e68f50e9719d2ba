"""systemd, and who keeps cores and reports."""

from __future__ import annotations

import pytest

from tests.logs.shapes.facts import Facts, check


def test_a_signal_that_a_collector_names_is_a_death_without_a_stack() -> None:
    for text in ("haproxy killed by SIGSEGV\n", "ProblemType: Crash\nSignal: 11\n", "SignalName: SIGSEGV\n"):
        check(text, {"crash.signal": "SIGSEGV", "crash.kind": "segfault", "stack": None})


COREDUMPCTL = """\
           PID: 1032 (haproxy)
        Signal: 6 (ABRT)
    Executable: /usr/sbin/haproxy
       Storage: /var/lib/systemd/coredump/core.haproxy.188.x.1032.1705573385000000.zst (truncated)
       Message: Process 1032 (haproxy) of user 188 dumped core.

                Module libgcc_s.so.1 from deb gcc-14-14.2.0-4ubuntu2~24.04.amd64
                Stack trace of thread 1043:
                #0  0x00007fd2b748bedc __pthread_kill_implementation (libc.so.6 + 0x8bedc)
                #1  0x0000561267417df2 n/a (haproxy + 0x205df2)
                #2  0x0000561267417df3 ha_panic (haproxy)
                #3  0x0000561267417df4 guilty (haproxy)
                ELF object binary architecture: AMD x86-64
"""
COLLECTED: dict[str, tuple[str, Facts]] = {
    "coredumpctl info": (
        COREDUMPCTL, {"crash.kind": "watchdog", "crash.signal": "SIGABRT", "process.pid": 1032, "stack": ("guilty",)},
    ),
    "systemd-coredump without stacks": (
        "systemd-coredump[2]: \U0001f855 Process 1032 (haproxy) of user 188 dumped core.\n", {"process.pid": 1032},
    ),
    "systemd-coredump of old": (
        "Process 1032 (haproxy) of user 188 terminated abnormally with signal 11/SEGV, processing...\n",
        {"crash.kind": "segfault", "crash.signal": "SIGSEGV", "process.pid": 1032},
    ),
    "systemd, with a master": (
        ("systemd[1]: haproxy.service: Main process exited, code=exited, status=139/n/a\n"
        "systemd[1]: haproxy.service: Failed with result 'exit-code'.\n"),
        {"crash.signal": "SIGSEGV", "crash.kind": None},
    ),
    "systemd, without": (
        ("systemd[1]: haproxy.service: Main process exited, code=dumped, status=6/ABRT\n"
        "systemd[1]: haproxy.service: Failed with result 'core-dump'.\n"),
        {"crash.signal": "SIGABRT", "crash.kind": None},
    ),
    "systemd, out of memory": (
        "systemd[1]: haproxy.service: Failed with result 'oom-kill'.\n", {"crash.kind": "oom", "crash.signal": None},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", COLLECTED)
def test_systemd_and_its_collector_are_witnesses(name: str) -> None:
    check(*COLLECTED[name])
