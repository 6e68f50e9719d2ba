"""A frame as eu-stack prints it, with or without its module, its source line and its build-id.

elfutils, src/stack.c (0.188): `#N 0xADDRESS [ - 1] NAME [ - MODULE]`, where ` - 1` marks a return address with `-v` or
`-a`, and below it, indented, `FILE:LINE[:COLUMN]` (`-s`) or `[BUILD-ID]@0xBASE+0xOFFSET` (`-b`).
"""

from __future__ import annotations

import re

from forensics.logs.gdb_frame import PastedFrame
from forensics.names import UNNAMED, plain_name

_FRAME = re.compile(
    r"\s{0,16}#(\d{1,5}) {1,4}0x([0-9a-f]{1,16})(?: {1,8}- 1)?"
    r"(?: {1,8}(?!- )(?P<name>[^\s()]{1,512}))?(?: - (?P<module>\S{1,1024}))?\s*$"
)
_PLACE = re.compile(r"\s{1,16}([^\s:\[\]]{1,1024}):(\d{1,9})(?::\d{1,9})?\s*$")
_BUILD = re.compile(r"\s{1,16}\[[0-9a-f]{1,64}\](?:@0x[0-9a-f]{1,16}\+0x[0-9a-f]{1,16})?\s*$")


def is_detail(text: str) -> bool:
    """Whether a line can be one that eu-stack prints below a frame."""
    return _PLACE.match(text) is not None or _BUILD.match(text) is not None


def parse_eu_frame(text: str, detail: str, line: int) -> PastedFrame | None:
    """The frame in ``text``, with its source line if ``detail`` tells one; None for any other line."""
    match = _FRAME.match(text)
    if match is None:
        return None
    name = match["name"] or ""
    function = plain_name(name) if name and name != "??" else UNNAMED
    place = _PLACE.match(detail)
    file, number = (place[1], int(place[2])) if place else (None, None)
    address = int(match[2], 16)
    return PastedFrame(int(match[1]), address, function, file, number, match["module"], "", False, line)
