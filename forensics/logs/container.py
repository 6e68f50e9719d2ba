"""What docker and Kubernetes say of a container that ended: its exit code, and whether memory ran out."""

from __future__ import annotations

import re

from forensics.logs.limits import Kept
from forensics.logs.line import Origin, Record, origin_field
from forensics.record import record, replace

#: `kubectl describe`, its YAML and JSON, `docker inspect`: keys with capitals or without, quoted or not.
_KEY = r'\s{0,128}(?:- )?"?'
_NAMED = re.compile(_KEY + r'([Ii]mage|[Nn]ame|[Pp]ath|Pod)"?:[ \t]{0,24}"?([^\s",]{1,256})')
_CODE = re.compile(_KEY + r'[Ee]xit ?[Cc]ode"?:[ \t]{0,24}(\d{1,3})\b')
_REASON = re.compile(_KEY + r'[Rr]eason"?:[ \t]{0,24}"?([A-Za-z]\w{0,63})')
_KILLED = re.compile(_KEY + r'OOMKilled"?:[ \t]{0,4}true\b')
#: `docker ps -a`, and what docker compose says of a service.
_LISTED = re.compile(r"[^(]{0,512}\bExited \((\d{1,3})\) ")
_COMPOSE = re.compile(r"\s{0,8}(\S{1,128}) exited with code (\d{1,3})\s*$")
#: haproxy_exporter of Prometheus is a program of its own.
_OURS = re.compile(r"(?:haproxy|hapee)(?![_-]export)", re.IGNORECASE)
OUT_OF_MEMORY = "OOMKilled"
_PENDING = 16


@record
class ContainerExit:
    """A container of HAProxy that ended with the exit code of a signal. ``reason`` is the orchestrator's word."""

    code: int
    reason: str
    line: int
    origin: Origin = origin_field()


class ContainerRecogniser:
    """Collects ends of containers of HAProxy; what stands around an end tells whose it is."""

    def __init__(self) -> None:
        self.found: Kept[ContainerExit] = Kept()
        self._ours: bool | None = None
        self._reason = ""
        self._pending: list[ContainerExit] = []

    def feed(self, record: Record) -> None:
        """Read one record."""
        text = record.text
        if match := _NAMED.match(text):
            self._name(match[1].lower(), match[2])
        elif match := _REASON.match(text):
            self._because(match[1], record.line)
        elif _KILLED.match(text):
            self._reason = OUT_OF_MEMORY
        elif match := _CODE.match(text):
            self._end(int(match[1]), self._ours, record)
            self._reason = ""
        elif "xited" in text and (match := _LISTED.match(text)):
            self._end(int(match[1]), _is_ours(text), record)
        elif "exited with code" in text and (match := _COMPOSE.match(text)):
            self._end(int(match[2]), _is_ours(match[1]), record)
        elif self._pending and self._ours is None and _is_ours(text):
            self._name("name", text)

    def close(self) -> None:
        """Ends of containers of which nothing says that they were HAProxy's do not count."""
        self._pending = []

    def _name(self, key: str, value: str) -> None:
        if _is_ours(value):
            self._ours = True
            for one in self._pending:
                self.found.append(one)
            self._pending = []
        elif key == "image":
            self._ours = False

    def _because(self, reason: str, line: int) -> None:
        """The reason of the next code, or of the one right above: YAML has its keys in the order of letters."""
        last = self.found.last
        if last is not None and line - last.line == 1 and not last.reason:
            self.found.amend(last, replace(last, reason=reason))
        else:
            self._reason = reason

    def _end(self, code: int, ours: bool | None, record: Record) -> None:
        if not 128 < code < 192:
            return
        end = ContainerExit(code, self._reason, record.line, record.origin)
        if ours:
            self.found.append(end)
        elif ours is None and len(self._pending) < _PENDING:
            self._pending.append(end)


def _is_ours(text: str) -> bool:
    return _OURS.search(text) is not None
