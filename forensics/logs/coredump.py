"""The message of systemd-coredump: a stack of every thread, unwound when the process died."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from forensics.logs.clues import Clue
from forensics.logs.limits import Kept
from forensics.logs.line import Origin, Record, origin_field
from forensics.logs.signals import known_signal
from forensics.names import UNNAMED, plain_name
from forensics.record import record

CLUES = (Clue(b") of user "), Clue(b"Stack trace of thread"), Clue(b"COREDUMP_", b"[PCS]"))

_HEADER = re.compile(
    r"Process (\d{1,10}) \(([^()]{1,64})\) of user \S{1,64}"
    r" (?:dumped core|terminated abnormally with signal (\d{1,3})/)"
)
_THREAD = re.compile(r"\s*Stack trace of thread (\d{1,10}):")
#: The offset in the module is there since v247; "n/a" stands for no symbol.
_FRAME = re.compile(
    r"\s*#(\d{1,4})\s{1,4}0x([0-9a-f]{1,16}) (\S{1,512}) \(([^()]{1,512}?)(?: \+ 0x([0-9a-f]{1,16}))?\)\s*$"
)
_FIELD = re.compile(r"\s*COREDUMP_(PID|COMM|SIGNAL|SIGNAL_NAME)=(\S{1,64})")
_INFO_SIGNAL = re.compile(r"\s*Signal: (\d{1,3}) \(")
#: Lines of `coredumpctl info` from the signal to the message.
_INFO_LINES = 24
#: systemd's own limits are 64 frames of 64 threads.
_MAX_THREADS, _MAX_FRAMES = 256, 256


@record
class CoredumpFrame:
    """One frame. ``module_offset`` counts from the module's load address (v247), None before."""

    index: int
    address: int
    function: str
    module: str
    module_offset: int | None
    line: int


@record
class CoredumpThread:
    """The stack of one thread."""

    lwp: int
    frames: tuple[CoredumpFrame, ...]


@record
class CoredumpReport:
    """A core that systemd-coredump stored. The crashed thread comes first.

    ``signal`` is None in the text of recent versions; the journal's fields have it.
    """

    pid: int
    comm: str
    signal: str | None
    threads: tuple[CoredumpThread, ...]
    line: int
    origin: Origin = origin_field()


@dataclass(slots=True)
class _Open:
    """A report while it is being read."""

    pid: int
    comm: str
    signal: str | None
    origin: Origin
    lwp: int | None = None
    frames: list[CoredumpFrame] = field(default_factory=list)
    threads: list[CoredumpThread] = field(default_factory=list)

    def begin(self, lwp: int | None) -> None:
        """End the current thread, and begin that of ``lwp``."""
        if self.lwp is not None and len(self.threads) < _MAX_THREADS:
            self.threads.append(CoredumpThread(self.lwp, tuple(self.frames)))
        self.lwp, self.frames = lwp, []

    def add(self, frame: CoredumpFrame) -> None:
        if self.lwp is not None and len(self.frames) < _MAX_FRAMES:
            self.frames.append(frame)


class CoredumpRecogniser:
    """Collects the reports of systemd-coredump, of any program."""

    def __init__(self) -> None:
        self.found: Kept[CoredumpReport] = Kept()
        self._open: _Open | None = None
        self._fields: dict[str, str] = {}
        #: Signal and line of what `coredumpctl info` prints above the message.
        self._above: tuple[str | None, int] = (None, 0)

    def feed(self, record: Record) -> None:
        """Read one record."""
        text = record.text
        if "Signal: " in text and (info := _INFO_SIGNAL.match(text)):
            self._above = known_signal(info[1]), record.line
        if "COREDUMP_" in text and (known := _FIELD.match(text)):
            self._read_field(known[1], known[2])
        elif "Process " in text and (header := _HEADER.search(text)):
            self._begin(int(header[1]), header[2], header[3], record.origin)
        elif self._open is not None:
            self._continue(self._open, record)

    def close(self) -> None:
        """End the open report."""
        if (opened := self._open) is not None:
            opened.begin(None)
            threads = tuple(opened.threads)
            weight = 1 + sum(1 + len(thread.frames) for thread in threads)
            report = CoredumpReport(opened.pid, opened.comm, opened.signal, threads, opened.origin.line, opened.origin)
            self.found.append(report, weight)
        self._open, self._fields = None, {}

    def _read_field(self, name: str, value: str) -> None:
        """Fields precede the message in JSON and may follow it in an export."""
        self._fields[name] = value
        if self._open is not None and self._fields.get("PID") == str(self._open.pid):
            self._open.signal = self._open.signal or self._signal()

    def _signal(self) -> str | None:
        return known_signal(self._fields.get("SIGNAL_NAME") or self._fields.get("SIGNAL") or "")

    def _begin(self, pid: int, comm: str, number: str | None, origin: Origin) -> None:
        fields = self._fields
        self.close()
        self._fields = fields
        signal = known_signal(number or "") or (self._signal() if fields.get("PID") == str(pid) else None)
        above, where = self._above
        signal = signal or (above if 0 < origin.line - where <= _INFO_LINES else None)
        self._above = None, 0
        self._open = _Open(pid, comm, signal, origin)

    def _continue(self, opened: _Open, record: Record) -> None:
        if thread := _THREAD.match(record.text):
            opened.begin(int(thread[1]))
        elif frame := _parse_frame(record):
            opened.add(frame)
        elif info := _INFO_SIGNAL.match(record.text):
            opened.signal = opened.signal or known_signal(info[1])


def _parse_frame(record: Record) -> CoredumpFrame | None:
    match = _FRAME.match(record.text) if "#" in record.text else None
    if match is None:
        return None
    name = UNNAMED if match[3] == "n/a" else plain_name(match[3])
    offset = int(match[5], 16) if match[5] else None
    return CoredumpFrame(int(match[1]), int(match[2], 16), name, match[4], offset, record.line)
