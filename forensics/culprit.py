"""Where the culprit stands in a stack: below the frames that dying itself adds.

A process that is stopped by a signal, by its watchdog or by libc puts frames of
the stopping on top of the frames that went wrong. The culprit is the first
frame after the last of them, in traces of logs and in stacks of cores alike.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from forensics.names import UNNAMED, plain_name

#: Functions that are on a stack because the process is dying or is being dumped. HAProxy's own come
#: first; `ha_crash_now` is the inlined body of BUG_ON up to 2.7, `complain*` prints it since 3.2; `a_crash` is musl's
#: abort().
_DYING = frozenset(
    """
    ha_backtrace_to_stderr ha_dump_backtrace ha_panic ha_stuck_warning wdt_handler debug_handler
    ha_crash_now abort_with_line complain complain_with_dbg ha_tkill ha_tkillall
    abort raise gsignal pthread_kill tgkill tkill kill my_unreachable
    __libc_message __libc_message_impl __libc_fatal malloc_printerr __fortify_fail __fortify_fail_abort
    __chk_fail __stack_chk_fail __stack_chk_fail_local __assert_fail __assert_fail_base __assert_perror_fail
    __pthread_kill_implementation __pthread_kill_internal __pthread_kill __abort __abort_msg
    a_crash __restore_rt __restore_sigs __restore __kernel_rt_sigreturn __kernel_sigreturn __default_rt_sa_restorer
    """.split()
)
#: Families: every release names the parts of its thread dump anew.
_DYING_FAMILY = re.compile(r"ha_thread_dump|__GI_(?:raise|abort|gsignal|___?pthread_kill|__assert_fail|__libc_)")
#: HAProxy's signal handlers and what they call: below them one frame of libc is the trampoline.
_HANDLER = re.compile(r"ha_|wdt_handler|debug_handler")
#: Functions of libc and of the vdso that read the clock.
_CLOCK = re.compile(r"__vdso_|(?:__|__GI_|__GI___)?(?:clock_gettime|gettimeofday)(?:@|$)")
_VDSO = re.compile(r"(?:.*/)?(?:\[vdso\]|linux-vdso)")
#: gdb prints the boundary; the fault is always below it.
SIGNAL_FRAME = "<signal handler called>"
#: A signal trampoline often has no name in a stripped libc; these are the libraries it may be in.
_TRAMPOLINE_MODULE = re.compile(r"(?:.*/)?(?:libc|libpthread|ld-musl|\[vdso\]|linux-vdso)(?![a-z])")


def is_dying(function: str) -> bool:
    """Tell whether a function is on the stack only because the process was dying or being dumped."""
    name = plain_name(function)
    return name in _DYING or name == SIGNAL_FRAME or _DYING_FAMILY.match(name) is not None


def is_trampoline(function: str, module: str | None) -> bool:
    """Tell whether a frame may be libc's nameless return from a signal handler (``libc:+0x3c050``)."""
    return function == UNNAMED and module is not None and _TRAMPOLINE_MODULE.match(module) is not None


def culprit_index(functions: Sequence[str], modules: Sequence[str | None]) -> int:
    """The index of the culprit; ``len(functions)`` when the stack holds nothing but dying.

    Only the last dying frame counts, because a dumped thread can carry several
    handlers on top of each other. Below a handler one nameless frame of libc is the
    signal trampoline; below an abort all of them are libc's own way there.
    """
    culprit = _below_dying(functions, modules)
    while culprit + 1 < len(functions) and _is_clock(functions[culprit], modules[culprit]):
        culprit += 1
    return culprit


def _below_dying(functions: Sequence[str], modules: Sequence[str | None]) -> int:
    last = max((index for index, name in enumerate(functions) if is_dying(name)), default=-1)
    culprit = last + 1
    if last < 0:
        return culprit
    limit = culprit + 1 if _HANDLER.match(functions[last]) else len(functions)
    while culprit < min(limit, len(functions)) and is_trampoline(functions[culprit], modules[culprit]):
        culprit += 1
    return _below_trampoline(functions, modules, culprit)


def _is_clock(function: str, module: str | None) -> bool:
    """Whether a thread was only looking at the clock there, as loops that wait do: it is not stuck in that.

    The stub in HAProxy's own PLT is none: traces of logs do not name it.
    """
    if function == UNNAMED:
        return _VDSO.match(module or "") is not None
    return _CLOCK.match(function) is not None and (module is None or _TRAMPOLINE_MODULE.match(module) is not None)


def _below_trampoline(functions: Sequence[str], modules: Sequence[str | None], culprit: int) -> int:
    """Below a second trampoline that only nameless frames separate from the first.

    A thread that panics and then dumps itself (2.6) has two handlers on its stack, and
    the functions of the panic between them may be fragments without a name.
    """
    for index in range(culprit, len(functions)):
        if functions[index] != UNNAMED:
            break
        if is_trampoline(functions[index], modules[index]):
            # Directly below the first one it is a function of libc like any other.
            return index + 1 if index > culprit else culprit
        if (modules[index] or "").startswith("lib"):
            break
    return culprit
