"""Servers on the loopback: the real debuginfod, and one that misbehaves on purpose."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Self

DEBUGINFOD = shutil.which("debuginfod")
FIND = shutil.which("debuginfod-find")

#: What a misbehaving server does with a connection, after the request's path was read.
Behaviour = Callable[[socket.socket, str], None]


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def status_of(port: int, path: str) -> int:
    """The status that a server answers with, 0 for none."""
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


@contextmanager
def debuginfod(files: Path, work: Path, build_id: str) -> Iterator[str]:
    """elfutils' own server over ``files``, once it knows ``build_id``; its URL."""
    assert DEBUGINFOD
    port = free_port()
    command = [DEBUGINFOD, "-F", "-p", str(port), "-d", str(work / "index.sqlite"), "-I", ".*", "-X", "^$", str(files)]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("DEBUGINFOD")}
    with (work / "log").open("wb") as log:
        server = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment | {"HOME": str(work)}
        )
    try:
        end = time.monotonic() + 20
        while status_of(port, f"/buildid/{build_id}/debuginfo") != 200:
            if time.monotonic() > end or server.poll() is not None:
                raise RuntimeError((work / "log").read_text()[-2000:])
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(10)


class Misbehaving:
    """A server that does to each connection what it was told; ``asked`` lists the paths."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.asked: list[str] = []
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                peer, _address = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(peer,), daemon=True).start()

    def _answer(self, peer: socket.socket) -> None:
        with peer:
            try:
                head = peer.recv(65536).decode()
                path = head.split(" ")[1] if " " in head else ""
                self.asked.append(path)
                self._behaviour(peer, path)
            except OSError:
                return  # the client has given up


def answer(body: bytes, status: str = "200 OK", headers: str = "", length: int | None = None) -> Behaviour:
    """A plain answer; ``length`` is the one that it claims."""

    def behave(peer: socket.socket, _path: str) -> None:
        claimed = len(body) if length is None else length
        peer.sendall(f"HTTP/1.1 {status}\r\nContent-Length: {claimed}\r\n{headers}\r\n".encode() + body)

    return behave


def endless(peer: socket.socket, _path: str) -> None:
    """A body without end."""
    peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n\x7fELF")
    while True:
        peer.sendall(bytes(1 << 16))


def dripping_body(peer: socket.socket, _path: str) -> None:
    """A byte now and then."""
    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n\x7fELF")
    while True:
        peer.sendall(b"\0")
        time.sleep(0.05)


def dripping_head(peer: socket.socket, _path: str) -> None:
    """Headers without end, slowly."""
    peer.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while True:
        peer.sendall(b"x")
        time.sleep(0.05)


def silent(peer: socket.socket, _path: str) -> None:
    """Nothing at all."""
    time.sleep(30)


def reset(peer: socket.socket, _path: str) -> None:
    """The connection is reset in the middle of the body."""
    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n\x7fELF")
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def garbage(peer: socket.socket, _path: str) -> None:
    """No HTTP."""
    peer.sendall(b"SSH-2.0-OpenSSH_9.2\r\n" * 10)


def redirecting_to(location: str) -> Behaviour:
    """A redirection."""
    return answer(b"", "302 Found", f"Location: {location}\r\n")


def loop(peer: socket.socket, path: str) -> None:
    """A redirection to itself."""
    redirecting_to(path)(peer, path)
