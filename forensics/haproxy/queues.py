"""Where tasks wait: run queues (trees and lists of tasklets) and wait queues (timers), of the process and of threads.

2.2 to 2.6 have one global run queue (`rqueue`) and one global wait queue (`timers`); since 2.7 a thread's
`rqueue_shared` takes what others woke, and up to 3.4 each thread group has timers of its own (task.c).
"""

from __future__ import annotations

from collections.abc import Iterator

from forensics.absence import Absence
from forensics.haproxy.state import State
from forensics.haproxy.structs import Struct, TypedMemory
from forensics.haproxy.task import Task, read_task
from forensics.haproxy.threads import CLASSES, Thread
from forensics.haproxy.walks import Walk, iter_list, iter_tree
from forensics.record import open_record, record

#: Tasks of all queues together; a HAProxy with a million connections has three million.
MOST_TASKS = 5_000_000
#: MAX_TGROUPS is 16 from 2.7 on, 32 from 3.2 on.
_MOST_GROUPS = 64

RUN, WAIT = "run", "wait"


@record
class Queue:
    """One queue. ``kind`` is ``run`` or ``wait``; ``thread`` its thread's number, 0 for one that threads share.

    ``head`` is the address of its root or of its list; ``member`` the member of a task that hangs there.
    """

    kind: str
    name: str
    thread: int
    head: int
    member: str


@record
class Queued:
    """One entry: the address of the task, and what it says where it can be read."""

    queue: Queue
    address: int
    task: Task | Absence


@open_record
class Queues:
    """How the walks went: broken links, and whether the bound ended them."""

    gaps: tuple[Absence, ...] = ()
    visited: int = 0


def iter_queues(state: State) -> Iterator[Queue]:
    """All queues that the build has: run queues first, as HAProxy's `show tasks` counts them."""
    space, threads = state.space, state.threads
    shared = space.variable("rqueue")
    if isinstance(shared, int):
        yield Queue(RUN, "global run queue", 0, shared, "rq")
    for thread in threads:
        yield from _run_queues(thread)
    timers = space.variable("timers")
    if isinstance(timers, int):
        yield Queue(WAIT, "global wait queue", 0, timers, "wq")
    for number, group in enumerate(space.array("ha_tgroup_ctx", "tgroup_ctx", _group_count(space)), 1):
        root = group.address_of("timers")
        if isinstance(root, int):
            yield Queue(WAIT, f"wait queue of group {number}", 0, root, "wq")
    for thread in threads:
        root = thread.context.address_of("timers") if isinstance(thread.context, Struct) else thread.context
        if isinstance(root, int):
            yield Queue(WAIT, f"wait queue of thread {thread.number}", thread.number, root, "wq")


def _group_count(space: TypedMemory) -> int:
    """Nbtgroups (2.5 on); without it all groups that can be, which then are empty."""
    found = space.object("global", "global")
    count = found if isinstance(found, Absence) else found.number("nbtgroups")
    return min(count, _MOST_GROUPS) if isinstance(count, int) and count > 0 else _MOST_GROUPS


def _run_queues(thread: Thread) -> Iterator[Queue]:
    context, number = thread.context, thread.number
    if not isinstance(context, Struct):
        return
    for member, name in (("rqueue_shared", "shared run queue"), ("rqueue", "run queue")):
        root = context.address_of(member)
        if isinstance(root, int):
            yield Queue(RUN, f"{name} of thread {number}", number, root, "rq")
    shared = context.address_of("shared_tasklet_list")
    if isinstance(shared, int):
        yield Queue(RUN, f"shared tasklets of thread {number}", number, shared, "list")
    for index in range(thread.classes):
        head = context.address_of("tasklets", index)
        if isinstance(head, int):
            yield Queue(RUN, f"{CLASSES[index]} tasklets of thread {number}", number, head, "list")


def iter_queued(state: State, queue: Queue, queues: Queues) -> Iterator[Queued]:
    """The entries of one queue, each read; ``queues`` is told of damage."""
    for address in iter_addresses(state, queue, queues):
        yield Queued(queue, address, read_task(state.space, address))


def iter_addresses(state: State, queue: Queue, queues: Queues) -> Iterator[int]:
    """The addresses of the tasks and tasklets of one queue; ``queues`` is told of damage."""
    space = state.space
    layout = space.layout("tasklet" if queue.member == "list" else "task")
    field = layout if isinstance(layout, Absence) else layout.fields.get(queue.member)
    if field is None or isinstance(field, Absence):
        queues.gaps += (field or Absence(queue.name, f"tasks of this build have no member {queue.member}"),)
        return
    walk, walker = Walk(), iter_list if queue.member == "list" else iter_tree
    for node in walker(space.memory, queue.head, walk, max(MOST_TASKS - queues.visited, 0)):
        yield node - field.offset
    queues.visited += walk.visited
    if walk.broken is not None:
        broken = walk.broken
        queues.gaps += (Absence(queue.name, f"the link at {broken.address:#x} ({broken.value:#x}): {broken.reason}"),)
    if walk.cut:
        queues.gaps += (Absence(queue.name, f"more than {MOST_TASKS} tasks: the rest was not read"),)
