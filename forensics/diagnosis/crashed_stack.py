"""The functions to blame, named the same by every witness of the same crash."""

from __future__ import annotations

from forensics.absence import Absence
from forensics.culprit import culprit_index, is_trampoline
from forensics.evidence.fact import Crash
from forensics.names import UNNAMED, plain_name
from forensics.unwind.frame import Frame, ThreadStack

#: Directories of HAProxy's source tree: a build directory before them says nothing.
_ROOTS = ("src/", "include/", "addons/", "contrib/")


def culprits(crash: Crash) -> tuple[str, ...]:
    """Named functions of the crashed thread from the culprit on, inlined and unnamed ones left out."""
    stack = crash.get("stack")
    if isinstance(stack, Absence) or not isinstance(stack.value, tuple):
        return ()
    return tuple(plain_name(entry) for entry in stack.value if entry != UNNAMED and not entry.startswith("["))


def source_tail(path: str) -> str:
    """The path from HAProxy's own tree on: ``/build/haproxy-2.9/src/task.c`` -> ``src/task.c``."""
    starts = [path.rfind(f"/{root}") + 1 for root in _ROOTS if f"/{root}" in path]
    return path[max(starts) :] if starts else path.removeprefix("./")


def crashed_frames(stacks: tuple[ThreadStack, ...]) -> tuple[Frame, ...]:
    """Physical frames of the crashed thread from the culprit on: signal and libc heads cut off."""
    thread = next((stack for stack in stacks if stack.crashed), None)
    if thread is None:
        return ()
    frames = [frame for frame in thread.frames if not (frame.inlined or frame.tail_call)]
    handlers = [at for at, frame in enumerate(frames) if frame.status == "signal_handler"]
    frames = frames[handlers[-1] + 1 :] if handlers else frames
    frames = frames[culprit_index([_name(frame) for frame in frames], [_file(frame) for frame in frames]) :]
    # A stripped libc does not name its abort: nameless frames of libc on top are the way there.
    while frames and is_trampoline(_name(frames[0]), _file(frames[0])):
        frames = frames[1:]
    return tuple(frames)


def module_offset(frame: Frame) -> str:
    """``haproxy+0x1a2b3c``: how a frame without a name is told apart, within one build."""
    return f"{_file(frame)}+{frame.offset:#x}"


def _name(frame: Frame) -> str:
    return frame.function or UNNAMED


def _file(frame: Frame) -> str:
    return frame.module.rsplit("/", 1)[-1]
