"""The kernel's out-of-memory killer, and those who repeat what it did."""

from __future__ import annotations

import re

from forensics.logs.clues import Clue
from forensics.logs.limits import Kept
from forensics.logs.line import Origin, Record, origin_field
from forensics.record import record

CLUES = (Clue(b"oom-kill:c"), Clue(b"oom-kill'"), Clue(b"OOMKilled"), Clue(b"memory: Kill"))

#: "Kill process N (comm) score S" on old kernels, "Killed process N (comm)" since 4.x.
_KILLED = re.compile(r"ut of memory: Kill(?:ed)? process (\d{1,10}) \(([^()]{1,64})\)")
_TASK = re.compile(r"\btask=([^,\s]{1,64}),pid=(\d{1,10})")
_RESULT = re.compile(r"(?:^|\s)(\S{1,256}): Failed with result 'oom-kill'")

#: docker writes the word in any case. Lists and events of Kubernetes name the pod on the line.
_DENIED = re.compile(r'OOMKilled\\?"?[:=]\s{0,8}(?:false|0)\b')
_NAMED = re.compile(r"\b(?:haproxy|hapee)[\w.-]{0,128}")
_HEAD = 2048


@record
class OutOfMemory:
    """A process killed for want of memory: no crash. ``pid`` is None where only an orchestrator says so."""

    pid: int | None
    comm: str
    line: int
    origin: Origin = origin_field()


class OutOfMemoryRecogniser:
    """Collects the victims of the out-of-memory killer; one that is told twice in a row counts once."""

    def __init__(self) -> None:
        self.found: Kept[OutOfMemory] = Kept()

    def feed(self, record: Record) -> None:
        """Read one record."""
        victim, last = _victim(record), self.found.last
        if victim is not None and not (last and victim.pid is not None and last.pid == victim.pid):
            self.found.append(victim)

    def close(self) -> None:
        """Nothing stays open: every victim is one line."""


def _victim(record: Record) -> OutOfMemory | None:
    text = record.text
    if "memory: Kill" in text and (match := _KILLED.search(text)):
        return OutOfMemory(int(match[1]), match[2], record.line, record.origin)
    if "oom-kill:" in text and (match := _TASK.search(text)):
        return OutOfMemory(int(match[2]), match[1], record.line, record.origin)
    if "result 'oom-kill'" in text and (match := _RESULT.search(text)):
        return OutOfMemory(None, match[1].removesuffix(".service"), record.line, record.origin)
    if "OOMKilled" not in text or _DENIED.search(text):
        return None
    named = _NAMED.search(text[:_HEAD])
    return OutOfMemory(None, named[0] if named else record.identifier or "", record.line, record.origin)
