"""A little HTTP load on the loopback, bounded in count."""

from __future__ import annotations

import socket
import time


def request(port: int, source: str = "127.0.0.1", timeout: float = 3.0) -> bytes:
    """One request from ``source``; empty when the peer died or does not answer."""
    answer = b""
    try:
        with socket.socket() as peer:
            peer.settimeout(timeout)
            peer.bind((source, 0))
            peer.connect(("127.0.0.1", port))
            peer.sendall(b"GET / HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n")
            while chunk := peer.recv(65536):
                answer += chunk
    except OSError:
        return answer
    return answer


def load(port: int, count: int, pause: float = 0.01, timeout: float = 3.0) -> int:
    """``count`` requests from changing sources; how many were answered."""
    answered = 0
    for number in range(count):
        source = f"127.0.{1 + number // 200}.{1 + number % 200}"
        answered += bool(request(port, source, timeout))
        time.sleep(pause)
    return answered
