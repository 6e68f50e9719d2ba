"""How a process died, by the signal and the functions of a stack that a debugger or a collector wrote."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from forensics.absence import Absence
from forensics.culprit import is_dying
from forensics.evidence.fact import Fact
from forensics.source import Source

#: glibc's functions that end a process whose heap is damaged, or a buffer of which was overrun (malloc/, debug/).
_DAMAGED = frozenset(("malloc_printerr", "__malloc_assert", "__fortify_fail", "__stack_chk_fail", "__chk_fail"))
#: musl ends the process in a_crash() (src/internal/atomic.h): those that call it find the heap damaged (src/malloc/).
_MUSL_HEAP = frozenset(
    "get_meta get_nominal_size nontrivial_free alloc_slot try_avail __libc_free free realloc __libc_realloc".split()
)
_NEAR = 4


def kind_of(signal: str | None, functions: Sequence[str], source: Source) -> Fact | Absence:
    """The kind of death that signal and functions show, the innermost first."""
    if "ha_panic" in functions or "wdt_handler" in functions:
        return Fact("crash.kind", "watchdog", source, "derived")
    if _found_damaged(functions):
        return Fact("crash.kind", "heap_corruption", source, "derived")
    if "ha_crash_now" in functions or "abort_with_line" in functions or signal == "SIGILL":
        return Fact("crash.kind", "bug_on", source, "derived")
    if signal in ("SIGSEGV", "SIGBUS", "SIGFPE"):
        return Fact("crash.kind", "segfault", source, "derived")
    return Absence("crash.kind", "neither signal nor functions of the backtrace say how it died", "the worker's log")


def signal_of(signal: str | None, functions: Sequence[str], source: Source) -> Iterator[Fact]:
    """The signal that is told, or that of abort() where abort() is on the stack of the dying thread."""
    if signal:
        yield Fact("crash.signal", signal, source)
    elif any(name in ("abort", "__GI_abort") for name in functions):
        yield Fact("crash.signal", "SIGABRT", source, "derived")


def _found_damaged(functions: Sequence[str]) -> bool:
    """Whether libc itself found its heap damaged and gave up."""
    if functions[:1] == ["a_crash"] and _MUSL_HEAP & set(functions[1:_NEAR]):
        return True
    dying = [name for name in functions if is_dying(name)]
    return bool(_DAMAGED & set(dying)) or "__malloc_assert" in functions[: len(dying) + _NEAR]
