"""The facts of ``from_tables`` for builds that declare no structures: what registers and a few known offsets prove."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from forensics.absence import Absence
from forensics.evidence.fact import Fact
from forensics.evidence.from_core import CoreWitness
from forensics.haproxy.bare_tables import UNSHARDED, BareTable, awaited, bare_tables, bare_task, requeue_lock
from forensics.haproxy.structs import TypedMemory
from forensics.haproxy.table_locks import requeue_window, waiting_frames
from forensics.source import Source
from forensics.symbols.layout import OF_THIS_RELEASE
from forensics.unwind.frame import Frame


def _at(witness: CoreWitness, what: str, address: int | None = None) -> Source:
    return Source(witness.path, what, address=address, thread=witness.crashed.lwp)


def bare_task_facts(witness: CoreWitness, space: TypedMemory, frames: Sequence[Frame]) -> Iterator[Fact | Absence]:
    """The expiration task that was queued, its table, and whether the table's lock was held."""
    tables = bare_tables(space)
    task = tables if isinstance(tables, Absence) else bare_task(space, frames, tables)
    if isinstance(task, Absence) or isinstance(tables, Absence):
        return
    where = _at(witness, f"task by the offsets of 2.7 to 3.2, from {task.how}", task.address)
    yield Fact("task.expire", task.expire, where, task.trust)
    yield Fact("task.in_wait_queue", task.in_wait_queue, where, task.trust)
    yield Fact("task.process", task.process, where, task.trust)
    if task.caller:
        yield Fact("task.caller", task.caller, where, task.trust)
    table = next(one for one in tables if one.holds(task.address))
    owner = _at(witness, "the task's context is this table, which holds its address", table.address)
    yield Fact("task.owner_table", table.id, owner, task.trust)
    yield from bare_window(witness, space, frames, table.address)


def bare_window(
    witness: CoreWitness, space: TypedMemory, frames: Sequence[Frame], address: int
) -> Iterator[Fact | Absence]:
    """Whether the lock of the table at ``address`` was held by the thread that queued its task."""
    tables = bare_tables(space)
    table = None if isinstance(tables, Absence) else next((one for one in tables if one.address == address), None)
    lock = requeue_lock(space, frames, table) if table is not None else Absence("table", "its members are not known")
    if isinstance(lock, Absence):
        yield Absence("requeue.window", lock.reason)
        return
    what = f"lock, {lock.offset:#x} bytes into table {lock.table.id}, from {lock.how}: {lock.word.words}"
    where = _at(witness, what, lock.address)
    yield Fact("table.lock_state", lock.word.state, where, OF_THIS_RELEASE)
    window = requeue_window(lock.word, witness.stacks[1:])
    yield window if isinstance(window, Absence) else Fact("requeue.window", window, where, OF_THIS_RELEASE)


def bare_lock_facts(witness: CoreWitness, space: TypedMemory, frames: Sequence[Frame]) -> Iterator[Fact | Absence]:
    """The lock that is waited for, and what its place within the table says of the build."""
    tables = bare_tables(space)
    frame = next(iter(waiting_frames(frames)), None)
    if isinstance(tables, Absence) or frame is None:
        return
    lock = awaited(space, frame, tables)
    if isinstance(lock, Absence):
        return
    what = f"{lock.offset:#x} bytes into table {lock.table.id}, from {lock.how}: {lock.word.words}"
    where = _at(witness, what, lock.address)
    yield Fact("lock.table", lock.table.id, where, OF_THIS_RELEASE)
    yield Fact("lock.state", lock.word.state, where, OF_THIS_RELEASE)
    if lock.offset > UNSHARDED:
        beyond = f"the lock lies {lock.offset:#x} bytes into the table, beyond the end of one without shards"
        yield Fact("stktable.sharded", True, _at(witness, beyond, lock.address), "derived")
    yield from _peers(witness, space, lock.table)


def _peers(witness: CoreWitness, space: TypedMemory, table: BareTable) -> Iterator[Fact]:
    """Whether the table names the first peers section; another one cannot be told from any other pointer."""
    section = space.word("cfg_peers")
    if isinstance(section, int) and (table.holds(section) or not section):
        where = _at(witness, f"pointers of table {table.id}, and cfg_peers: {section:#x}", table.address)
        yield Fact("lock.table_peers", section != 0, where, OF_THIS_RELEASE)
