"""What systemd says about the end of a service."""

from __future__ import annotations

import re

from forensics.logs.clues import Clue
from forensics.logs.limits import Kept
from forensics.logs.line import Origin, Record, origin_field
from forensics.logs.signals import known_signal, signal_of_status
from forensics.record import record, replace

CLUES = (Clue(b"exited, code="), Clue(b"Failed with result '"))

_EXIT = re.compile(r"(?:^|\s)(\S{1,256}): (?:Main|Control) process exited, code=(\w{1,16}),? status=(\d{1,5})/")
_RESULT = re.compile(r"(?:^|\s)(\S{1,256}): Failed with result '([\w-]{1,32})'")


@record
class SystemdExit:
    """The end of a unit's main process.

    ``code`` is exited, killed or dumped; ``status`` its exit status or signal number. Under
    a master ``exited`` with 128 plus a signal is the worker's death. ``result`` is systemd's
    verdict ("core-dump", "oom-kill", "watchdog"), None when the log does not have it.
    """

    unit: str
    code: str
    status: int
    signal: str | None
    result: str | None
    line: int
    origin: Origin = origin_field()


class SystemdRecogniser:
    """Collects the ends of services that systemd reported."""

    def __init__(self) -> None:
        self.found: Kept[SystemdExit] = Kept()
        self._last: SystemdExit | None = None

    def feed(self, record: Record) -> None:
        """Read one record."""
        if "process exited, code=" in record.text:
            self._exit(record)
        elif "Failed with result '" in record.text:
            self._result(record)

    def close(self) -> None:
        """Nothing stays open: a result is added to the exit that it follows."""

    def _exit(self, record: Record) -> None:
        if match := _EXIT.search(record.text):
            status = int(match[3])
            signal = signal_of_status(status) if match[2] == "exited" else known_signal(match[3])
            self._last = SystemdExit(match[1], match[2], status, signal, None, record.line, record.origin)
            self.found.append(self._last)

    def _result(self, record: Record) -> None:
        match, last = _RESULT.search(record.text), self._last
        if match and last and last.unit == match[1] and last.result is None:
            self._last = replace(last, result=match[2])
            self.found.amend(last, self._last)
