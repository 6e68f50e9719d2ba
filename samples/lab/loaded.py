"""A HAProxy that dies at work: its threads stand in many different places of the code.

Every request goes through the same process many times, over Unix sockets in the process's own
folder: HTTP/1 and HTTP/2, connections, a stick table, regular expressions, a log in memory.  Nothing
leaves the machine, and runs beside each other do not meet.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from samples.lab.haproxy import HAProxy, LabError

QEMU = "qemu-aarch64-static"
#: gdb 13 never returns from a signal frame with SVE or SME records (docs/gdb-differences.md).
PROCESSOR = "max,sve=off,sme=off"
SOCKET = "web"

#: Understood by 2.2 and everything newer.  ``X-Hop`` counts how often a request came by.
BUSY = """\
global
    nbthread {threads}
    maxconn 400
    stats socket unix@cli level admin
    stats timeout 30s

defaults
    mode http
    http-reuse always
    timeout client 5s
    timeout connect 5s
    timeout server 5s

ring memory
    size 65536

frontend web
    bind unix@web
    bind unix@web2 proto h2
    log ring@memory local0
    option httplog
    http-request set-var(txn.sum) req.fhdr(x-walk),sha1,hex,lower
    http-request set-var(txn.text) req.fhdr(x-walk),base64,xxh64
    http-request set-var(txn.part) req.fhdr(x-walk),word(90,-),upper,crc32
    http-request set-var(txn.path) req.fhdr(x-walk),json,length
    http-request track-sc0 path table paths
    http-request replace-header X-Turn ^(([a-z]+)-)*([0-9]+)$ \\2-\\3 if {{ rand(8) eq 0 }}
    http-request set-log-level silent if {{ rand(8) gt 0 }}
    http-request return status 200 content-type text/plain string ok if {{ req.hdr_cnt(x-hop) ge 9 }}
    http-request add-header X-Hop 1
    use_backend even if {{ rand(2) eq 0 }}
    default_backend odd

backend even
    server self unix@web

backend odd
    server self unix@web2 proto h2

backend paths
    stick-table type string len 64 size 1k expire 2s store http_req_cnt,http_req_rate(10s)
"""


@dataclass(frozen=True)
class Death:
    """How a process is told to die: commands of HAProxy's CLI."""

    command: str
    what: str


DEATHS = {
    "bug": Death("debug dev bug", "an assertion fails"),
    "panic": Death("debug dev panic", "every thread is interrupted to dump itself"),
    "loop": Death("debug dev loop 20000", "the watchdog interrupts a thread that does not come back"),
    "kill": Death("debug dev tkill 1 11", "a signal from nowhere"),
}


def crash_at_work(executable: Path, death: str, folder: Path, threads: int, *, qemu: Path | None = None) -> Path:
    """Kill a HAProxy by ``DEATHS[death]`` while it serves, and return its core, which stays in ``folder``.

    ``qemu`` is the folder with the libraries of an executable for arm64, which qemu then runs.  LabError
    when there is no core.
    """
    program, arguments = executable, tuple[str, ...]()
    if qemu is not None:
        program, arguments = Path(QEMU), ("-cpu", PROCESSOR, "-L", str(qemu), str(executable))
    files = 2048 + 64 * threads
    config = BUSY.format(threads=threads)
    with HAProxy(program, config, folder, arguments=arguments, open_files=files) as running:
        stop = threading.Event()
        clients = [
            threading.Thread(target=_ask, args=(folder, number, stop), daemon=True) for number in range(8 + threads)
        ]
        for client in clients:
            client.start()
        time.sleep(1.0)
        running.cli(f"expert-mode on; {DEATHS[death].command}", 10.0)
        running.wait_end(60.0)
        stop.set()
        for client in clients:
            client.join(10.0)
    core = _guest_core(folder) if qemu is not None else running.core()
    if core is None:
        raise LabError(f"no core of {executable} in {folder}: {running.text()[-1000:]}")
    return core


def _guest_core(folder: Path) -> Path | None:
    """The core of the process that qemu ran; that of qemu itself is deleted."""
    for path in folder.glob("core*"):
        path.unlink()
    found = sorted(folder.glob("qemu_*.core"))
    return found[0] if found else None


def _ask(folder: Path, number: int, stop: threading.Event) -> None:
    """Send requests, one after the other, until told to stop or nobody answers."""
    place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        while not stop.is_set():
            try:
                _request(f"/proc/self/fd/{place}/{SOCKET}", number)
            except OSError:
                time.sleep(0.05)
    finally:
        os.close(place)


def _request(address: str, number: int) -> None:
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(5.0)
        peer.connect(address)
        for turn in range(20):
            walk = "-".join(["step"] * 300)
            head = f"GET /{number}/{turn} HTTP/1.1\r\nHost: lab\r\nX-Walk: {walk}\r\nX-Turn: a-b-c-{turn}\r\n\r\n"
            peer.sendall(head.encode())
            if not peer.recv(65536):
                return
