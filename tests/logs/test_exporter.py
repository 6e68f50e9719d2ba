"""haproxy_exporter, a program beside HAProxy, is not taken for it."""

from __future__ import annotations

import pytest

from forensics.api import crash_of_text
from forensics.logs.fatal import is_haproxy

#: The kernel's line, systemd's, systemd-coredump's and docker's, with the name of the program left open.
DEATHS = (
    "Nov 24 22:50:00 lb1 kernel: {0:.15}[77]: segfault at 118 ip 000055a2e4ce1d00 sp 00007ffd0 error 4 in {0}[55a2e4b00000+300000]",
    "Nov 24 22:50:00 lb1 systemd[1]: {0}.service: Main process exited, code=killed, status=11/SEGV",
    "Nov 24 22:50:00 lb1 systemd-coredump[9]: Process 77 ({0:.15}) of user 99 dumped core.",
    "{0}-1 exited with code 139",
)


@pytest.mark.parametrize("shape", DEATHS)
def test_its_death_is_not_haproxys(shape: str) -> None:
    """The same words about HAProxy are."""
    for name, own in (("haproxy", True), ("haproxy_exporter", False)):
        crash = crash_of_text(shape.format(name) + "\n")
        assert bool(crash.all("crash.signal") or crash.all("process.pid")) == own


def test_its_executable_is_not_haproxys() -> None:
    """Two reports of systemd-coredump can stand together."""
    died = 'FATAL: bug condition "one > zero" matched at src/debug.c:832'
    for path, known in (("/usr/sbin/haproxy", True), ("/usr/bin/haproxy_exporter", False)):
        crash = crash_of_text(f"    Executable: {path}\n  Command Line: {path} --x\n{died}\n")
        assert bool(crash.all("process.executable")) == bool(crash.all("process.command_line")) == known


def test_names_of_haproxy_stay() -> None:
    for name in (
        "haproxy",
        "/usr/sbin/haproxy (deleted)",
        "hapee-2.8-lb.service",
        "/opt/haproxy-exported/sbin/haproxy",
    ):
        assert is_haproxy(name)
