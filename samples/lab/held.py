"""A HAProxy whose clients wait: streams in many states that stay as they are while it is asked and dumped.

Connections come over loopback and Unix sockets; the server takes them and never answers.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from samples.lab.haproxy import LabError
from samples.lab.living import Living, living
from samples.lab.loaded import Runnable

#: Understood by 2.2 and everything newer.
CONFIG = """\
global
    nbthread 2
    maxconn 100
    stats socket unix@cli level admin
    stats timeout 1h

defaults
    timeout client 1h
    timeout connect 1h
    timeout server 1h
    timeout queue 1h
    timeout tunnel 1h

frontend web
    mode http
    bind 127.0.0.1:{port} name plain
    bind unix@web name local
    unique-id-format %[uuid]
    unique-id-header X-Unique
    http-request set-var(txn.path) path
    http-request wait-for-body time 1h if {{ path_beg /body }}
    http-request allow if {{ path_beg /hop }}
    use_backend hop if {{ path_beg /hop }}
    use_backend narrow if {{ path_beg /narrow }}
    use_backend away if {{ path_beg /away }}
    default_backend slow

frontend inner
    mode http
    bind unix@inner proto h2
    default_backend slow

frontend raw
    mode tcp
    bind unix@raw
    default_backend rawslow

backend hop
    mode http
    server hopper unix@inner proto h2

backend narrow
    mode http
    server one unix@slow maxconn 1

backend slow
    mode http
    server s1 unix@slow

backend away
    mode http
    server tcp1 127.0.0.1:{away}
    server spare 127.0.0.1:{away} disabled

backend rawslow
    mode tcp
    server s2 unix@slow
"""
#: ``wait-for-body`` is an action since 2.5 only.
_NEWER = "    http-request wait-for-body time 1h if { path_beg /body }\n"

#: Seconds until all requests have come as far as they go.
_SETTLED = 0.5


@contextmanager
def held(subject: Runnable, name: str, *, newer: bool = True) -> Iterator[Living]:
    """A running HAProxy with ten clients that wait; ``newer`` for actions that 2.2 does not have."""
    with ExitStack() as stack:
        away = stack.enter_context(listening())
        config = CONFIG.format(port=free_port(), away=away.getsockname()[1])
        alive = stack.enter_context(living(subject, config if newer else config.replace(_NEWER, ""), name))
        folder = alive.running.folder
        stack.enter_context(listening(folder / "slow"))
        for address, data in _requests(config, folder):
            stack.enter_context(_sent(address, data))
            time.sleep(0.02)  # one after the other: what is queued comes after what it waits for
        time.sleep(_SETTLED)
        yield alive


def _requests(config: str, folder: Path) -> Iterator[tuple[tuple[str, int] | Path, bytes]]:
    """Where to, and what to send."""
    port = int(config.split("bind 127.0.0.1:", 1)[1].split(maxsplit=1)[0])
    plain, tail = ("127.0.0.1", port), b" HTTP/1.1\r\nHost: lab\r\n"
    yield plain, b"GET /slow" + tail + b"\r\n"
    yield plain, b"POST /slow/post" + tail + b"Content-Length: 100000\r\n\r\nhello"
    yield plain, b"POST /body" + tail + b"Content-Length: 100000\r\n\r\nhello"
    yield plain, b"GET /incomplete HTT"
    yield plain, b"GET /hop" + tail + b"\r\n"
    yield plain, b"GET /away" + tail + b"\r\n"
    yield folder / "web", b"GET /narrow/1" + tail + b"\r\n"
    yield folder / "web", b"GET /narrow/2" + tail + b"\r\n"
    yield folder / "raw", b"hello"


@contextmanager
def listening(path: Path | None = None) -> Iterator[socket.socket]:
    """A server that takes connections and does nothing with them."""
    with socket.socket(socket.AF_UNIX if path else socket.AF_INET) as server:
        server.bind(str(path) if path else ("127.0.0.1", 0))
        server.listen(50)
        if path:
            path.chmod(0o777)
        yield server


@contextmanager
def _sent(address: tuple[str, int] | Path, data: bytes) -> Iterator[None]:
    """A connection that sent this and stays open."""
    with socket.socket(socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX) as client:
        client.settimeout(5.0)
        try:
            client.connect(address if isinstance(address, tuple) else str(address))
            client.sendall(data)
        except OSError as error:
            raise LabError(f"no connection to {address}: {error}") from error
        yield


def free_port() -> int:
    """A port of the loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
