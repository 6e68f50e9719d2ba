"""Which lines are worth decoding, and which inputs are logs at all.

A log of gigabytes is searched block by block for all needles at once; lines are looked at only around those
that were found.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Protocol

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
from forensics.logs.carrier import MAX_LINE
from forensics.logs.clues import Clue
from forensics.logs.encoding import TextStream, readable_head
from forensics.logs.framing import Framing
from forensics.logs.happenings import lifecycle
from forensics.logs.json_carrier import MAX_JSON
from forensics.logs.marks import Marks

if TYPE_CHECKING:
    from ahocorasick_rs import BytesAhoCorasick

#: The journal writes messages with odd bytes as arrays of numbers, in which no clue shows.
_OPAQUE = (Clue(b'"MESSAGE":['), Clue(b'"MESSAGE": ['), Clue(b'"MESSAGE" : ['))
_BINARY = (
    b"\x7fELF", b"\x28\xb5\x2f\xfd", b"\x1f\x8b", b"\xfd7zXZ", b"\x04\x22\x4d\x18", b"BZh", b"PK\x03\x04", b"!<arch>",
)  # fmt: skip
#: NUL is allowed in small doses: thread dumps of 2.9 hold some.
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")

CLUES = (
    *bug.CLUES, *trace.CLUES, *thread_dump.CLUES, *panic.CLUES, *master.CLUES, *systemd.CLUES, *kernel.CLUES,
    *out_of_memory.CLUES, *coredump.CLUES, *gdb.CLUES, *mentions.CLUES, *lifecycle.CLUES,
    *_OPAQUE,
)  # fmt: skip
#: So many at most, or the search falls back to a tenth of its speed.
_FAST = 64
NEEDLES = tuple(dict.fromkeys(clue.needle for clue in CLUES))
#: Matches every raw line that a recogniser could begin with, in any carrier.
INTERESTING = re.compile(b"|".join(dict.fromkeys(clue.expression for clue in CLUES)))

#: Not worth a search of the whole log, as these follow what is: frames of a debugger, with all their locals between.
_GOES_ON = re.compile(rb"#\d{1,5}:? {1,4}[0<A-Za-z_?]|curr_task=0|exec_ctx:")

#: Lines decoded after an interesting one whatever they hold: explanations, stream dumps, wrapped frames.
WINDOW = 48
#: A text below this size (bytes) is what somebody pasted: every line of it is read.
PASTE = 1 << 15
#: Bytes searched at once: small enough for the processor's cache, and for an allocator that keeps what is given back:
#: with larger blocks half of the time goes into pages that are mapped anew for each.
BLOCK = 1 << 16


class Readable(Protocol):
    """Something that gives bytes, b"" at its end."""

    def read(self, size: int, /) -> bytes:
        """At most about ``size`` bytes."""


@cache
def _automaton(needles: tuple[bytes, ...]) -> BytesAhoCorasick:
    from ahocorasick_rs import BytesAhoCorasick, MatchKind

    # Only this kind uses the vector instructions that make the search as fast as grep's.
    return BytesAhoCorasick(needles, matchkind=MatchKind.LeftmostFirst)


def needles_in(block: bytes, needles: tuple[bytes, ...] = NEEDLES) -> list[int]:
    """Where needles begin in ``block``, in order; of two that overlap only the first."""
    return [start for _needle, start, _end in _automaton(needles).find_matches_as_indexes(block)]


def _clues_in(block: bytes, framing: Framing) -> tuple[list[int], list[int]]:
    """Where needles begin, and lines that hold one which is broken in two; the latter are among the former."""
    marks, marked = framing.part_marks, []
    if marks and len(NEEDLES) + len(marks) <= _FAST:
        found = _automaton((*NEEDLES, *marks)).find_matches_as_indexes(block)
        marked = [start for needle, start, _end in found if needle >= len(NEEDLES)]
        hits = [start for needle, start, _end in found if needle < len(NEEDLES)]
    else:
        hits, marked = needles_in(block), needles_in(block, marks) if marks else []
    broken = sorted({place for place, text in framing.seams(block, marked) if INTERESTING.search(text)})
    return (sorted({*hits, *broken}) if broken else hits), broken


def telling_units(stream: TextStream, framing: Framing, marks: Marks | None = None) -> Iterator[tuple[int, bytes]]:
    """The units that may matter, each with the number of its first line from 1: those with a clue, and some after each.

    Of a short text these are all. The last pair is the number of lines, and b"". Units are cut at ``MAX_JSON`` bytes.
    ``marks`` gets where blocks begin.
    """
    number = window = lead = 0
    pasted = len(stream.head) < PASTE
    for offset, block, last in blocks(stream, framing):
        if marks is not None:
            marks.add(number, offset, block)
        hits, broken = _clues_in(block, framing)
        at = position = 0
        while position < last:
            while at < len(hits) and hits[at] < position:
                at += 1
            if not window and not pasted:
                if at == len(hits) or hits[at] >= last:
                    break
                start = framing.start(block, position, hits[at])
                number += newlines(block, position, start)
                position, lead = start, hits[at]
            end = min(framing.end(block, position), last)
            unit = block[position:end]
            hit = at < len(hits) and hits[at] < end
            split = bool(broken) and bisect_left(broken, position) < bisect_left(broken, end)
            if split or (hit and INTERESTING.search(unit)) or (window and _GOES_ON.search(unit, 0, MAX_LINE)):
                window = WINDOW
                yield number + 1, unit
            elif window or pasted or end <= lead:
                window = max(0, window - 1)
                yield number + 1, unit
            number += unit.count(b"\n") + (not unit.endswith(b"\n"))
            position = end
            lead = lead if position <= lead else 0
        if position < last:
            number += newlines(block, position, last) + (not block.endswith(b"\n", 0, last))
    yield number, b""


def newlines(block: bytes, start: int, end: int) -> int:
    """How many lines end from ``start`` on and before ``end``.

    Taking line ends out and comparing lengths takes a quarter of the time that counting them does (Python 3.11).
    """
    piece = block[start:end]
    return len(piece) - len(piece.replace(b"\n", b""))


def blocks(stream: Readable, framing: Framing) -> Iterator[tuple[int, bytes, int]]:
    """The stream in blocks: the offset at which one begins, its bytes, and how many of them are whole units.

    What stands behind those begins the next block. What is beyond ``MAX_JSON`` bytes of a unit is left out.
    """
    rest, skipping, offset = b"", False, 0
    while block := stream.read(BLOCK):
        if skipping:
            start = framing.first(block)
            offset += start or len(block)
            if not start:
                continue
            block, skipping = block[start:], False
        end = framing.last(block)
        rest += block
        if end:
            end += len(rest) - len(block)
            yield offset, rest, end
            offset += end
            rest = rest[end:]
        elif len(rest) >= MAX_JSON:
            yield offset, rest[:MAX_JSON] + b"\n", MAX_JSON + 1
            offset += len(rest)
            rest, skipping = b"", True
    if rest:
        yield offset, rest, len(rest)


def looks_like_text(head: bytes) -> bool:
    """Tell whether the first bytes of an input are text: no known binary format, hardly a control character."""
    if head.startswith(_BINARY):
        return False
    head = readable_head(head)
    return len(_CONTROL.findall(head)) <= len(head) // 50


def looks_like_evidence(head: bytes) -> bool:
    """Tell whether the first bytes of an input hold a line that a recogniser would look at."""
    return looks_like_text(head) and INTERESTING.search(readable_head(head)) is not None
