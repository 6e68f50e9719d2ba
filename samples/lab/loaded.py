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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from samples.lab.haproxy import HAProxy, LabError, collect, work_folder

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


@dataclass(frozen=True)
class Runnable:
    """An executable and what it needs to run: ``root`` has its libraries where they are not the machine's own.

    One for arm64 (``guest``) is run by qemu, another one is locked up in its root (which needs root's rights).
    """

    executable: Path
    root: Path | None = None
    guest: bool = False

    @property
    def jail(self) -> Path | None:
        """The root that the process is locked up in."""
        return None if self.guest else self.root

    def command(self) -> tuple[Path, tuple[str, ...]]:
        """The program to start and its first arguments."""
        if self.guest:
            return Path(QEMU), ("-cpu", PROCESSOR, "-L", str(self.root or "/"), str(self.executable))
        if self.root is not None:
            return Path("/", self.executable.relative_to(self.root)), ()
        return self.executable, ()


def crash_at_work(subject: Runnable, death: str, directory: Path, threads: int) -> Path:
    """Kill a HAProxy by ``DEATHS[death]`` while it serves; its core, which lies in ``directory``, as its log does.

    LabError when there is no core.
    """
    program, arguments = subject.command()
    folder = directory
    if subject.jail is not None:
        folder = work_folder(directory.name, subject.jail)
    config, files = BUSY.format(threads=threads), 2048 + 64 * threads
    with (
        HAProxy(program, config, folder, sysroot=subject.jail, arguments=arguments, open_files=files) as running,
        _traffic(folder, 8 + threads),
    ):
        time.sleep(1.0)
        running.cli(f"expert-mode on; {DEATHS[death].command}", 10.0)
        running.wait_end(60.0)
    if subject.guest:
        _keep_guest_core(folder)
    left = collect(running, directory, None)
    if left.core is None:
        raise LabError(f"no core of {subject.executable}: {left.log.read_text(errors='replace')[-1000:]}")
    return left.core


def _keep_guest_core(folder: Path) -> None:
    """Only the core of the process that qemu ran; that of qemu itself is deleted."""
    for path in folder.glob("core*"):
        path.unlink()
    for path in folder.glob("qemu_*.core"):
        path.rename(folder / "core.guest")


@contextmanager
def _traffic(folder: Path, clients: int) -> Iterator[None]:
    """Clients that ask until the end of the block."""
    stop = threading.Event()
    asking = [threading.Thread(target=_ask, args=(folder, number, stop), daemon=True) for number in range(clients)]
    for client in asking:
        client.start()
    try:
        yield
    finally:
        stop.set()
        for client in asking:
            client.join(10.0)


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
