"""Frames as others than gdb print them: lldb, valgrind, and backtrace_symbols() of libc."""

from __future__ import annotations

import re

from forensics.logs.gdb_frame import PastedFrame
from forensics.names import UNNAMED, plain_name
from forensics.record import record

#: Index of a frame that is printed without a number.
UNNUMBERED = -1

#: `* frame #0: 0x000055a2e4ce1d16 haproxy`__task_queue(task=0x..) at task.c:285:2`
_LLDB = re.compile(r"[\s*]{0,16}frame #(\d{1,5}): 0x([0-9a-f]{1,16})(?: ([^\s`]{1,256})`(.{1,8192}))?")
_LLDB_PLACE = re.compile(r" at ([^\s:]{1,1024}):(\d{1,9})(?::\d{1,9})?(?: \[[a-z]{1,16}\]){0,4}\s*$")
#: C++ and inlined names hold blanks; HAProxy's do not.
_LLDB_NAME = re.compile(r"(?:[\w.$@]{1,512} (\[inlined\]) )?([\w.$@]{1,512})")
_LLDB_THREAD = re.compile(
    r"(\s{0,16}\*?) {0,4}thread #(\d{1,5})(?:: tid = (\d{1,10}))?(?=,|\s*$)(?:.{0,512}?stop reason = (.{1,256}))?"
)
_LLDB_SIGNAL = re.compile(r"signal (SIG[A-Z]{2,7})\b|(EXC_[A-Z_]{3,24})\b(?: \(code=(\w{1,32}))?")
#: Exceptions of Mach and the signals that they become (bsd/uxkern/ux_exception.c of XNU); code 1 of a bad access is
#: KERN_INVALID_ADDRESS, all others are SIGBUS.
_EXCEPTIONS = {
    "EXC_BAD_ACCESS": "SIGBUS", "EXC_BAD_INSTRUCTION": "SIGILL", "EXC_ARITHMETIC": "SIGFPE",
    "EXC_BREAKPOINT": "SIGTRAP", "EXC_SOFTWARE": "SIGABRT", "EXC_CRASH": "SIGABRT",
}  # fmt: skip
#: backtrace_symbols_fd() of libc: `/usr/sbin/haproxy(stream_free+0xe8)[0x563a46f17d58]`, `[0x7f7f1c9f5615]`.
_SYMBOLS = re.compile(
    r"\s{0,16}(?P<module>[^\s()\[\]]{1,512})?"
    r"(?:\((?P<name>[^\s()+]{0,512})(?:\+0x(?P<offset>[0-9a-f]{1,16}))?\))? ?\[0x(?P<address>[0-9a-f]{1,16})\]\s*$"
)
#: `==7==    at 0x43437B: stream_free (stream.c:60)`, `==7==    by 0x4C2FB55: calloc (in /usr/lib/vgpreload.so)`.
_VALGRIND = re.compile(
    r"==\d{1,10}==\s{1,16}(at|by) 0x([0-9A-F]{1,16}): (\S{1,512})"
    r" \((?:in ([^()\s]{1,512})|([^()\s:]{1,512}):(\d{1,9}))\)\s*$"
)
_BARE = re.compile(r"\s{0,16}0x([0-9a-f]{6,16})\s*$")


@record
class ForeignThread:
    """The line with which lldb begins a thread.

    ``selected`` marks the current one; ``lwp`` is None where it is not told.
    """

    number: int
    selected: bool
    lwp: int | None
    signal: str | None


def parse_foreign_thread(text: str) -> ForeignThread | None:
    """The thread that a line of lldb's `bt all` begins; None for any other line."""
    match = _LLDB_THREAD.match(text) if "thread #" in text else None
    if match is None:
        return None
    lwp = int(match[3]) if match[3] else None
    return ForeignThread(int(match[2]), "*" in match[1], lwp, _stopped_by(match[4] or ""))


def _stopped_by(reason: str) -> str | None:
    """The signal that lldb gives as the reason for which a thread stopped."""
    match = _LLDB_SIGNAL.search(reason)
    if match is None or match[1]:
        return match[1] if match else None
    return "SIGSEGV" if match[2] == "EXC_BAD_ACCESS" and match[3] == "1" else _EXCEPTIONS.get(match[2])


def parse_foreign_frame(text: str, line: int, listed: bool) -> PastedFrame | None:
    """The frame that a line shows, None for any other line. ``listed`` allows lines that are an address and no more."""
    if "frame #" in text and (match := _LLDB.match(text)):
        return _lldb(int(match[1]), int(match[2], 16), match[3], (match[4] or "").strip(), line)
    if "[0x" in text and (match := _SYMBOLS.match(text)):
        if not (match["module"] or listed):
            return None
        name = plain_name(match["name"] or "") or UNNAMED
        address = int(match["address"], 16)
        offset = int(match["offset"], 16) if match["offset"] else None
        return PastedFrame(UNNUMBERED, address, name, None, None, match["module"], "", False, line, offset)
    if listed and "0x" in text and (match := _BARE.match(text)):
        return PastedFrame(UNNUMBERED, int(match[1], 16), UNNAMED, None, None, None, "", False, line)
    return None


def parse_valgrind_frame(text: str, line: int) -> PastedFrame | None:
    """The frame that a line of valgrind shows, None for any other line; the first of a stack counts from 0."""
    match = _VALGRIND.match(text.lstrip()) if "== " in text else None
    if match is None:
        return None
    name = UNNAMED if match[3] == "???" else plain_name(match[3])
    number = int(match[6]) if match[6] else None
    index = 0 if match[1] == "at" else UNNUMBERED
    return PastedFrame(index, int(match[2], 16), name, match[5], number, match[4], "", False, line)


def _lldb(index: int, address: int, module: str | None, rest: str, line: int) -> PastedFrame:
    place, name = _LLDB_PLACE.search(rest[-2048:]), _LLDB_NAME.match(rest)
    symbol = name[2] if name else ""
    # Where there is no symbol, lldb makes one up, or prints the module alone.
    function = UNNAMED if not symbol or symbol.startswith("___lldb_unnamed") else plain_name(symbol)
    arguments = rest.partition("(")[2].rpartition(")")[0][:8192]
    file, number = (place[1], int(place[2])) if place else (None, None)
    return PastedFrame(index, address, function, file, number, module, arguments, bool(name and name[1]), line)
