"""Single lines that say something of the process: its version, its path, the words of a library that aborts."""

from __future__ import annotations

import re
from collections.abc import Iterable

from forensics.logs.clues import Clue
from forensics.logs.limits import Kept
from forensics.logs.line import Origin, Record, origin_field
from forensics.logs.report_lines import DETAILS, REPORT_FAR, REPORT_LINES
from forensics.record import record

CLUES = (
    Clue(b"xy version "), Clue(b"executable is "), Clue(b"Status: ", b"[lsdEou]"), Clue(b"*** "),
    Clue(b"corruption ("), Clue(b"vs. prev"), Clue(b"linked list"), Clue(b"(): "), Clue(b"glibc error"),
    Clue(b"Assertion `"), Clue(b"Sanitizer: "), Clue(b"PANIC: "), Clue(b"SSL internal"), Clue(b"FATAL: "),
    Clue(b"A bogus "), Clue(b"Contents around first"), Clue(b"'debug dev "), Clue(b"_cli_"), Clue(b"ProblemType: "),
)  # fmt: skip

#: What ends a process by itself, and says so in a line of its own.
FATAL_MENTIONS = frozenset({"libc abort", "asan", "lua", "openssl", "pool", "spinning"})


@record
class Mention:
    """One line worth knowing.

    ``what`` is one of: version, executable, status, libc abort, asan, lua, openssl, pool, spinning,
    blocked traffic warning, deliberate, unexpected death, all exited, core refused, inconsistent library, watchdog
    disabled, startup failure, refused start, exit on failure; those of `ProcessRecogniser`; or what a line
    of a report tells (see ``report_lines.DETAILS``).
    """

    what: str
    value: str
    line: int
    origin: Origin = origin_field()


