"""Why the watchdog struck: which threads were stuck, in what, and whether one of them waits for another one."""

from __future__ import annotations

import re
from collections.abc import Sequence

from forensics.absence import Absence
from forensics.haproxy.death.memory_text import iter_texts
from forensics.haproxy.death.record import Stall
from forensics.haproxy.death.stuck import WAITS, interrupted, stuck_in, stuck_text
from forensics.haproxy.locks.waits import iter_waits
from forensics.haproxy.occupation import BUSY, CRASHED, IDLE, STOPPED, occupation_of
from forensics.haproxy.state import State
from forensics.haproxy.structs import TypedMemory
from forensics.unwind.backtrace import Process
from forensics.unwind.frame import Frame, ThreadStack

#: TH_FL_STUCK of ha_thread_ctx[].flags since 2.5, TI_FL_STUCK of ha_thread_info[].flags before: the same bit
#: (include/haproxy/tinfo-t.h).
_STUCK = 1
#: Where the flags are, newest first: array and structure.
_FLAGS = (("ha_thread_ctx", "thread_ctx"), ("ha_thread_info", "thread_info"))

#: A line of a thread dump, as all releases write it: `*` is the thread that asked, `>` a stuck one.
_DUMPED = re.compile(rb"([* ])([> ])Thread (\d{1,4}) {0,3}: id=0x[0-9a-f]{1,16} act=")

#: Suspects that an explanation names.
_MOST_NAMED = 3


def find_stall(
    process: Process, crashed: ThreadStack, stacks: Sequence[ThreadStack], below: Sequence[Frame] = ()
) -> Stall:
    """The stall behind the panic of ``crashed``; ``below`` are its frames under the panic."""
    marked, source, trust = _marked(process, stacks)
    # The thread that panics is as a rule the stuck one; up to 3.0 another one's timer may have ended in it.
    subject = crashed
    if marked and crashed.number not in marked:
        subject = next((one for one in stacks if one.number == min(marked)), crashed)
    stuck = stuck_in(process, subject, below=below if subject is crashed else ())
    suspects: tuple[int, ...] = ()
    if stuck.what in WAITS:
        # A wait shows in the code that spins, also where that has no name.
        waiting = {one.lwp for one in iter_waits(State(process, tuple(stacks)))}
        others = (one for one in stacks if one is not subject and one.lwp not in waiting)
        suspects = tuple(one.number for one in others if _may_hold(one, process))
    return Stall(stuck, len(marked), source, stuck.what in WAITS, suspects, trust)


def _marked(process: Process, stacks: Sequence[ThreadStack]) -> tuple[frozenset[int], str, str]:
    """Numbers of the threads that the watchdog had marked as stuck, where that was read, and how far to trust it."""
    space = TypedMemory(process)
    for variable, struct in _FLAGS:
        flags = [one.number("flags") for one in space.array(variable, struct, most=len(stacks))]
        if flags and not any(isinstance(one, Absence) for one in flags):
            numbers = frozenset(at for at, one in enumerate(flags, 1) if isinstance(one, int) and one & _STUCK)
            if numbers:
                return numbers, f"flags of {variable}[]", space.trust
    dumped = {
        int(one.groups[2]): one.groups[1] for one in iter_texts(process.core.memory, b": id=0x", _DUMPED, most=4096)
    }
    numbers = frozenset(number for number, mark in dumped.items() if mark == ">")
    return numbers, "thread dumps in memory" if dumped else "", "read"


def _may_hold(stack: ThreadStack, process: Process) -> bool:
    """Whether the thread was at work, and neither idle nor waiting itself."""
    occupation = occupation_of([frame.function for frame in interrupted(stack)])
    if occupation.rank == IDLE:
        return False
    return occupation.rank in (CRASHED, STOPPED, BUSY) and stuck_in(process, stack).what not in (*WAITS, "poller")


def explain(stall: Stall) -> str:
    """The stall as one sentence."""
    stuck = stall.stuck
    said = stuck_text(stuck)
    if stall.victim:
        said += f"; {_culprit(stall)}"
    others = stall.number - 1
    return said + (f"; {others} more {'threads were' if others > 1 else 'thread was'} stuck" if others > 0 else "")


def _culprit(stall: Stall) -> str:
    if not stall.suspects:
        return "no other thread was at work: what it waits for was not given back, or it has it itself"
    named = ", ".join(map(str, stall.suspects[:_MOST_NAMED]))
    more = f" and {len(stall.suspects) - _MOST_NAMED} more" if len(stall.suspects) > _MOST_NAMED else ""
    plural = "s" if len(stall.suspects) > 1 else ""
    return f"it is a victim: thread{plural} {named}{more} at work may have what it waits for"
