"""One frame as gdb prints it, put together again from the lines it was wrapped to."""

from __future__ import annotations

import re

from forensics.culprit import SIGNAL_FRAME
from forensics.names import UNNAMED, plain_name
from forensics.record import record

_START = re.compile(r"\s*#(\d{1,5})\s{1,4}(?=0x[0-9a-f]{1,16}(?: |$)|<signal|[A-Za-z_?])")
_ADDRESS = re.compile(r"0x([0-9a-f]{1,16}) (in )?")
_AT = re.compile(r"\s*at (.{1,1024}):(\d{1,9})\s*$", re.DOTALL)
_FROM = re.compile(r"\s*from (\S{1,1024})\s*$")
#: AddressSanitizer: `#1 0x55 in fn /path/file.c:12:3`, `#2 0x7f in fn (/lib/libc.so.6+0x29d8f)`.
_ASAN = re.compile(r"([^\s:]{1,1024}):(\d{1,9})(?::\d{1,9})?$")
_ASAN_MODULE = re.compile(r"\(([^()\s+]{1,1024})\+0x[0-9a-f]{1,16}\)$")
_BARE_ADDRESS = re.compile(r"0x([0-9a-f]{1,16})(?: - 1)?$")
_BARE_NAME = re.compile(r"[A-Za-z_][\w.@]{0,255}(?: - 1)?$")
#: Terminals cut at 80 columns; a line that is shorter was not cut.
_TERMINAL = 79
_MAX_TEXT, _MAX_LINES = 8192, 60


@record
class PastedFrame:
    """One frame of a pasted backtrace.

    ``address`` is None where gdb prints none. ``inlined_guess``: gdb leaves the address out
    of a frame when the frame above it is inlined into it. ``offset`` counts from the function, where libc printed it,
    or from the load address of ``module`` where there is no function.
    """

    index: int
    address: int | None
    function: str
    file: str | None
    line_number: int | None
    module: str | None
    args: str
    inlined_guess: bool
    line: int
    offset: int | None = None


class _Quotes:
    """Knows which characters stand in the strings and characters that gdb prints."""

    def __init__(self) -> None:
        self._quote = ""
        self._escaped = False
        self._before = ""

    def outside(self, char: str) -> bool:
        """Take the next character, and tell whether it is outside of quotes (an apostrophe in a word is no quote)."""
        inside = bool(self._quote)
        if self._escaped:
            self._escaped = False
        elif inside:
            self._escaped = char == "\\"
            self._quote = "" if char == self._quote else self._quote
        elif char == '"' or (char == "'" and not self._before.isalnum()):
            self._quote = char
        self._before = char
        return not inside


class FrameText:
    """The text of a frame while its lines come in."""

    def __init__(self, text: str, line: int) -> None:
        self.line = line
        self._parts = [text.strip()]
        self._size = len(text)
        self._last = len(text)
        self._depth = 0
        self._quotes = _Quotes()
        self._opened = False
        self._scan(text)

    def take(self, text: str) -> bool:
        """Append a line if it continues the frame."""
        if self._size + len(text) > _MAX_TEXT or len(self._parts) >= _MAX_LINES or not self._wants(text):
            return False
        cut = self._last >= _TERMINAL and not text.startswith(" ")
        part = text.strip() if cut else f" {text.strip()}"
        self._parts.append(part)
        self._size += len(part)
        self._last = len(text)
        self._scan(part)
        return True

    def text(self) -> str:
        """The frame on one line."""
        return "".join(self._parts)

    def _wants(self, text: str) -> bool:
        stripped, cut = text.strip(), self._last >= _TERMINAL
        if not stripped:
            return False
        if self._depth > 0 or not self._opened:
            return self._opened or cut
        tail = self._parts[-1]
        if stripped.startswith(("at ", "from ")):
            return " at " not in tail[-1024:] and " from " not in tail[-1024:] and tail.endswith(")")
        return tail.endswith((" at", " from")) or (cut and " " not in stripped and not tail.endswith(")"))

    def _scan(self, text: str) -> None:
        """Follow parentheses through new text only, so that the whole stays linear."""
        for char in text:
            if not self._quotes.outside(char):
                continue
            if char == "(":
                self._depth, self._opened = self._depth + 1, True
            elif char == ")":
                self._depth = max(0, self._depth - 1)


def frame_start(text: str) -> int | None:
    """The index of the frame that a line begins, None for any other line."""
    match = _START.match(text) if "#" in text else None
    return int(match[1]) if match else None


def parse_pasted_frame(text: str, line: int, bare: bool = False) -> PastedFrame | None:
    """The frame in the unwrapped ``text``; ``bare`` allows eu-stack's, which have a name or nothing else."""
    start = _START.match(text)
    if start is None:
        return None
    rest = text[start.end() :].strip()
    index = int(start[1])
    if rest.startswith(SIGNAL_FRAME):
        return PastedFrame(index, None, SIGNAL_FRAME, None, None, None, "", False, line)
    if bare and (nameless := _BARE_ADDRESS.match(rest)):
        return PastedFrame(index, int(nameless[1], 16), UNNAMED, None, None, None, "", False, line)
    address = _ADDRESS.match(rest)
    if address is None:
        return _parse_call(index, None, rest, line)
    where, rest = int(address[1], 16), rest[address.end() :].strip()
    if address[2]:
        return _parse_call(index, where, rest, line) or _parse_asan(index, where, rest, line)
    if bare and _BARE_NAME.match(rest):
        return PastedFrame(index, where, plain_name(rest.removesuffix(" - 1")), None, None, None, "", False, line)
    return None


def _parse_call(index: int, address: int | None, rest: str, line: int) -> PastedFrame | None:
    """``fn (args) at file:line`` or ``fn (args) from module``."""
    name, opening, inner = rest.partition(" (")
    if not opening or not name or " " in name:
        return None
    end = _closing(inner)
    args, tail = inner[:end], inner[end + 1 :]
    at, module = _AT.match(tail), _FROM.match(tail)
    if address is None and not (at or module or end < len(inner)):
        return None
    if address is not None and inner.startswith("/") and not at and not module:
        return None
    function = UNNAMED if name == "??" else plain_name(name)
    file, number = (at[1], int(at[2])) if at else (None, None)
    return PastedFrame(index, address, function, file, number, module[1] if module else None, args, False, line)


def _closing(text: str) -> int:
    """Where the argument list ends; the length of the text when it was cut."""
    depth, quotes = 1, _Quotes()
    for position, char in enumerate(text):
        if quotes.outside(char) and char in "()":
            depth += 1 if char == "(" else -1
            if depth == 0:
                return position
    return len(text)


def _parse_asan(index: int, address: int, rest: str, line: int) -> PastedFrame | None:
    name, _, place = rest.partition(" ")
    at, module = _ASAN.match(place), _ASAN_MODULE.match(place)
    if not name or not (at or module):
        return None
    file, number = (at[1], int(at[2])) if at else (None, None)
    return PastedFrame(index, address, plain_name(name), file, number, module[1] if module else None, "", False, line)
