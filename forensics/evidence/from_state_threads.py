"""Facts that threads, their tasks and locks tell: what the crashed thread was running, who waits for whom."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from forensics.absence import Absence
from forensics.evidence.fact import Fact
from forensics.haproxy.locks.spin import Spin
from forensics.haproxy.plock import LockWord
from forensics.names import plain_name
from forensics.source import Source

if TYPE_CHECKING:
    from forensics.evidence.core_witness import CoreWitness
    from forensics.haproxy.locks.awaited import Lock, Locks
    from forensics.haproxy.state import State
    from forensics.haproxy.task import Task
    from forensics.haproxy.threads import Thread

#: Threads and locks that the report lists; the number of all is told.
_MOST = 64


def collect_threads(witness: CoreWitness) -> Iterator[Fact | Absence]:
    """The task that the crashed thread was running; for the report, what every thread ran."""
    from forensics.haproxy.task import read_task

    state = witness.state
    threads = list(state.threads)
    tasks: dict[int, Task] = {}
    for thread in threads:
        current = thread.current
        task = read_task(state.space, current) if isinstance(current, int) and current else Absence("task", "none")
        if not isinstance(task, Absence):
            tasks[thread.number] = task
        if thread.lwp == witness.crashed.lwp and not isinstance(task, Absence):
            yield from _task_facts(witness, state, thread, task)
    _tell_threads(witness, threads, tasks)


def _task_facts(witness: CoreWitness, state: State, thread: Thread, task: Task) -> Iterator[Fact]:
    what = f"struct task, current one of thread {thread.number}"
    where, trust = Source(witness.path, what, address=task.address, thread=thread.lwp), state.space.trust
    if task.function:
        yield Fact("task.function", plain_name(task.function.split("+")[0]), where, trust)
    if not isinstance(task.caller, Absence):
        yield Fact("task.woken_by", task.caller.place, where, trust)
    if task.freed or not isinstance(task.caller, Absence):
        yield Fact("task.freed", task.freed, where, trust)


def _tell_threads(witness: CoreWitness, threads: list[Thread], tasks: dict[int, Task]) -> None:
    """Small rows for the report, where the layout of the contexts is known."""
    if not any(isinstance(thread.flags, int) for thread in threads):
        return
    rows = [_row(thread, tasks.get(thread.number)) for thread in threads]
    witness.told["threads"] = rows[:_MOST]
    queued = [thread.value("rq_total", "rqueue_size") for thread in threads]
    made = [thread.value("nb_tasks") for thread in threads]
    counts: dict[str, object] = {"queued": sum(one for one in queued if isinstance(one, int))}
    if any(isinstance(one, int) for one in made):
        # Each thread counts what it made less what it freed, so one alone may be negative.
        counts["allocated"] = sum(one for one in made if isinstance(one, int)) & 0xFFFFFFFF
    # `assumed`: members lie where the release has them, and not as the build's own debug symbols say.
    witness.told["tasks"] = counts | {"layout": witness.state.space.trust}


def _row(thread: Thread, task: Task | None) -> dict[str, object]:
    row: dict[str, object] = {"number": thread.number, "lwp": thread.lwp, "flags": list(thread.flag_names)}
    if task is not None:
        row["task"] = f"{task.function or hex(task.process)}{f' ({task.applet})' if task.applet else ''}"
        if not isinstance(task.caller, Absence):
            row["woken_by"] = task.caller.place
        if task.freed:
            row["freed"] = True
    return row


def collect_locks(witness: CoreWitness) -> Iterator[Fact | Absence]:
    """Which threads wait, for which lock, and who holds it."""
    state = witness.state
    if not witness.stacks:
        return
    found = state.locks
    stacks = Source(witness.path, "machine code at the pc of each thread")
    yield Fact("threads.waiting", len(found.waiting), stacks, "derived")
    if found.isolation.isolating:
        names = Source(witness.path, "thread_isolate() on the stacks")
        yield Fact("threads.isolating", len(found.isolation.isolating), names, "derived")
    isolated = state.space.number("isolated_thread", 4)
    if isinstance(isolated, int):
        yield Fact("threads.isolated", found.isolation.isolated, Source(witness.path, "variable isolated_thread"))
    for words in found.deadlocks[:1]:
        yield Fact("deadlock.cycle", words, Source(witness.path, "waits and holders of locks"), "derived")
    yield from _lock_facts(witness, state, found)
    _tell_locks(witness, found)


def _lock_facts(witness: CoreWitness, state: State, found: Locks) -> Iterator[Fact | Absence]:
    lock = _chosen(witness, found)
    if isinstance(lock, Absence):
        return
    wait = next((one for one in lock.waits if one.lwp == witness.crashed.lwp), lock.waits[0])
    how = wait.spin.how if isinstance(wait.spin, Spin) else ""
    where = Source(witness.path, how, thread=wait.lwp, frame=wait.frame)
    yield Fact("lock.address", lock.address, where, "derived")
    memory = Source(witness.path, "word of the lock", address=lock.address, thread=wait.lwp)
    if isinstance(lock.word, LockWord):
        yield Fact("lock.word", lock.word.word, memory)
        yield Fact("lock.state", lock.word.state, memory)
    if isinstance(lock.place, Absence):
        yield Absence("lock.name", lock.place.reason, "the debug symbols of this build")
    else:
        trust = state.space.trust if lock.place.struct else "read"
        yield Fact("lock.name", lock.name, Source(witness.path, lock.place.struct or "symbol", lock.address), trust)
    if lock.owner != "unknown":
        yield Fact("lock.owner", lock.owner, Source(witness.path, lock.words[0], thread=wait.lwp), "derived")


def _chosen(witness: CoreWitness, found: Locks) -> Lock | Absence:
    """The lock of the crashed thread, else the one that most wait for."""
    own = found.of_thread(witness.crashed.lwp)
    if isinstance(own, Absence) and found.locks:
        return max(found.locks, key=lambda lock: len(lock.waits))
    return own


def tells_lock_state(witness: CoreWitness) -> bool:
    """Whether these facts hold the state of the lock that is waited for: that of a table's lock is then no news."""
    if not witness.stacks:
        return False
    lock = _chosen(witness, witness.state.locks)
    return not isinstance(lock, Absence) and isinstance(lock.word, LockWord)


def _tell_locks(witness: CoreWitness, found: Locks) -> None:
    rows = [_lock_row(lock) for lock in found.locks[:_MOST]]
    if rows or found.unknown or found.cycles or found.isolation.isolating:
        witness.told["locks"] = {
            "locks": rows,
            "unknown": [wait.words for wait in found.unknown[:_MOST]],
            "isolated": found.isolation.isolated,
            "isolating": list(found.isolation.isolating[:_MOST]),
            "not_harmless": list((found.isolation.harmful or ())[:_MOST]),
            "isolation": list(found.isolation.words[:_MOST]),
            "deadlocks": list(found.deadlocks),
        }


def _lock_row(lock: Lock) -> dict[str, object]:
    word = lock.word
    return {
        "title": lock.title, "name": lock.name, "address": f"{lock.address:#x}",
        "word": f"{word.word:#x}" if isinstance(word, LockWord) else "",
        "state": word.words if isinstance(word, LockWord) else word.reason,
        "owner": lock.owner,
        "waiting": [wait.words for wait in lock.waits[:_MOST]],
        "waits": len(lock.waits),
        "holders": list(lock.words[:_MOST]),
    }  # fmt: skip
