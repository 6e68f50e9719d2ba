"""What a BSD kernel says of a process that ends by a signal: one line, with neither address nor stack."""

from __future__ import annotations

import re

from forensics.record import record

#: sigexit() of FreeBSD's sys/kern/kern_sig.c: "pid 7 (name), jid 0, uid 80: exited on signal 11 (core dumped)"; the
#: jail is named since 12.0, why there is no core since 14.0.
_EXITED = re.compile(
    r"pid (\d{1,10}) \(([^()\s]{1,64})\), (?:jid \d{1,10}, )?uid \d{1,10}: exited on signal (\d{1,3})\b"
    r"(?: \((no core dump[^()]{0,200})\))?"
)
#: Signals whose numbers are those of BSD (sys/signal.h): 7, 10 and 12 are others on Linux.
_NAMES = {
    4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 8: "SIGFPE", 9: "SIGKILL", 10: "SIGBUS", 11: "SIGSEGV",
    12: "SIGSYS", 15: "SIGTERM", 24: "SIGXCPU", 25: "SIGXFSZ",
}  # fmt: skip
#: The words of strsignal() for numbers that mean something else on Linux.
_WORDS = (("Bus error", "SIGBUS"), ("Bad system call", "SIGSYS"))


@record
class BsdExit:
    """The end of a process. ``number`` is the signal's on BSD; ``refused`` says why there is no core, or is ""."""

    pid: int
    comm: str
    number: int
    signal: str
    refused: str


def parse_bsd_exit(text: str) -> BsdExit | None:
    """The end that a line tells of; None for any other line."""
    match = _EXITED.search(text) if ": exited on signal " in text else None
    if match is None or int(match[3]) not in _NAMES:
        return None
    number = int(match[3])
    return BsdExit(int(match[1]), match[2], number, _NAMES[number], match[4] or "")


def signal_in_words(words: str) -> str | None:
    """The signal that the words for an exit code name, where its number is another signal on Linux."""
    return next((name for said, name in _WORDS if words.startswith(said)), None)
