"""Logs of termination events (3.2): why a connection or a stream ended, four events in a word at most.

Each byte is one event, the newest the lowest: the place in its upper half (with bit 3 for the server's side), the
kind of event there in its lower half. HAProxy prints a letter for the place, a capital for the server's side, and a
digit (tevt_evts2str, connection.h).
"""

from __future__ import annotations

from forensics.absence import Absence
from forensics.haproxy.structs import Struct, TypedMemory

_LETTERS = {"fd": "f", "hs": "h", "xprt": "x", "muxc": "m", "se": "e", "strm": "s"}
_BACK = 0x8
#: The log of what does not keep one.
_NONE = 0xFFFFFFFF


def read_events(struct: Struct) -> str | Absence:
    """The log of a stream, a side, an endpoint or a mux's connection as HAProxy prints it; "" for an empty one."""
    value = struct.number("term_evts_log")
    return value if isinstance(value, Absence) else event_letters(struct.space, value)


def event_letters(space: TypedMemory, value: int) -> str:
    """``eEm3``; a ``-`` for a place that the build's ``enum term_event_loc`` does not name."""
    value &= 0xFFFFFFFF
    if value == _NONE:
        return "-"
    names = {number: name.removeprefix("tevt_loc_") for number, name in space.enumeration("term_event_loc").items()}
    found = ""
    for event in value.to_bytes(4, "big"):
        if event:
            letter = _LETTERS.get(names.get(event >> 4 & ~_BACK, ""), "-")
            found += f"{letter.upper() if event >> 4 & _BACK else letter}{event & 0xF:x}"
    return found
