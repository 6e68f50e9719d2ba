"""A made-up night of an HAProxy, as two logs: what its own process wrote, and what the machine's journal has."""

from __future__ import annotations

import os
import time
from pathlib import Path

#: 2026-11-24 22:50:00 UTC.
DEATH = 1795560600
CRASH = (
    'FATAL: bug condition "one > zero" matched at src/debug.c:832',
    "  call trace(2):",
    "  | 0x55a2e4ce1d00 [ba d9 00 00 00 bf 02 00]: debug_parse_cli_bug+0xf0/0x108",
    "  | 0x55a2e4bf7a3e [eb bc f0 83 05 54 1d 20]: main+0x19e",
)


def bsd(seconds: float) -> str:
    """A time as BSD syslog writes it, in UTC."""
    return time.strftime("%b %d %H:%M:%S", time.gmtime(seconds))


def request(at: float, pid: int, ended: str = "----", status: int = 200) -> str:
    """A line of `option httplog`, by syslog."""
    accepted = time.strftime("%d/%b/%Y:%H:%M:%S.000", time.gmtime(at))
    return (
        f"{bsd(at)} lb1 haproxy[{pid}]: 192.0.2.7:4000 [{accepted}] web app/s1 0/0/1/2/3 {status} 200 - - {ended}"
        f' 1/1/0/0/0 0/0 "GET /secret?token=abc HTTP/1.1"'
    )


def traffic(ahead: float = 0.0) -> list[str]:
    """An hour of requests, one each two seconds, a server that goes, and the new worker's first after 3 seconds."""
    lines = []
    for back in range(3600, 0, -2):
        odd = back < 60 and back % 10 == 0
        at = DEATH - back + ahead
        lines.append(request(at, 2417, "sH--" if odd else "----", 504 if odd else 200))
        if back == 120:
            lines.append(
                f"{bsd(at)} lb1 haproxy[2417]: Server app/s2 is DOWN, reason: Layer4 timeout, check duration: 1ms."
            )
        if back in (50, 40):
            lines.append(
                f"{bsd(at)} lb1 haproxy[2417]: 192.0.2.9:4000 [24/Nov/2026:22:49:20.000] web/1: SSL handshake failure"
            )
    return lines + [request(DEATH + 3 + more + ahead, 2511) for more in range(20)]


def death(zone: str = "") -> list[str]:
    """What the machine's journal has of it: with a zone, as `-o short-iso`, or else as BSD syslog."""

    def line(at: float, tag: str, text: str) -> str:
        when = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + zone if zone else bsd(at)
        return f"{when} lb1 {tag}: {text}"

    master = "haproxy[2400]"
    return [
        line(DEATH - 7200, master, "[NOTICE]   (2400) : New worker (2300) forked"),
        line(DEATH - 3600, master, "[NOTICE]   (2400) : Reloading HAProxy"),
        line(DEATH - 3599, master, "[NOTICE]   (2400) : New worker (2417) forked"),
        line(DEATH - 3598, master, "[WARNING]  (2400) : Former worker (2300) exited with code 0 (Exit)"),
        *(line(DEATH, master, text) for text in CRASH),
        line(
            DEATH + 0.0, master, "[ALERT]    (2400) : Current worker (2417) exited with code 132 (Illegal instruction)"
        ),
        line(DEATH + 0.0, "systemd[1]", "haproxy.service: Main process exited, code=exited, status=132/n/a"),
        line(DEATH + 2.0, "systemd[1]", "haproxy.service: Scheduled restart job, restart counter is at 1."),
        line(DEATH + 2.0, "haproxy[2500]", "[NOTICE]   (2500) : New worker (2511) forked"),
    ]


def merged() -> list[str]:
    """Both in one file, in order of time."""
    both = [(line[7:15], index >= 4, line) for index, line in enumerate(death())]
    both += [(line[7:15], False, line) for line in traffic()]
    return [line for _clock, _late, line in sorted(both, key=lambda each: each[0])]


def write(path: Path, lines: list[str]) -> str:
    """A log of the night, last written in the morning after it."""
    path.write_text("".join(f"{line}\n" for line in lines))
    os.utime(path, (DEATH + 30_000, DEATH + 30_000))
    return str(path)
