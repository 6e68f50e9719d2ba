"""The task that __task_queue() refused: found in the registers of the crashed thread, and proven by what it points to.

``BUG_ON(task->expire == TICK_ETERNITY)`` of task.c stops whoever queues a task without a date. The task is the
function's first argument; compilers keep it in a register that calls preserve, as it is used throughout.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from forensics.absence import Absence
from forensics.haproxy.leads import number
from forensics.haproxy.structs import Struct, TypedMemory
from forensics.haproxy.task import read_caller
from forensics.names import plain_name
from forensics.record import record
from forensics.unwind.frame import Frame, ThreadStack

#: DWARF numbers of registers in which a function keeps its first argument: callee-saved ones, then the argument's own.
_X86_64 = (3, 6, 12, 13, 14, 15, 5)
_AARCH64 = (*range(19, 29), 0)
#: Physical frames that may hold it: __task_queue (or its cold part) and whoever it was inlined into.
_FRAMES = 2
#: Functions that queue a table's task, as far as they have names; what stands above them may have none (2.6's
#: __task_queue.cold).
_CALLERS = ("stktable_", "__stktable_")


@record
class QueuedTask:
    """One ``struct task``. ``expire`` is a tick, 0 for never; ``process`` the name of its function.

    ``caller`` is who woke or queued it last, as ``function (file:line)`` ("" where the build does not note it: until
    2.6); ``in_wait_queue`` whether it hangs in a tree of timers; ``how`` says where its address was found.
    """

    address: int
    expire: int
    process: str
    caller: str
    in_wait_queue: bool
    how: str
    trust: str


def find_queued_task(space: TypedMemory, stack: ThreadStack, frames: Sequence[Frame]) -> QueuedTask | Absence:
    """The task that the crashed thread was about to queue; ``frames`` are its culprit's, innermost first."""
    if not _is_queuing(frames):
        return Absence("task that was queued", "the crashed thread was not in __task_queue()")
    if isinstance(layout := space.layout("task"), Absence):
        return layout
    found = dict(_candidates(space, frames))
    if len(found) != 1:
        # Several registers lead to tasks, or none: the debug information knows which one is the argument.
        argument = _argument(space, stack, frames)
        task = _read_task(space, argument, "argument `task`") if argument else None
        if isinstance(task, QueuedTask):
            return task
    if found:
        return next(iter(found.values()))
    return Absence(
        "task that was queued", "no register of its frame leads to a task", "the debug symbols of this build"
    )


def _is_queuing(frames: Sequence[Frame]) -> bool:
    """Whether the innermost function is __task_queue(), also as a nameless part above the code of a stick-table."""
    names = [plain_name(frame.function) for frame in frames[:4] if frame.function]
    if names and names[0] == "__task_queue":
        return True
    return bool(frames) and not frames[0].function and bool(names) and names[0].startswith(_CALLERS)


def _candidates(space: TypedMemory, frames: Sequence[Frame]) -> Iterator[tuple[int, QueuedTask]]:
    """The tasks that registers lead to, of the innermost frame that has any."""
    architecture = space.process.architecture
    order = _AARCH64 if architecture.name == "aarch64" else _X86_64
    for frame in [one for one in frames if not one.inlined and not one.tail_call][:_FRAMES]:
        some = False
        for register in order:
            address = frame.registers.get(register, 0)
            how = f"register {architecture.names.get(register, '?')} of {frame.function or 'the innermost frame'}"
            task = _read_task(space, address, how)
            if isinstance(task, QueuedTask):
                some = True
                yield address, task
        if some:
            return


def _read_task(space: TypedMemory, address: int, how: str) -> QueuedTask | Absence:
    """The task at ``address``, if it is one: its ``process`` must be the start of a function."""
    missing = Absence("task", f"there is none at {address:#x}")
    if not address or address & 7:
        return missing
    task = space.at("task", address)
    if isinstance(task, Absence):
        return task
    process, expire, parent = task.number("process"), task.number("expire"), task.number("wq.node.leaf_p")
    if not isinstance(process, int) or not isinstance(expire, int) or not isinstance(parent, int):
        return missing
    name = space.function_name(process) if space.is_code(process) else ""
    if "+" in name or not space.is_code(process) or not _sane(task):
        return missing
    return QueuedTask(address, expire & 0xFFFFFFFF, name, _caller(task), parent != 0, how, task.layout.trust)


def _sane(task: Struct) -> bool:
    """Whether the other members can be those of a task: nice is -1024..1024, tid -1 or a thread (task-t.h)."""
    nice, tid = task.number("nice"), task.number("tid")
    return (not isinstance(nice, int) or -1024 <= nice <= 1024) and (not isinstance(tid, int) or -2 <= tid < 4096)


def _caller(task: Struct) -> str:
    """``caller`` (2.7): ``struct ha_caller`` with function, file and line; -1 in a task that was freed."""
    caller = read_caller(task)
    if isinstance(caller, Absence) or not caller.function.isidentifier() or number(task, "caller") & 1:
        return ""
    return caller.place if caller.file.isprintable() else caller.function


def _argument(space: TypedMemory, stack: ThreadStack, frames: Sequence[Frame]) -> int:
    """The address in the argument `task` of the innermost frame, 0 where no debug information tells."""
    from forensics.record import replace
    from forensics.unwind.address_space import AddressSpace
    from forensics.unwind.variables import variables_of

    few = replace(stack, frames=tuple(frames[:4]))
    for found in variables_of(AddressSpace(space.process), few, strings=False)[:1]:
        for one in found.arguments:
            words = one.value.rsplit(" ", 1)[-1]
            if one.name == "task" and one.known and words.startswith("0x"):
                return int(words, 16)
    return 0
