"""The "call trace" block: one line a frame, as HAProxy prints its own stack since 2.2."""

from __future__ import annotations

import re
from collections.abc import Sequence

from forensics.logs.clues import Clue
from forensics.logs.line import Record
from forensics.names import UNNAMED, plain_name
from forensics.record import field, record, replace

#: HAProxy captures 100 frames at most.
MAX_FRAMES = 128

#: Addresses are right-aligned in 14 columns: of 12 digits in a PIE, of 6 or 7 elsewhere, of 10 below qemu.
CLUES = (
    Clue(b"call trace(", rb"\d{1,3}\):"),
    *(Clue(b"|" + b" " * blanks + b"0x", b"[0-9a-f]") for blanks in (1, 3, 6, 7)),
)

_HEADER = re.compile(r"\s*call trace\((\d{1,5})\):")
#: Up to 3.1 the eight bytes AT the address stand in [], from 3.2-dev11 and 3.1.7 those BEFORE it in <].
_FRAME = re.compile(
    r"\|\s{1,16}0x([0-9a-f]{1,16}) ([\[<](?:[0-9a-f]{2}|--)(?: (?:[0-9a-f]{2}|--)){0,31}[\]>]):"
    r" (\S{1,512})(?: > (\S{1,512}))?"
)
_SYMBOL = re.compile(
    r"(?:(?P<module>[^:\s]{1,256}):)?(?P<name>[^:+\s]*?)"
    r"(?:(?P<sign>[+-])(?:0x)?(?P<offset>[0-9a-f]{1,16}))?(?:/0x(?P<size>[0-9a-f]{1,16}))?$"
)


@record
class TraceFrame:
    """One line of a call trace.

    ``function`` is the plain name where it can be trusted and `?` otherwise; ``symbol``
    is the text as printed. ``offset`` counts from the symbol, or from the load address
    of ``module`` when there is no symbol. ``callee`` is the function that the frame was
    calling, where the trace prints it (3.2-dev11, 3.1.7) and it can be trusted. ``code`` are the bytes
    that the trace shows, b"" where it could not read them; they begin ``code_at`` bytes from ``address``.
    ``places`` is what an executable tells of it: ``function at file:line``, inlined ones in brackets before it.
    """

    address: int
    function: str
    symbol: str
    offset: int | None
    size: int | None
    callee: str | None
    module: str | None
    line: int
    code: bytes = field(default=b"", compare=False)
    code_at: int = field(default=0, compare=False)
    places: tuple[str, ...] = field(default=(), compare=False)


@record
class Symbol:
    """A printed symbol (``lib:name+0xOFF/0xSIZE``) taken apart; ``function`` is `?` where it lies."""

    function: str
    offset: int | None
    size: int | None
    module: str | None


def is_trace_header(text: str) -> bool:
    """Tell whether a line opens a call trace."""
    return "call trace(" in text and _HEADER.match(text) is not None


def announced_frames(text: str) -> int:
    """How many frames the header of a call trace announces; those of the dump itself are among them."""
    match = _HEADER.match(text)
    return int(match[1]) if match else 0


def indent_of(text: str) -> int:
    """The blanks before a line: those of a thread dump's trace are more. Some carriers take them off: 0."""
    return len(text) - len(text.lstrip(" "))


def same_indent(one: int, other: int) -> bool:
    """Whether a frame can belong to a trace by the blanks before both."""
    return one == other or not one or not other


def parse_frame(record: Record) -> TraceFrame | None:
    """The frame that a line of a call trace shows; None for any other line."""
    match = _FRAME.search(record.text) if "0x" in record.text and "|" in record.text else None
    if match is None:
        return None
    symbol = parse_symbol(match[3])
    callee = parse_symbol(match[4]).function if match[4] else UNNAMED
    code = bytes.fromhex(match[2][1:-1]) if "-" not in match[2] else b""
    return TraceFrame(
        address=int(match[1], 16),
        function=symbol.function,
        symbol=match[3],
        offset=symbol.offset,
        size=symbol.size,
        callee=None if callee == UNNAMED else callee,
        module=symbol.module,
        line=record.line,
        code=code,
        code_at=-len(code) if match[2].startswith("<") else 0,
    )


def parse_symbol(text: str) -> Symbol:
    """Take a printed symbol apart, and decide whether to believe its name.

    dladdr() knows exported symbols only. A static function or a .cold fragment shows as
    the exported symbol before it, and then no size is printed, because the address lies
    beyond it: such a name says nothing.
    """
    match = _SYMBOL.match(text)
    if match is None:
        return Symbol(UNNAMED, None, None, None)
    size = int(match["size"], 16) if match["size"] else None
    offset = int(match["sign"] + match["offset"], 16) if match["offset"] else None
    within = not offset or (size is not None and 0 <= offset <= size)
    name = plain_name(match["name"]) if within else ""
    return Symbol(name or UNNAMED, offset, size, match["module"])


def name_by_callers(frames: Sequence[TraceFrame]) -> tuple[TraceFrame, ...]:
    """Give nameless frames of the executable the name under which their caller called them.

    The call instruction names a static function or the parent of a .cold fragment, which
    the frame's own symbol cannot. (A tail call may hide one more function behind it.)
    """
    callers: tuple[TraceFrame | None, ...] = (*frames[1:], None)
    return tuple(
        replace(frame, function=caller.callee)
        if caller and caller.callee and frame.function == UNNAMED and frame.module is None
        else frame
        for frame, caller in zip(frames, callers, strict=False)
    )
