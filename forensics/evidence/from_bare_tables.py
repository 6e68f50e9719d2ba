"""The facts of ``from_tables`` for builds that declare no structures: what registers and a few known offsets prove."""

from __future__ import annotations

from collections.abc import Iterator

from forensics.absence import Absence
from forensics.evidence.fact import Fact
from forensics.evidence.from_state_threads import tells_lock_state
from forensics.evidence.table_scene import Scene
from forensics.haproxy.bare_tables import UNSHARDED, BareTable, awaited, bare_tables, bare_task, requeue_lock
from forensics.haproxy.locks.table_locks import requeue_window, waiting_frames
from forensics.symbols.layout import OF_THIS_RELEASE


def bare_task_facts(scene: Scene) -> Iterator[Fact | Absence]:
    """The expiration task that was queued, its table, and whether the table's lock was held."""
    tables = bare_tables(scene.space)
    task = tables if isinstance(tables, Absence) else bare_task(scene.space, scene.frames, tables)
    if isinstance(task, Absence) or isinstance(tables, Absence):
        return
    where = scene.at(f"task by the offsets of 2.7 to 3.2, from {task.how}", task.address)
    yield Fact("task.expire", task.expire, where, task.trust)
    yield Fact("task.in_wait_queue", task.in_wait_queue, where, task.trust)
    yield Fact("task.process", task.process, where, task.trust)
    if task.caller:
        yield Fact("task.caller", task.caller, where, task.trust)
    table = next(one for one in tables if one.holds(task.address))
    owner = scene.at("the task's context is this table, which holds its address", table.address)
    yield Fact("task.owner_table", table.id, owner, task.trust)
    yield from bare_window(scene, table.address)


def bare_window(scene: Scene, address: int) -> Iterator[Fact | Absence]:
    """Whether the lock of the table at ``address`` was held by the thread that queued its task."""
    tables = bare_tables(scene.space)
    table = None if isinstance(tables, Absence) else next((one for one in tables if one.address == address), None)
    lock = (
        requeue_lock(scene.space, scene.frames, table)
        if table is not None
        else Absence("table", "its members are not known")
    )
    if isinstance(lock, Absence):
        yield Absence("requeue.window", lock.reason)
        return
    what = f"lock, {lock.offset:#x} bytes into table {lock.table.id}, from {lock.how}: {lock.word.words}"
    where = scene.at(what, lock.address)
    yield Fact("table.lock_state", lock.word.state, where, OF_THIS_RELEASE)
    window = requeue_window(lock.word, scene.others)
    yield window if isinstance(window, Absence) else Fact("requeue.window", window, where, OF_THIS_RELEASE)


def bare_lock_facts(scene: Scene) -> Iterator[Fact | Absence]:
    """The lock that is waited for, and what its place within the table says of the build."""
    tables = bare_tables(scene.space)
    frame = next(iter(waiting_frames(scene.frames)), None)
    if isinstance(tables, Absence) or frame is None:
        return
    lock = awaited(scene.space, frame, tables)
    if isinstance(lock, Absence):
        return
    what = f"{lock.offset:#x} bytes into table {lock.table.id}, from {lock.how}: {lock.word.words}"
    where = scene.at(what, lock.address)
    yield Fact("lock.table", lock.table.id, where, OF_THIS_RELEASE)
    if lock.offset > UNSHARDED:
        beyond = f"the lock lies {lock.offset:#x} bytes into the table, beyond the end of one without shards"
        yield Fact("stktable.sharded", True, scene.at(beyond, lock.address), "derived")
    yield from _peers(scene, lock.table)
    if not tells_lock_state(scene.witness):
        yield Fact("lock.state", lock.word.state, where, OF_THIS_RELEASE)


def _peers(scene: Scene, table: BareTable) -> Iterator[Fact]:
    """Whether the table names the first peers section; another one cannot be told from any other pointer."""
    section = scene.space.word("cfg_peers")
    if isinstance(section, int) and (table.holds(section) or not section):
        where = scene.at(f"pointers of table {table.id}, and cfg_peers: {section:#x}", table.address)
        yield Fact("lock.table_peers", section != 0, where, OF_THIS_RELEASE)
