"""One file from one server, downloaded by a thread that can be given up at any time."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import tempfile
import threading
import time
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

from forensics import __version__
from forensics.record import record

#: Redirections that are followed.
_MOST_REDIRECTIONS = 5

_CHUNK = 1 << 16


@record
class Artifact:
    """A file of a build: ``kind`` is ``executable`` or ``debuginfo`` (debuginfod(8), "webapi")."""

    build_id: str
    kind: str


@record
class Outcome:
    """How a download ended: ``path`` of what arrived, else what was ``said``; ``missing`` is the server's word."""

    path: str = ""
    said: str = ""
    missing: bool = False


class _Refused(Exception):
    """The server's answer cannot be used."""


class Download:
    """``artifact`` from the server ``url``; ``run`` belongs to a thread, ``cancel`` to whoever waits for it.

    The file is written beside its place in ``folder``; whoever waits renames or removes it.
    """

    def __init__(self, artifact: Artifact, url: str, folder: str, max_size: int, end: float) -> None:
        self.artifact = artifact
        self.server = _shown(url)
        self._url = f"{url.rstrip('/')}/buildid/{artifact.build_id}/{artifact.kind}"
        self._folder = folder
        self._max_size = max_size
        self._end = end
        self._lock = threading.Lock()
        self._cancelled = False
        self._socket: socket.socket | None = None
        self._partial = ""

    def run(self) -> Outcome:
        """Download."""
        try:
            return self._follow(self._url)
        except _Refused as error:
            return Outcome(said=str(error))
        except TimeoutError:
            return Outcome(said="no answer in time")
        except (OSError, http.client.HTTPException, ValueError) as error:
            return Outcome(said=f"{type(error).__name__}: {str(error)[:200]}")

    def cancel(self) -> None:
        """Give up: the connection is closed and what was written so far removed."""
        with self._lock:
            self._cancelled = True
            peer, partial, self._partial = self._socket, self._partial, ""
        if peer is not None:
            with contextlib.suppress(OSError):  # it may be closed already
                peer.shutdown(socket.SHUT_RDWR)
        remove(partial)

    def keep(self) -> str:
        """The file that arrived, which ``cancel`` then leaves alone."""
        with self._lock:
            partial, self._partial = self._partial, ""
        return partial

    def _follow(self, url: str) -> Outcome:
        for _count in range(_MOST_REDIRECTIONS + 1):
            connection = self._connect(url)
            try:
                connection.request("GET", _target(connection, url), headers=_HEADERS)
                answer = connection.getresponse()
                if answer.status == 200:
                    return Outcome(path=self._save(answer))
                if answer.status == 404:
                    return Outcome(said="it has no such file", missing=True)
                if answer.status not in (301, 302, 303, 307, 308):
                    raise _Refused(f"it answers {answer.status} {answer.reason[:80]}")
                url = _redirected(url, answer.getheader("Location") or "")
            finally:
                connection.close()
        raise _Refused(f"more than {_MOST_REDIRECTIONS} redirections")

    def _left(self) -> float:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def _connect(self, url: str) -> http.client.HTTPConnection:
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        proxy = _proxy(parts.scheme, parts.netloc.rpartition("@")[2])
        if proxy is None:
            connection = kind(parts.hostname or "", parts.port, timeout=self._left())
        else:
            connection = kind(proxy[0], proxy[1], timeout=self._left())
            if secure:
                connection.set_tunnel(parts.hostname or "", parts.port)
        connection.connect()
        with self._lock:
            if self._cancelled:
                connection.close()
                raise TimeoutError
            self._socket = connection.sock
        return connection

    def _save(self, answer: http.client.HTTPResponse) -> str:
        """Write the body to a file of our own; its path."""
        promised = answer.length
        if promised is not None and promised > self._max_size:
            raise _Refused(f"it has {promised} bytes, more than DEBUGINFOD_MAXSIZE or the limit of {self._max_size}")
        descriptor, path = self._create()
        received = 0
        with os.fdopen(descriptor, "wb") as file:
            while chunk := answer.read1(_CHUNK):
                received += len(chunk)
                if received > self._max_size:
                    raise _Refused(f"it sends more than {self._max_size} bytes")
                file.write(chunk)
                self._left()
        if promised is not None and received < promised:
            raise _Refused(f"it promised {promised} bytes and sent {received}")
        return path

    def _create(self) -> tuple[int, str]:
        with self._lock:
            if self._cancelled:
                raise TimeoutError
            os.makedirs(self._folder, mode=0o700, exist_ok=True)
            # elfutils names its own partial files likewise.
            descriptor, self._partial = tempfile.mkstemp(dir=self._folder, prefix=f"{self.artifact.kind}.")
            return descriptor, self._partial


_HEADERS = {"User-Agent": f"haproxy-forensics/{__version__}", "Accept": "application/octet-stream, */*"}


def _proxy(scheme: str, host: str) -> tuple[str, int | None] | None:
    """The proxy that the environment names for ``host``."""
    proxy = getproxies().get(scheme)
    if not proxy or proxy_bypass(host):
        return None
    parts = urlsplit(proxy if "//" in proxy else f"//{proxy}")
    return parts.hostname or "", parts.port


def _target(connection: http.client.HTTPConnection, url: str) -> str:
    """What is asked for: a proxy of plain HTTP wants the whole URL."""
    parts = urlsplit(url)
    if parts.scheme == "http" and (connection.host, connection.port) != (parts.hostname, parts.port or 80):
        return url
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _redirected(url: str, location: str) -> str:
    """Where a redirection leads; never from https to http, and to no other scheme."""
    target = urljoin(url, location)
    allowed = ("https",) if url.startswith("https:") else ("http", "https")
    if not location or urlsplit(target).scheme not in allowed:
        raise _Refused(f"it redirects to `{location[:100]}`")
    return target


def _shown(url: str) -> str:
    """A URL without name and password."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}".rstrip("/")


def remove(path: str) -> None:
    """Remove a file that may be gone already."""
    try:
        if path:
            os.unlink(path)
    except OSError:
        return
