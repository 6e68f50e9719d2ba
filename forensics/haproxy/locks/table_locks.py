"""Locks of stick-tables at the moment of death: which one the crashed thread waits for, and who may hold one.

The word of a lock does not say whose it is. That a thread holds none is certain where nobody does; that it holds one
follows only where no other thread can.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from forensics.absence import Absence
from forensics.haproxy.plock import LockWord
from forensics.haproxy.queued_task import QueuedTask
from forensics.haproxy.stick_table import StickTable, TableLock
from forensics.names import plain_name
from forensics.record import record
from forensics.unwind.frame import Frame, ThreadStack

#: The slow paths of plock.h, and libc's yield, which they call.
_WAITING = re.compile(r"(?:__)?pl_wait_|(?:__)?sched_yield$")
#: Code that works below locks of stick-tables.
_TABLE_CODE = re.compile(
    r"_*(?:stktable_|stksess_|process_tables?_expire|cli_io_handler_table|table_|peer_|smp_fetch_sc|http_action_track_sc)"
)
#: Innermost physical frames in which the address of a lock that is waited for can be.
_FRAMES = 3


@record
class AwaitedLock:
    """The lock of a table that a thread waits for; ``how`` says where its address was found."""

    table: StickTable
    lock: TableLock
    how: str


def awaited_lock(frames: Sequence[Frame], tables: Sequence[StickTable], names: dict[int, str]) -> AwaitedLock | Absence:
    """The lock that a thread with these ``frames`` (innermost first) waits for, if it is one of a table.

    ``names`` are those of the registers.
    """
    known = {lock.address: (table, lock) for table in tables for lock in table.locks}
    for frame in waiting_frames(frames):
        found = {value: number for number, value in sorted(frame.registers.items()) if value in known}
        # Nobody waits for a lock that is free.
        held = [value for value in found if not known[value][1].word.free]
        if held:
            table, lock = known[held[0]]
            where = frame.function or "the innermost frame"
            return AwaitedLock(table, lock, f"register {names.get(found[held[0]], '?')} of {where}")
    return Absence("lock that is waited for", "no frame of the wait holds the address of a stick-table's lock")


def waiting_frames(frames: Sequence[Frame]) -> Iterator[Frame]:
    """The frames of the wait, and the function whose code it may be inlined into; none for a thread that works."""
    physical = [frame for frame in frames if not frame.tail_call][: _FRAMES + 2]
    waits = [bool(frame.function and _WAITING.match(plain_name(frame.function))) for frame in physical]
    nameless = [not frame.function for frame in physical]
    for place, frame in enumerate(physical[:_FRAMES]):
        if waits[place]:
            if not frame.inlined:
                yield frame
            continue
        if nameless[place] and place + 1 < len(physical) and _is_table_code(physical[place + 1]):
            yield frame  # the slow path is a static function
            continue
        if _is_table_code(frame) and not any(waits) and not any(nameless[:place]):
            yield frame  # until 2.6 the whole loop is inlined
        return


def _is_table_code(frame: Frame) -> bool:
    return bool(frame.function) and _TABLE_CODE.match(plain_name(frame.function)) is not None


def requeue_window(word: LockWord, others: Sequence[ThreadStack]) -> str | Absence:
    """``unlocked`` or ``locked``: whether the crashed thread held a table's lock (``word``) while it queued its task.

    Since the fix of GH-2508 (5fc1afb341be: 2.9.7, 3.0-dev7) the lock is held for writing then (as a spin lock until
    2.6). A lock that is free, or that readers hold, is not held so by anybody.
    """
    if word.state in ("free", "read"):
        return "unlocked"
    if word.writers and word.readers > word.writers:
        reason = "a writer waits there for readers to leave, which does not say whether it is this thread"
        return Absence("requeue.window", reason)
    holders = [stack for stack in others if _may_hold(stack)]
    if holders:
        reason = f"the table's lock is taken, and thread {holders[0].number} may have it as well as the one that died"
        return Absence("requeue.window", reason, "symbols of the executable, which tell what that thread was doing")
    return "locked"


def _may_hold(stack: ThreadStack) -> bool:
    """Whether a thread's stack has code of stick-tables, other than a wait for such a lock; or nobody can tell."""
    names = [plain_name(frame.function) for frame in stack.frames if frame.function]
    if not names:
        return True
    inside = [name for name in names if _TABLE_CODE.match(name)]
    return bool(inside) and not any(_WAITING.match(name) for name in names)


def owner_of(task: QueuedTask, tables: Sequence[StickTable]) -> StickTable | None:
    """The table whose expiration task it is."""
    return next((table for table in tables if table.exp_task == task.address), None)
