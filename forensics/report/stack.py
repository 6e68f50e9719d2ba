"""The stack of one thread as lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from forensics.report.document import StackFrame, Thread
from forensics.report.lines import Line, clipped, wrapped
from forensics.report.safe_text import one_line
from forensics.report.words import culprit_position, frame_place

#: Frames shown of a deep stack: the top names the culprit, the bottom who started it.
_TOP, _BOTTOM = 30, 4

#: How a frame was found, where that makes it less than certain.
_DOUBT = {"scan": "?", "frame_pointer": "~"}

#: Why a stack ends when nothing is wrong with it (forensics/unwind/walk.py).
_NORMAL_ENDS = ("main() reached", "the outermost frame", "the return address is 0")

#: Lines up with the names of frames.
_BELOW_NAME = " " * 10

_LEGEND = "? found by searching the stack, may be wrong; ~ found by frame pointers"


def stack_lines(
    thread: Thread, width: int, below: Sequence[Sequence[Line]] = (), *, mark: bool = True, brief: bool = False
) -> Iterator[Line]:
    """One line a frame; the culprit is marked with ``>``, frames of the dying above it are dimmed.

    ``below`` are lines that belong under each frame, in the order of the frames. Without ``mark``
    no frame is called the culprit, as in a thread that did nothing; ``brief`` says only of an
    unusual end why the stack ends. Below a frame without a name stands what is inferred of it, dimmed.
    """
    culprit = culprit_position(thread.frames) if mark else -1
    names = max((len(_name(frame)) for frame in thread.frames), default=0)
    column = min(names, width // 2)
    for position, frame in _shown(thread.frames):
        if frame is None:
            yield Line("dim", f"    ... {len(thread.frames) - _TOP - _BOTTOM} frames left out")
            continue
        style = "dim" if position < culprit else "culprit" if position == culprit else "plain"
        yield Line(style, clipped_frame(frame, position == culprit, column, width))
        if frame.hint and not frame.function:
            yield from wrapped(one_line(frame.hint), width, "dim", _BELOW_NAME)
        yield from below[position] if position < len(below) else ()
    if any(frame.trust in _DOUBT for frame in thread.frames):
        yield Line("dim", f"  ({_LEGEND})")
    if thread.stop and not (brief and thread.stop.startswith(_NORMAL_ENDS)):
        yield from wrapped(f"the stack ends here: {thread.stop}", width, "dim", "  ")


def clipped_frame(frame: StackFrame, culprit: bool, column: int, width: int) -> str:
    """``> #3   stktable_requeue_exp   src/stick_table.c:612``, cut at the width."""
    mark = ">" if culprit else _DOUBT.get(frame.trust, " ")
    number = "    " if frame.inlined else f"#{frame.index:<3}"
    text = f" {mark} {number} {clipped(_name(frame), column):<{column}}  {one_line(frame_place(frame))}".rstrip()
    return text if len(text) <= width else f"{text[: width - 3]}..."


def _name(frame: StackFrame) -> str:
    return f"[{frame.name}]" if frame.inlined else one_line(frame.name)


def _shown(frames: Sequence[StackFrame]) -> Iterator[tuple[int, StackFrame | None]]:
    """Each frame with its position; None stands for those left out."""
    for position, frame in enumerate(frames):
        if len(frames) <= _TOP + _BOTTOM or position < _TOP or position >= len(frames) - _BOTTOM:
            yield position, frame
        elif position == _TOP:
            yield position, None
