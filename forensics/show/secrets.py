"""What answers about streams hide unless it is asked for: addresses, requests, unique ids."""

from __future__ import annotations

from collections.abc import Callable

from forensics.absence import Absence
from forensics.haproxy.sockaddr import SocketAddress
from forensics.report.scrub import text_scrubber


class Secrets:
    """The secrets of one answer; the same one has the same placeholder all over it."""

    def __init__(self, *, hidden: bool) -> None:
        self._scrub: Callable[[str], str] | None = text_scrubber() if hidden else None
        self._requests: dict[tuple[str, str], str] = {}

    def host(self, address: SocketAddress | Absence) -> str:
        """An address without its port; that of the loopback, and paths, stay."""
        if isinstance(address, Absence):
            return ""
        return self._scrub(address.host) if self._scrub else address.host

    def text(self, kind: str, value: str) -> str:
        """``<uri-1>`` for what is all secret."""
        if not self._scrub or not value:
            return value
        count = sum(1 for known, _value in self._requests if known == kind)
        return self._requests.setdefault((kind, value), f"<{kind}-{count + 1}>")
