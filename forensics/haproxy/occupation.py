"""What a thread was doing, from the names of its innermost functions: the order in which threads are worth reading."""

from __future__ import annotations

import re
from collections.abc import Sequence

from forensics.culprit import SIGNAL_FRAME, is_dying
from forensics.names import plain_name
from forensics.record import record

#: Most telling first.
CRASHED, STOPPED, WAITING, BUSY, IDLE = range(5)

#: Where HAProxy sleeps until something happens: its pollers (src/ev_*.c), and what libc calls them by.
_POLLERS = re.compile(r"(?:__(?:GI_|libc_)?)?(?:epoll_p?wait2?|p?poll|p?select|kevent|port_getn)(?:_nocancel|64)?$")

#: Locks that wait: progressive locks (include/import/plock.h), HAProxy's spin locks, libc's and futexes.
_LOCKS = re.compile(
    r"pl_wait|__pl_wait|pl_take_[rsw]$|__lll_lock_wait|___?pthread_(?:mutex|rwlock|spin)\w*lock|__pthread_mutex_lock"
    r"|pthread_(?:mutex|rwlock|spin)\w*lock|(?:__)?futex(?:_\w+)?$|__ha_barrier|__spin_lock|__ha_rwlock|_lock_wait"
)
#: A thread that wants to be the only one, or that lets another be it (src/thread.c).
_ISOLATION = re.compile(r"thread_isolate|thread_harmless_till_end|thread_sync_release|ha_thread_relax|thread_idle_")

_SLEEPS = re.compile(
    r"(?:__(?:GI_|libc_|GI___)?)?(?:(?:clock_)?nanosleep|usleep|pause|sigsuspend|sigwait\w*|wait4|waitpid)$"
)
_BARRIERS = re.compile(r"(?:__)?_?pthread_(?:cond_(?:timed)?wait|join|barrier_wait|clockjoin)|__pthread_clockjoin")

#: The watchdog and the panic (src/wdt.c, src/debug.c).
_STOPPING = re.compile(r"ha_panic|wdt_handler|ha_stuck_warning|debug_handler|ha_thread_dump")

#: System calls stand within the first frames: libc's wrappers and HAProxy's macros are inlined around them.
_INNERMOST = 5


@record
class Occupation:
    """``rank`` orders threads, most telling first; ``words`` say what this one did."""

    rank: int
    words: str


def occupation_of(functions: Sequence[str]) -> Occupation:
    """The occupation of a thread with these functions, innermost first; "" stands for one without a name."""
    below = _below_handler(functions)
    doing = _doing([name for name in below if not is_dying(name)])
    if len(below) == len(functions):
        return doing
    handler = next((name for name in functions if _STOPPING.match(plain_name(name))), "")
    if not handler:
        return Occupation(min(doing.rank, STOPPED), f"in a signal handler; before: {doing.words}")
    # The panic interrupts every thread to dump it: what counts is what it was doing then.
    if doing.rank == IDLE:
        return Occupation(IDLE, f"{doing.words}, when it was made to dump itself")
    return Occupation(STOPPED, f"{doing.words}, when {plain_name(handler)}() interrupted it")


def _below_handler(functions: Sequence[str]) -> Sequence[str]:
    """The functions that ran when the last signal came, all of them where none did."""
    places = [place for place, name in enumerate(functions) if name == SIGNAL_FRAME]
    return functions[places[-1] + 1 :] if places else functions


def _doing(functions: Sequence[str]) -> Occupation:
    names = [plain_name(name) for name in functions]
    for name in names[:_INNERMOST]:
        if _POLLERS.match(name):
            return Occupation(IDLE, f"idle in {_bare(name)}")
    if names[:1] == [""] and next((name for name in names if name), "") == "_do_poll":
        return Occupation(IDLE, "idle in the poller")  # what it calls lies in a libc that has no names
    for name in names[:_INNERMOST]:
        if _STOPPING.match(name):
            return Occupation(STOPPED, f"in {name}")
        if _ISOLATION.match(name):
            return Occupation(WAITING, f"waits for the other threads ({name})")
        if _BARRIERS.match(name):
            return Occupation(IDLE, f"waits in {_bare(name)}")
        if _LOCKS.match(name):
            return Occupation(WAITING, f"waits for a lock ({name})")
        if _SLEEPS.match(name):
            return Occupation(IDLE, f"sleeps in {_bare(name)}")
    named = next((name for name in names if name), "")
    named = _bare(named) if named.startswith(("__GI_", "__libc_")) else named
    return Occupation(BUSY, f"busy in {named}" if named else "busy, in code without a name")


def _bare(name: str) -> str:
    """``__GI___nanosleep`` as manuals call it."""
    return re.sub(r"^_*(?:GI_|libc_)?_*", "", name)
