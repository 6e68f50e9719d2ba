"""Which lines are worth decoding, and which inputs are logs at all."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from forensics.logs import (
    bug,
    coredump,
    gdb,
    kernel,
    master,
    mentions,
    out_of_memory,
    panic,
    systemd,
    thread_dump,
    trace,
)

#: The journal writes messages with odd bytes as arrays of numbers, in which no clue shows.
_OPAQUE = (rb'"MESSAGE"\s?:\s?\[',)
_BINARY = (
    b"\x7fELF", b"\x28\xb5\x2f\xfd", b"\x1f\x8b", b"\xfd7zXZ", b"\x04\x22\x4d\x18", b"BZh", b"PK\x03\x04", b"!<arch>",
)  # fmt: skip
#: NUL is allowed in small doses: thread dumps of 2.9 hold some.
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")


def _alternation(clues: Iterable[bytes]) -> re.Pattern[bytes]:
    """Clues grouped by first byte: the matcher then tries a handful of them at a byte instead of all.

    It also skips bytes that begin no clue, so clues begin with bytes that are rare in traffic
    logs: "xited with code" is cheaper than "exited with code".
    """
    groups: dict[bytes, list[bytes]] = defaultdict(list)
    for clue in sorted(set(clues)):
        head = clue[:2] if clue.startswith(b"\\") else clue[:1]
        groups[head].append(clue[len(head) :])
    return re.compile(b"|".join(head + b"(?:" + b"|".join(tails) + b")" for head, tails in groups.items()))


#: Matches every raw line that a recogniser could begin with, in any carrier.
INTERESTING = _alternation(
    clue
    for clues in (
        bug.CLUES, trace.CLUES, thread_dump.CLUES, panic.CLUES, master.CLUES, systemd.CLUES, kernel.CLUES,
        out_of_memory.CLUES, coredump.CLUES, gdb.CLUES, mentions.CLUES, _OPAQUE,
    )
    for clue in clues
)  # fmt: skip


def looks_like_text(head: bytes) -> bool:
    """Tell whether the first bytes of an input are text: no known binary format, hardly a control character."""
    if head.startswith(_BINARY):
        return False
    return len(_CONTROL.findall(head)) <= len(head) // 50


def looks_like_evidence(head: bytes) -> bool:
    """Tell whether the first bytes of an input hold a line that a recogniser would look at."""
    return looks_like_text(head) and INTERESTING.search(head) is not None
