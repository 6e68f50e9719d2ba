"""One thread of a dump ("show threads", a panic, a blocked-traffic warning)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from forensics.logs.clues import Clue
from forensics.logs.line import Record
from forensics.logs.trace import (
    MAX_FRAMES,
    TraceFrame,
    indent_of,
    is_trace_header,
    name_by_callers,
    parse_frame,
    parse_symbol,
    same_indent,
)
from forensics.record import record

CLUES = (Clue(b"Thread ", rb"\d{1,5} {0,4}: "), Clue(b"lock_hist:"))

#: Carriers often eat the leading blanks, and with them the first flag column; home-made ones put a stamp before them.
_THREAD = re.compile(
    r"(?:^\s*|(?<=[\]:]))\s{0,2}([* ]?)([> ]?)Thread (\d{1,5})\s{0,4}: (?:id=0x([0-9a-f]{1,16}) )?act="
)
_FLAG = re.compile(r"\b(stuck|harmless|isolated)=(\d)")
_TASK = re.compile(r"\bfct=0x[0-9a-f]{1,16}\(([^()\s]{1,512})\) ctx=(\S{1,512})")
_STREAM_START = re.compile(r"\s{0,64}(?:stream|strm)=")
_STREAM_LINE = re.compile(r"\s{0,64}\.?[A-Za-z][\w.]{0,39}=")
_MAX_STREAM, _MAX_TEXT = 200, 1024


@record
class ThreadDump:
    """What HAProxy wrote about one of its threads.

    ``pthread`` is pthread_t, which is the LWP's fs_base on x86-64 (None up to 2.1).
    ``requested`` marks the thread that asked for the dump, ``stuck`` the ones that the
    watchdog found stuck. ``task_function`` is None on an idle thread and `?` where the
    printed name cannot be trusted. ``lock_history`` (3.2-dev13) is oldest first,
    ``locked`` what is still held. ``stream`` are the raw lines of the stream dump.
    """

    number: int
    pthread: int | None
    requested: bool
    stuck: bool
    harmless: bool
    isolated: bool
    exec_context: str | None
    task_function: str | None
    task_context: str | None
    frames: tuple[TraceFrame, ...]
    lock_history: tuple[str, ...]
    locked: tuple[str, ...]
    stream: tuple[str, ...]
    in_lua: bool
    peer_applet: bool
    line: int


def is_thread_line(text: str) -> bool:
    """Tell whether a line opens the dump of a thread."""
    return "Thread " in text and _THREAD.search(text) is not None


@dataclass(slots=True)
class OpenThread:
    """The dump of a thread while it is being read."""

    number: int
    pthread: int | None
    requested: bool
    line: int
    flags: dict[str, bool]
    exec_context: str | None = None
    task_function: str | None = None
    task_context: str | None = None
    in_lua: bool = False
    peer_applet: bool = False
    frames: list[TraceFrame] = field(default_factory=list)
    locks: tuple[str, ...] = ()
    locked: tuple[str, ...] = ()
    stream: list[str] = field(default_factory=list)
    indent: int = 0

    def feed(self, record: Record) -> None:
        """Read one record; what does not belong to a dump leaves no trace."""
        text = record.text
        if frame := parse_frame(record):
            if len(self.frames) < MAX_FRAMES and same_indent(indent_of(text), self.indent):
                self.frames.append(frame)
        elif is_trace_header(text):
            self.indent = max(self.indent, indent_of(text))
        elif "stuck=" in text and "harmless=" in text:
            self._read_flags(text)
        elif "lock_hist:" in text:
            self._read_locks(text)
        elif "exec_ctx:" in text:
            self.exec_context = text.partition("exec_ctx:")[2].strip()[:_MAX_TEXT]
        elif "Current executing Lua" in text:
            self.in_lua = True
        else:
            self._read_task(text)

    def finish(self) -> ThreadDump:
        """The dump as read so far."""
        return ThreadDump(
            number=self.number,
            pthread=self.pthread,
            requested=self.requested,
            stuck=self.flags.get("stuck", False),
            harmless=self.flags.get("harmless", False),
            isolated=self.flags.get("isolated", False),
            exec_context=self.exec_context,
            task_function=self.task_function,
            task_context=self.task_context,
            frames=name_by_callers(self.frames),
            lock_history=self.locks,
            locked=self.locked,
            stream=tuple(self.stream),
            in_lua=self.in_lua,
            peer_applet=self.peer_applet,
            line=self.line,
        )

    def _read_flags(self, text: str) -> None:
        for name, value in _FLAG.findall(text):
            self.flags[name] = value != "0" or self.flags.get(name, False)

    def _read_locks(self, text: str) -> None:
        history, _, locked = text.partition("lock_hist:")[2].partition(" locked:")
        self.locks, self.locked = tuple(history[:_MAX_TEXT].split()), tuple(locked[:_MAX_TEXT].split())

    def _read_task(self, text: str) -> None:
        self.peer_applet = self.peer_applet or "<PEER>" in text
        if self.task_function is None and not self.stream and (match := _TASK.search(text)):
            self.task_function = parse_symbol(match[1]).function
            self.task_context = match[2]
        elif self._in_stream(text):
            self.stream.append(text.strip()[:_MAX_TEXT])

    def _in_stream(self, text: str) -> bool:
        shape = _STREAM_LINE if self.stream else _STREAM_START
        return not self.frames and len(self.stream) < _MAX_STREAM and shape.match(text) is not None


def open_thread(record: Record) -> OpenThread | None:
    """Begin the dump of a thread at its first line; None for any other line."""
    match = _THREAD.search(record.text) if "Thread " in record.text else None
    if match is None:
        return None
    pthread = int(match[4], 16) if match[4] else None
    return OpenThread(int(match[3]), pthread, match[1] == "*", record.line, {"stuck": match[2] == ">"})
