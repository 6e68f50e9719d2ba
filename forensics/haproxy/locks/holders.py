"""Who holds a lock: what builds with DEBUG_THREAD write beside it, a thread's history, else what stacks say.

Only the first is certain. The history names a kind of lock and not which one of it; a stack only shows that a thread is
in code that takes such locks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from forensics.absence import Absence
from forensics.haproxy.locks.history import Step, held_of, lock_labels, steps_of
from forensics.haproxy.locks.places import LockPlace
from forensics.haproxy.locks.waits import running_frames
from forensics.haproxy.state import State
from forensics.haproxy.structs import Struct, TypedMemory, known
from forensics.haproxy.threads import Thread
from forensics.names import plain_name
from forensics.record import record
from forensics.unwind.frame import ThreadStack

#: Members of the debug information, by its structure (thread-t.h): bits of the threads that hold the lock.
_OWNERS = {"ha_spinlock": ("owner",), "ha_rwlock": ("cur_writer", "cur_seeker", "cur_readers")}
#: MAX_TGROUPS.
_MOST_GROUPS = 64

_TABLE_CODE = r"stktable_|_*stksess_|process_tables?_expire"
#: Locks by structure and member, or by variable: their label in enum lock_label, and the functions that hold them
#: for long (the files named after the structures). First match counts.
_KINDS: tuple[tuple[str, str, str], ...] = (
    (r"stktable\.updt_lock", "STK_TABLE_UPDT", rf"{_TABLE_CODE}|peer_(?:send|treat)|process_peer"),
    (r"(?:stktable|per_bucket)\.", "STK_TABLE", rf"{_TABLE_CODE}|smp_fetch_sc_|table_"),
    (r"(?:wq_lock|thread_ctx\.wq)", "TASK_WQ", r"wake_expired_tasks|__task_queue|__?task_unlink_wq|task_schedule"),
    (r"(?:rq_lock|thread_ctx\.rqsh_lock)", "TASK_RQ", r"__task_wakeup|__tasklet_wakeup|task_unlink_rq"),
    (r"server\.lock", "SERVER", r"srv_|server_|_srv_|health_|check_|process_chk"),
    (r"(?:proxy|server|queue).*queue", "QUEUE", r"pendconn_|process_srv_queue"),
    (r"proxy\.lbprm", "LBPRM", r"fwlc_|fwrr_|fas_|chash_|map_get_server|recalc_eweight"),
    (r"proxy\.", "PROXY", r"proxy_|(?:pause|stop|resume)_proxy|soft_stop"),
    (r"listener\.", "LISTENER", r"listener_|(?:pause|resume|stop|enable|delete)_listener|dequeue_"),
    (r"peers?\.", "PEER", r"peer_|process_peer|sync_peers?"),
    (r"idle_conns", "IDLE_CONNS", r"srv_(?:add|remove|cleanup)|conn_backend_get|_idle_conns?|conn_delete_from_tree"),
)  # fmt: skip


@record
class Holder:
    """A thread that holds a lock, or seems to: ``how`` says what tells it, ``certain`` whether that proves it."""

    number: int
    how: str
    certain: bool

    @property
    def words(self) -> str:
        """``thread 5 may hold it: ...``."""
        return f"thread {self.number} {'holds' if self.certain else 'may hold'} it: {self.how}"


def iter_holders(
    state: State, place: LockPlace | Absence, address: int, threads: Sequence[Thread], waiting: frozenset[int]
) -> Iterator[Holder]:
    """Threads that hold the lock, the surest first; ``waiting`` are the numbers of those that wait for it."""
    certain = list(_by_debug(state.space, place, address, threads))
    if certain:
        yield from certain
        return
    kind = kind_of(place)
    if kind is None:
        return
    label, functions = kind
    told = [one for one in threads if any(step.label == label for step in held(state.space, one))]
    for thread in told:
        yield Holder(thread.number, f"its lock history ends with {label} not released", False)
    if not told:
        yield from _by_stack(state, re.compile(functions), waiting)


def kind_of(place: LockPlace | Absence) -> tuple[str, str] | None:
    """The label of a lock of this place, and a pattern of functions; None for one that is not known."""
    if isinstance(place, Absence):
        return None
    name = f"{place.struct}.{place.member}" if place.struct else place.owner
    return next(((label, functions) for pattern, label, functions in _KINDS if re.match(pattern, name)), None)


def history(space: TypedMemory, thread: Thread) -> tuple[Step, ...]:
    """The last steps of the thread, oldest first; () where the build keeps none (before 3.2)."""
    found = thread.value("lock_history")
    return steps_of(found, lock_labels(space)) if isinstance(found, int) and found else ()


def held(space: TypedMemory, thread: Thread) -> tuple[Step, ...]:
    """The locks that the thread holds by its history."""
    return held_of(history(space, thread))


def _by_debug(
    space: TypedMemory, place: LockPlace | Absence, address: int, threads: Sequence[Thread]
) -> Iterator[Holder]:
    """The masks of struct ha_spinlock or ha_rwlock: DEBUG_THREAD up to 3.1, DEBUG_THREAD=2 or DEBUG_FULL later."""
    target = place.field.target if isinstance(place, LockPlace) and place.field is not None else ""
    lock = space.at(target, address) if target in _OWNERS else Absence("owner", "this build does not debug its locks")
    if isinstance(lock, Absence):
        return
    for group, masks in _states(lock):
        for member in _OWNERS[target]:
            mask = known(masks.number(member))
            for thread in threads:
                if mask and _bit(thread, group) & mask:
                    yield Holder(thread.number, f"{target}.{member}{_last_place(lock)}", True)


def _states(lock: Struct) -> Iterator[tuple[int, Struct]]:
    """The masks of each thread group (2.7 on: info.st[]), those of the process up to 2.6 (info)."""
    states = lock.field("info.st")
    for group in range(1 if isinstance(states, Absence) else min(states.count, _MOST_GROUPS)):
        masks = lock.inner("info") if isinstance(states, Absence) else lock.inner("info.st", group)
        if isinstance(masks, Struct):
            yield group, masks


def _bit(thread: Thread, group: int) -> int:
    """The thread's bit in the mask of ``group`` (from 0), 0 when it is in another one."""
    if not isinstance(thread.info, Struct) or not thread.info.has("ltid_bit"):
        return 1 << thread.tid if not group else 0
    return known(thread.info.number("ltid_bit")) if thread.group == group + 1 else 0


def _last_place(lock: Struct) -> str:
    function, file = lock.text("info.last_location.function", 100), lock.text("info.last_location.file", 200)
    return (
        f", taken last in {function}() at {file}:{lock.number('info.last_location.line')}" if function and file else ""
    )


def _by_stack(state: State, functions: re.Pattern[str], waiting: frozenset[int]) -> Iterator[Holder]:
    numbers = state.numbers
    for stack in state.stacks:
        name, number = _inside(stack, functions), numbers.get(stack.lwp, stack.number)
        if name and number not in waiting:
            yield Holder(number, f"it is in {name}(), which takes such locks (inference)", False)


def _inside(stack: ThreadStack, functions: re.Pattern[str]) -> str:
    names = [plain_name(frame.function) for frame in running_frames(stack)]
    return next((name for name in names if functions.match(name)), "")
