"""Servers, limits, errors, starts and reloads are read from lines of every release."""

from __future__ import annotations

import pytest

from forensics.logs import Record
from forensics.logs.happenings.happening import KINDS
from forensics.logs.happenings.surroundings import NEEDLES, happening_of

LINES = [
    (
        "Server app/app03 is DOWN, reason: Layer4 timeout, check duration: 2001ms. 11 active and 0 backup servers left.",
        "server", "Server app/app03 is DOWN: Layer4 timeout",
    ),
    (
        'Server app/app03 is DOWN, reason: Layer4 connection problem, info: "Connection refused", check duration: 0ms.',
        "server", "Server app/app03 is DOWN: Layer4 connection problem",
    ),
    ("[WARNING]  (12) : Server app/s1 is UP, reason: Layer7 check passed, code: 200.", "server",
     "Server app/s1 is UP: Layer7 check passed"),
    ("Server app/s1 is going DOWN for maintenance. 1 active left.", "server",
     "Server app/s1 is going DOWN for maintenance"),
    ("Server app/s1 is UP/READY (leaving forced maintenance).", "server",
     "Server app/s1 is UP/READY (leaving forced maintenance)"),
    ("[ALERT] (12) : backend 'app' has no server available!", "server", "app has no server available"),
    ("proxy app has no server available!", "server", "app has no server available"),
    ("Proxy web stopped (cumulated conns: FE: 12, BE: 0).", "proxy", "a proxy was stopped"),
    ("Paused frontend web.", "proxy", "Paused frontend web"),
    ("Proxy web reached process FD limit (maxsock=4096). Please check 'ulimit-n' and restart.", "limit",
     "Proxy web reached process FD limit"),
    ("Proxy web reached the configured maximum connection limit. Please check the global 'maxconn' value.", "limit",
     "Proxy web reached the configured maximum connection limit"),
    ("Connect() failed for backend app: no free ports.", "limit", "Connect() failed for backend app: no free ports"),
    ("nf_conntrack: nf_conntrack: table full, dropping packet", "table full", "nf_conntrack: table full"),
    ("TCP: request_sock_TCP: Possible SYN flooding on port 443. Sending cookies.", "limit",
     "Possible SYN flooding on port"),
    ("127.0.0.1:40122 [24/Nov/2026:23:10:11.123] web~/1: SSL handshake failure (error:0A000416)", "connection error",
     "SSL handshake failure on frontend web~"),
    ("127.0.0.1:40122 [24/Nov/2026:23:10:11.123] web/sock-1: Connection closed during SSL handshake",
     "connection error", "Connection closed during SSL handshake on frontend web"),
    ("[NOTICE] 327/231011 (12) : New worker #1 (13) forked", "start", "worker 13 started"),
    ("[NOTICE]   (12) : New worker (13) forked", "start", "worker 13 started"),
    ("[NOTICE]   (12) : Initializing new worker (13)", "start", "worker 13 started"),
    ("[WARNING] 327/231011 (12) : Reexecuting Master process", "reload", "the master reloads"),
    ("[NOTICE]   (12) : Reloading HAProxy", "reload", "reload asked for"),
    ("Reloading haproxy.service - HAProxy Load Balancer...", "reload", "reload of haproxy.service asked for"),
    ("Reloaded haproxy.service - HAProxy Load Balancer.", "reload", "reload done"),
    ("Started haproxy.service - HAProxy Load Balancer.", "start", "the service is up"),
    ("Stopping HAProxy Load Balancer...", "stop", "systemd stops the service"),
    ("haproxy.service: Scheduled restart job, restart counter is at 3.", "start",
     "systemd restarts the service (restart 3)"),
    ("[ALERT]    (12) : config : parsing [haproxy.cfg:16] : 'bind' : invalid character", "failed start",
     "the configuration was refused at haproxy.cfg:16"),
    ("[WARNING]  (12) : Loading failure!", "failed start", "a new configuration could not be loaded"),
    ("[NOTICE]   (12) : Loading success.", "start", "the configuration was loaded"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "what", "told"), LINES)
def test_every_line_tells(line: str, what: str, told: str) -> None:
    """And names nothing of a client."""
    found = happening_of(Record(line, 3))
    assert found is not None
    assert (found.what, found.text, found.line) == (what, told, 3)
    assert found.what in KINDS


@pytest.mark.parametrize(("line", "what", "told"), LINES)
def test_every_line_is_found_before_it_is_decoded(line: str, what: str, told: str) -> None:
    """Each holds a needle."""
    assert any(needle in line.encode() for needle in NEEDLES) or what == "failed start" or "Loading" in line, told


def test_other_lines_tell_nothing() -> None:
    """Ordinary words that begin like them."""
    for text in ("the server app/app1 is fine", "Stopping HAProxies", "Loading", "a new worker"):
        assert happening_of(Record(text, 1)) is None
