"""A server of ours on the loopback that answers well or badly, by path, and clients that behave badly.

Each makes one of HAProxy's termination states, so that a log has them as logs of years have.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from typing import Self

#: Seconds that a server which never answers keeps a connection.
_LONG = 3.0
_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\nConnection: close\r\n\r\nhello world\n"
_HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\nConnection: close\r\n\r\nhalf"


def free_port() -> int:
    """A port that the kernel gives, free again."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Origin:
    """A server that can be stopped and started again on its port."""

    def __init__(self) -> None:
        """Serve on a port of the kernel's choice."""
        self.port = free_port()
        self._listener: socket.socket | None = None
        self.start()

    def __enter__(self) -> Self:
        """The running server."""
        return self

    def __exit__(self, *_unused: object) -> None:
        """Stop it."""
        self.stop()

    def start(self) -> None:
        """Listen."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(64)
        self._listener = listener
        threading.Thread(target=self._serve, args=(listener,), daemon=True).start()

    def stop(self) -> None:
        """Refuse connections from now on."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def _serve(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                peer, _address = listener.accept()
                threading.Thread(target=_answer, args=(peer,), daemon=True).start()


def _answer(peer: socket.socket) -> None:
    with peer, suppress(OSError):
        peer.settimeout(_LONG)
        head = peer.recv(4096)
        if b"/slow" in head:
            time.sleep(_LONG)
        elif b" /close" in head:
            pass
        elif b" /half" in head:
            peer.sendall(_HALF)
        else:
            peer.sendall(_OK)


def get(port: int, path: str, source: str = "127.0.0.1", *, wait: float = 3.0, head: str | None = None) -> bytes:
    """What a client at ``source`` gets for a path, or for ``head``; it leaves after ``wait`` seconds."""
    answer = b""
    with suppress(OSError), socket.socket() as peer:
        peer.settimeout(wait)
        peer.bind((source, 0))
        peer.connect(("127.0.0.1", port))
        whole = f"GET {path} HTTP/1.1\r\nHost: lab\r\nUser-Agent: lab\r\nConnection: close\r\n\r\n"
        peer.sendall((whole if head is None else head).encode())
        while chunk := peer.recv(65536):
            answer += chunk
    return answer
