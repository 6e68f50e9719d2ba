"""Whether an abort() was HAProxy's panic, and who called for it (ha_panic(), src/debug.c; wdt_handler(), src/wdt.c)."""

from __future__ import annotations

import re

from forensics.absence import Absence
from forensics.elf.module import Module
from forensics.haproxy.death.memory_text import find_text
from forensics.haproxy.structs import TypedMemory
from forensics.names import plain_name
from forensics.unwind.backtrace import SIGNAL_HANDLER, Process
from forensics.unwind.frame import Frame, ThreadStack

#: Functions that are on a stack for the panic's sake.
_PANIC = re.compile(r"ha_panic$|wdt_handler$|debug_parse_cli_panic$|ha_stuck_warning$")
_ABORT = re.compile(r"_*(?:GI_)?(?:abort|raise|gsignal|pthread_kill\w*|tgkill)$|__pthread_kill_\w+$")
#: TAINTED_PANIC of 2.9-dev9 and later, and its companions, which the panic sets when it dumps a thread (tools-t.h).
TAINTED_PANIC, TAINTED_LUA_STUCK, TAINTED_LUA_STUCK_SHARED, TAINTED_TRIM_STUCK = 0x200, 0x400, 0x800, 0x1000
#: The panic's first line; up to 2.8 the buffer still holds it, later ones overwrite it with what follows.
_TEXT = re.compile(rb"(?:PANIC! )?Thread \d{1,4} is about to kill the process")


def panic_of(process: Process, stack: ThreadStack) -> str:
    """What shows that the thread's abort() was a panic, "" when nothing does."""
    names = [plain_name(frame.function) for frame in stack.frames]
    named = next((name for name in names if _PANIC.match(name)), "")
    if named:
        return f"{named}() on the stack"
    if not _aborted_by_itself(process, stack):
        return ""
    if tainted_with(process, TAINTED_PANIC):
        return "abort() called by HAProxy's own code, and its mark of a panic (`tainted` 0x200)"
    text = find_text(process.core.memory, b" is about to kill the process", _TEXT)
    return (
        ""
        if isinstance(text, Absence)
        else (f"abort() called by HAProxy's own code, and the text of a panic in a buffer at {text.address:#x}")
    )


def below_panic(stack: ThreadStack) -> tuple[Frame, ...]:
    """The frames of the code that called for the panic, or that the watchdog's signal interrupted."""
    frames = stack.frames
    last = max((at for at, frame in enumerate(frames)
                if frame.function == SIGNAL_HANDLER or _PANIC.match(plain_name(frame.function))
                or _ABORT.match(plain_name(frame.function))), default=-1)  # fmt: skip
    return frames[last + 1 :]


def by_watchdog(stack: ThreadStack) -> bool:
    """Whether a signal handler called for it: the watchdog's own, or the one that it makes other threads run."""
    return any(
        frame.function == SIGNAL_HANDLER or plain_name(frame.function) == "wdt_handler" for frame in stack.frames
    )


def tainted_with(process: Process, bits: int) -> bool:
    """Whether the process has these marks of trouble (``tainted``; a static variable in 2.4, absent before)."""
    found = TypedMemory(process).number("tainted", 4)
    return isinstance(found, int) and bool(found & bits)


def _aborted_by_itself(process: Process, stack: ThreadStack) -> bool:
    """Whether the first frames are libc's abort(), and the next one is HAProxy's."""
    signal = process.core.signal
    # Where libc's file is not at hand its functions have no names: SIGABRT is all that tells.
    named = any(_ABORT.match(plain_name(frame.function)) for frame in stack.frames)
    aborted = not named and signal is not None and signal.number == 6
    for frame in stack.frames:
        module = process.module_at(frame.pc)
        if isinstance(module, Module) and module.main:
            return aborted
        aborted = aborted or bool(_ABORT.match(plain_name(frame.function)))
    return False
