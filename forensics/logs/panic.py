"""The panic of the watchdog: its header, one dump a thread, its notes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from forensics.logs.clues import Clue
from forensics.logs.limits import Kept
from forensics.logs.line import Origin, Record, origin_field
from forensics.logs.thread_dump import OpenThread, ThreadDump, open_thread
from forensics.record import record

CLUES = (
    Clue(b"kill the process"), Clue(b"WARNING! thread"), Clue(b"gracefully recover"), Clue(b"### Note"),
)  # fmt: skip

#: "PANIC!" since 3.3-dev4, the pid since 3.2.6; thread numbers are tid + 1.
_HEADER = re.compile(r"\bThread (\d{1,5}) is about to kill the process(?: \(pid (\d{1,10})\))?")
#: MAX_THREADS of the largest builds.
_MAX_THREADS = 1024
_MAX_NOTES = 100
_MAX_TEXT = 4096


@record
class Panic:
    """A panic. ``thread`` is None when the log starts below the header.

    ``pid``, ``version`` and ``features`` are there since 3.2.6 and 3.3-dev4. Up to 3.0 only
    stuck threads have frames. Between 16 kB of the dump and its end threads may be lost up
    to 2.7.
    """

    thread: int | None
    pid: int | None
    version: str | None
    features: str | None
    threads: tuple[ThreadDump, ...]
    notes: tuple[str, ...]
    line: int
    origin: Origin = origin_field()

    @property
    def panicking(self) -> ThreadDump | None:
        """The dump of the thread that panicked, None where it was lost."""
        own = (dump for dump in self.threads if dump.number == self.thread)
        return next(own, None) or next((dump for dump in self.threads if dump.requested), None)

    @property
    def on_purpose(self) -> bool:
        """The watchdog panics on stuck threads only: one that runs the CLI and is not stuck was told to panic."""
        own = self.panicking
        return own is not None and not own.stuck and "<CLI>" in f"{own.exec_context} {own.task_context}"


@dataclass(slots=True)
class _Open:
    """A panic, or a warning of blocked traffic, while it is being read."""

    thread: int | None
    pid: int | None
    origin: Origin
    warning: bool = False
    version: str | None = None
    features: str | None = None
    current: OpenThread | None = None
    threads: list[ThreadDump] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def end_thread(self) -> None:
        if self.current is not None and len(self.threads) < _MAX_THREADS:
            self.threads.append(self.current.finish())
        self.current = None

    def finish(self) -> Panic:
        self.end_thread()
        threads, notes = tuple(self.threads), tuple(self.notes)
        known = (self.thread, self.pid, self.version, self.features)
        return Panic(*known, threads, notes, self.origin.line, self.origin)


class PanicRecogniser:
    """Collects the panics of a log; dumps below a warning of blocked traffic are no panic."""

    def __init__(self) -> None:
        self.found: Kept[Panic] = Kept()
        self._open: _Open | None = None

    def feed(self, record: Record) -> None:
        """Read one record."""
        text = record.text
        if header := _HEADER.search(text) if "is about to kill" in text else None:
            self.close()
            pid = int(header[2]) if header[2] else None
            self._open = _Open(int(header[1]), pid, record.origin)
        elif "has stopped processing traffic for" in text:
            self.close()
            self._open = _Open(None, None, record.origin, warning=True)
        elif dump := open_thread(record):
            self._begin_thread(dump, record)
        elif self._open is not None:
            self._continue(self._open, record)

    def close(self) -> None:
        """End the open panic."""
        if self._open is not None and not self._open.warning:
            panic = self._open.finish()
            weight = sum(1 + len(thread.frames) + len(thread.stream) for thread in panic.threads)
            # `show threads` prints the same of a process that lives.
            if panic.thread is not None or any(thread.stuck for thread in panic.threads):
                self.found.append(panic, 1 + weight)
        self._open = None

    def _begin_thread(self, dump: OpenThread, record: Record) -> None:
        if self._open is None:
            self._open = _Open(None, None, record.origin)
        self._open.end_thread()
        self._open.current = dump

    def _continue(self, opened: _Open, record: Record) -> None:
        text = record.text.strip()
        if "Trying to gracefully recover now" in text:
            self._open = None
        elif text.startswith("Hint: ") or " exited with code " in text or '" matched at ' in text:
            self.close()
        elif text.startswith("### Note"):
            opened.notes.extend([text[:_MAX_TEXT]] if len(opened.notes) < _MAX_NOTES else [])
        elif opened.current is not None:
            opened.current.feed(record)
        else:
            _read_info(opened, text)


def _read_info(opened: _Open, text: str) -> None:
    """The block "HAProxy info" between the header and the first thread (3.3-dev4)."""
    if text.startswith("version: "):
        opened.version = opened.version or text.removeprefix("version: ").strip()[:_MAX_TEXT]
    elif text.startswith("features: "):
        opened.features = opened.features or text.removeprefix("features: ").strip()[:_MAX_TEXT]
