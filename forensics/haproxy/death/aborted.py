"""Deaths by abort(): the watchdog's panic, libc that found memory damaged, libraries that gave up, sanitizers."""

from __future__ import annotations

import re

from forensics.absence import Absence
from forensics.haproxy.death.libc_message import LibcMessage, read_libc_message
from forensics.haproxy.death.panic import (
    TAINTED_LUA_STUCK,
    TAINTED_LUA_STUCK_SHARED,
    TAINTED_TRIM_STUCK,
    below_panic,
    by_watchdog,
    panic_of,
    tainted_with,
)
from forensics.haproxy.death.record import Death
from forensics.haproxy.death.stall import explain, find_stall
from forensics.names import plain_name
from forensics.unwind.backtrace import Process
from forensics.unwind.frame import ThreadStack

_SUBJECT = "abort"
SIGABRT = 6

#: libc functions that end a process whose heap is damaged (malloc/malloc.c).
_HEAP = frozenset(("malloc_printerr", "__malloc_assert"))
_MESSAGE = frozenset(("__libc_message", "__libc_message_impl", "__libc_fatal", "__fortify_fail", "__stack_chk_fail"))
_ABORTED = frozenset(("abort", "__GI_abort", "raise", "__GI_raise", "gsignal", "pthread_kill"))

#: Sanitizers by the namespace of their functions, mangled or not (compiler-rt, libsanitizer).
_SANITIZER = re.compile(r"(?:_ZN?K?\d*)?_*(asan|lsan|msan|tsan|ubsan|hwasan)(?:\d*|::|_)")
_SANITIZERS = {
    "asan": "AddressSanitizer", "hwasan": "HWAddressSanitizer", "msan": "MemorySanitizer", "tsan": "ThreadSanitizer",
    "ubsan": "UndefinedBehaviorSanitizer", "lsan": "LeakSanitizer",
}  # fmt: skip
#: Those that find memory that is used wrongly.
_OF_MEMORY = ("asan", "hwasan")

#: What each kind of libc's message means.
_TOLD = {
    "heap": ("heap_corruption", "libc found the heap damaged and gave up"),
    "overrun": ("heap_corruption", "libc found that a buffer was overrun and gave up"),
    "assertion": ("unknown", "a library's assertion failed"),
    "other": ("unknown", "libc or a library gave up"),
}


def aborted(process: Process, stack: ThreadStack, stacks: tuple[ThreadStack, ...]) -> Death | Absence:
    """The death by abort(); an Absence for any other."""
    functions = {plain_name(frame.function) for frame in stack.frames if frame.function}
    panic = panic_of(process, stack)
    if panic:
        return _panic(process, stack, stacks, panic)
    signal = process.core.signal
    if signal is None or not (signal.number == SIGABRT or functions & (_HEAP | _MESSAGE)):
        return Absence(_SUBJECT, "the process did not abort")
    sanitizer = next((match[1] for name in functions if (match := _SANITIZER.match(name))), "")
    if sanitizer:
        return _sanitized(sanitizer)
    message = read_libc_message(process)
    if isinstance(message, LibcMessage):
        return _told(message, functions)
    heap = next(iter(functions & (_HEAP | _MESSAGE)), "")
    if heap:
        return Death("heap_corruption", explanation="libc found the heap damaged and gave up", evidence=f"{heap}()")
    return _by_library(stack, functions)


def _panic(process: Process, stack: ThreadStack, stacks: tuple[ThreadStack, ...], panic: str) -> Death:
    """The watchdog panics in a signal handler; `debug dev panic` does not."""
    if not by_watchdog(stack):
        return Death("watchdog", explanation="ha_panic() was called by the thread itself, not by the watchdog's signal",
                     evidence=f"{panic}, with no signal handler below it")  # fmt: skip
    stall = find_stall(process, stack, stacks or (stack,), below_panic(stack))
    where = f"{panic}, called in a signal handler"
    evidence = f"{where}; {stall.stuck.evidence}" if stall.stuck.evidence else where
    said = _noted(process, stall.stuck.what)
    return Death("watchdog", explanation=f"{explain(stall)}; the watchdog ended the process{said}", evidence=evidence,
                 stall=stall)  # fmt: skip


def _noted(process: Process, what: str) -> str:
    """What the panic itself noted about a thread (2.9 on), where it agrees with the stack."""
    if what == "lua" and tainted_with(process, TAINTED_LUA_STUCK | TAINTED_LUA_STUCK_SHARED):
        shared = tainted_with(process, TAINTED_LUA_STUCK_SHARED)
        return ", and noted that Lua was running" + (
            ", in the state that all threads share (lua-load)" if shared else ""
        )
    if what == "malloc_trim" and tainted_with(process, TAINTED_TRIM_STUCK):
        return ", and noted that memory was being trimmed"
    return ""


def _sanitized(name: str) -> Death:
    kind = "heap_corruption" if name in _OF_MEMORY else "unknown"
    found = (
        "memory that was used wrongly" if name in _OF_MEMORY else "what it is made to find; its report is in the log"
    )
    return Death(kind, explanation=f"{_SANITIZERS[name]} ended the process: it found {found}",
                 evidence=f"functions of {_SANITIZERS[name]} on the stack")  # fmt: skip


def _told(message: LibcMessage, functions: set[str]) -> Death:
    kind, words = _TOLD[message.about]
    caller = next((name for name in sorted(functions) if name in _HEAP | _MESSAGE), "")
    evidence = f"{message.how}" + (f"; {caller}() on the stack" if caller else "")
    return Death(kind, explanation=f"{words}: `{message.text}`", evidence=evidence, message=message.text,
                 message_from=message.how, message_at=message.address)  # fmt: skip


def _by_library(stack: ThreadStack, functions: set[str]) -> Death | Absence:
    """Nobody left a word: who called abort()."""
    if not functions & _ABORTED:
        return Absence(_SUBJECT, "abort() is not on the stack")
    last = max(at for at, frame in enumerate(stack.frames) if plain_name(frame.function) in _ABORTED)
    caller = stack.frames[last + 1] if last + 1 < len(stack.frames) else None
    library = caller.module.rsplit("/", 1)[-1] if caller is not None else ""
    who = "something called abort(): HAProxy, a library or libc"
    if caller is not None and library and not library.startswith(("libc.", "libc-", "haproxy")):
        who = f"{library} called abort()" + (f" in {plain_name(caller.function)}()" if caller.function else "")
    return Death("unknown", explanation=who, evidence="abort() on the stack")
