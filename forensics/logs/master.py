"""What the master says about its children, and a BSD kernel about any process."""

from __future__ import annotations

import re

from forensics.logs.bsd_exit import parse_bsd_exit, signal_in_words
from forensics.logs.clues import Clue
from forensics.logs.limits import Kept
from forensics.logs.line import Origin, Record, origin_field
from forensics.logs.signals import signal_of_status
from forensics.record import record

CLUES = (Clue(b"exited with code "),)

#: `#n` after "worker" up to 2.4; a program section has a name (2.0-3.2).
_EXIT = re.compile(
    r"\b(Current worker|Former worker|Failed to load worker|(?:Current|Former) program '[^']{0,256}'|Process)"
    r" (?:#\d{1,9} )?\(?(\d{1,10})\)? exited with code (\d{1,9}) \(([^()]{0,64})\)"
)
_OURS = ("haproxy", "hapee")
_ROLES = {"Current worker": "current", "Former worker": "former", "Failed to load worker": "failed"}


@record
class WorkerExit:
    """The end of a child of the master.

    ``role`` is current, former (kept after a reload), failed (died while starting), other
    (a program section, an unknown child) or process (told by a BSD kernel, which knows no roles).
    ``signal`` is the name ("SIGILL") of the signal in the code, None for an ordinary exit.
    """

    pid: int
    code: int
    signal: str | None
    role: str
    line: int
    origin: Origin = origin_field()


class WorkerExitRecogniser:
    """Collects the ends of workers that the master reported."""

    def __init__(self) -> None:
        self.found: Kept[WorkerExit] = Kept()

    def feed(self, record: Record) -> None:
        """Read one record."""
        text = record.text
        if " exited with code " in text and (match := _EXIT.search(text)):
            role, code = _ROLES.get(match[1], "other"), int(match[3])
            signal = signal_in_words(match[4]) or signal_of_status(code)
            self.found.append(WorkerExit(int(match[2]), code, signal, role, record.line, record.origin))
        elif (ended := parse_bsd_exit(text)) and ended.comm.startswith(_OURS):
            code = 128 + ended.number
            self.found.append(WorkerExit(ended.pid, code, ended.signal, "process", record.line, record.origin))

    def close(self) -> None:
        """Nothing stays open: every exit is one line."""
