"""The culprit in the call traces of logs, which have hints that stacks from cores lack."""

from __future__ import annotations

import re
from collections.abc import Sequence

from forensics.culprit import culprit_index, is_dying
from forensics.logs.trace import TraceFrame
from forensics.names import UNNAMED

_BASE = re.compile(r"([A-Za-z_]\w*)\+0x")


def culprit_frames(frames: Sequence[TraceFrame]) -> tuple[TraceFrame, ...]:
    """The frames from the culprit on; none when the trace shows nothing but dying.

    A BUG_ON trace begins with the asserting function itself, so nothing is cut from it.
    """
    index = culprit_index([_name(frame) for frame in frames], [frame.module for frame in frames])
    return tuple(frames[index:])


def _name(frame: TraceFrame) -> str:
    """A nameless address shown relative to a function of the dump is the dump's own.

    ha_panic.cold shows as ``ha_dump_backtrace+0x1128``: the name is wrong, the neighbourhood is not.
    """
    if frame.function != UNNAMED or frame.module is not None:
        return frame.function
    base = _BASE.match(frame.symbol)
    return base[1] if base and is_dying(base[1]) else frame.function