_MAX_VALUE = 1024
_VALUE = rf"(.{{1,{_MAX_VALUE}}})"
#: glibc's own words, at the start of a line and nothing before them (malloc/malloc.c, debug/).
_LIBC = (
    r"(?:\*\*\* (?:Error in `|stack smashing detected|buffer overflow detected|longjmp causes)|Fatal glibc error: "
    r"|double free or corruption \(|corrupted (?:size vs\. prev_size|double-linked list)|malloc\(\): "
    r"|malloc_consolidate\(\): |realloc\(\): |free\(\): |munmap_chunk\(\): ).{0,1024}"
)
_OURS = r"\((?:haproxy|hapee)[^()\s]{0,64}\)"
#: The word after "Status: ", of any release.
_STATUS = r"(?:long-term supported|stable branch|development branch|End of life|old|unknown).{0,256}"
_REDEFINED = r"[^']{1,512}' brings a different and inconsistent definition of symbol '[^']{1,256}"
#: The tag of an image of HAProxy; those of its ingress controller count otherwise.
_IMAGE = r"\"?(?:\S{1,256}/)?haproxy(?:-(?:debian|alpine|ubuntu))?:(\d\d?\.\d{1,2}(?:\.\d{1,3}|-dev\d{1,3}))(?![\d.])"
_BLOCKED = r"thread \d{1,5} has stopped processing traffic for \d{1,20} milliseconds"
#: Each shape behind a plain substring, so that a line which is nothing costs next to nothing.
_SHAPES: tuple[tuple[str, str, re.Pattern[str]], ...] = tuple(
    (what, guard, re.compile(pattern))
    for what, guard, pattern in (
        ("version", "haproxy version is ", r"haproxy version is (\S{1,128})"),
        ("version", "Proxy version ", r"(?:^|\s)HA-?Proxy version (\d\S{0,127})"),
        ("executable", "path to executable is ", rf"path to executable is {_VALUE}"),
        ("executable", "ExecutablePath: ", rf"^ExecutablePath: {_VALUE}"),
        ("version", "Package: haproxy ", r"^Package: haproxy (\d\S{0,127})"),
        ("status", "Status: ", rf"^\s*Status: ({_STATUS})"),
        ("libc abort", "", rf"^\s*({_LIBC})"),
        ("libc abort", "Assertion `", r"^(.{0,768}Assertion `.{1,512}' failed)"),
        ("asan", "AddressSanitizer: ", r"ERROR: (?:HW)?AddressSanitizer: ([\w-]{1,64})"),
        ("lua", "unprotected error", rf"PANIC: unprotected error in call to Lua API {_VALUE}"),
        ("openssl", "nternal error", r"((?:OPENSSL|OpenSSL) internal error: .{0,512})"),
        ("pool", "pool inconsistency", r"pool inconsistency detected in thread \d{1,5}: (.{1,128})"),
        ("pool", "Contents around first", r"(Contents around first corrupted address) relative to pool item"),
        ("spinning", "is spinning at ", r"A bogus (\w{1,32} \[[^\]]{0,64}\] is spinning at \d{1,20} calls per second)"),
        ("blocked traffic warning", "has stopped processing traffic for ", rf"({_BLOCKED})"),
        ("unexpected death", "unexpectedly died", r"(A worker process unexpectedly died and .{1,200})"),
        ("all exited", "All workers exited", r"All workers exited\. Exiting\.\.\. \((\d{1,3})\)"),
        ("core refused", "RLIMIT_CORE", r"Process \d{1,10}\s?\(haproxy\) (has RLIMIT_CORE set to 1)"),
        ("core refused", "no core dump - ", rf"pid \d{{1,10}} {_OURS}, .{{1,64}} \((no core dump - [^()]{{1,128}})\)"),
        ("core refused", " pipe failed", r"(\|\S{1,256} pipe failed)"),
        ("inconsistent library", "inconsistent def", rf"shared library '({_REDEFINED})'"),
        ("watchdog disabled", "watchdog timer", r"(Failed to setup watchdog timer for thread \d{1,5})"),
        ("startup failure", "to allocate pool", r"(Failed to allocate pool '[^']{1,256}'.{0,512})"),
        ("refused start", "parsing [", r"\[ALERT\] .{1,40}: (parsing \[[^\]]{1,1024}\]\s{0,2}: .{1,512})"),
        ("refused start", "annot bind ", r"\[ALERT\] .{1,40}: ((?:Starting|Binding) .{1,512}annot bind .{1,256})"),
        ("exit on failure", "exit-on-failure: ", r"(exit-on-failure: killing .{1,64})"),
        ("version", "mage:", rf"\b[Ii]mage:[ \t]{{1,24}}{_IMAGE}"),
        ("deliberate", "'debug dev ", r"triggered on purpose from the CLI '(debug dev \w{1,64})"),
    )
)
#: Up to 2.9 nothing says that a command did it, except the command's own function on the stack.
_COMMAND = re.compile(r"\bdebug_(?:parse|run)_cli_([a-z]{1,32})(?=[ '),]|\+0x[0-9a-f]{1,16}/|$)")


class MentionRecogniser:
    """Collects the mentions of a log."""

    def __init__(self) -> None:
        self.found: Kept[Mention] = Kept()
        self._report: str | None = None
        self._report_began = self._own_lines = 0

    def feed(self, record: Record) -> None:
        """Read one record."""
        self._own_lines += 1
        self._search(_SHAPES, record)
        near = self._own_lines <= REPORT_LINES and record.line - self._report_began <= REPORT_FAR
        if self._report is not None and near:
            self._search(DETAILS[self._report], record)
        self._search_command(record)

    def _search(self, shapes: Iterable[tuple[str, str, re.Pattern[str]]], record: Record) -> None:
        text = record.text
        for what, guard, shape in shapes:
            if guard in text and (match := shape.search(text)):
                self.found.append(Mention(what, match[1].strip(), record.line, record.origin))
                if what in DETAILS:
                    self._report, self._report_began, self._own_lines = what, record.line, 0

    def _search_command(self, record: Record) -> None:
        text = record.text
        if "_cli_" in text and (command := _COMMAND.search(text)):
            self.found.append(Mention("deliberate", f"debug dev {command[1]}", record.line, record.origin))

    def close(self) -> None:
        """Nothing stays open: every mention is one line."""
