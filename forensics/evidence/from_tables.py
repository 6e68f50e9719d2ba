"""Facts that stick-tables and the task of their expiration tell: what proves, or refutes, the crashes known of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from forensics.absence import Absence
from forensics.evidence.core_witness import CoreWitness
from forensics.evidence.fact import Fact
from forensics.evidence.from_bare_tables import bare_lock_facts, bare_task_facts, bare_window
from forensics.evidence.from_state_threads import tells_lock_state
from forensics.evidence.table_scene import Scene, find_scene
from forensics.haproxy.locks.table_locks import awaited_lock, owner_of, requeue_window
from forensics.haproxy.queued_task import QueuedTask, find_queued_task
from forensics.haproxy.stick_table import StickTable, is_sharded, looks_right, read_tables
from forensics.haproxy.structs import TypedMemory
from forensics.source import Source
from forensics.symbols.layout import OF_THIS_BUILD, Layout

#: Tables that are looked through for the one of the crash.
_MOST_TABLES = 2_000
#: A thread with fewer frames is one whose stack is lost.
_FEW = 6


def collect_layout(witness: CoreWitness) -> Iterator[Fact | Absence]:
    """Whether the build's stick-tables are sharded."""
    module = witness.process.core.main_module
    # The build's own word: what holds for its release says nothing of a patched one. Without debug symbols nothing is
    # missed until a signature asks for it.
    layout = module if isinstance(module, Absence) else witness.process.symbols(module).struct("stktable")
    if isinstance(layout, Layout):
        source = Source(witness.path, f"members of struct stktable ({layout.size} bytes) in the build's DWARF")
        yield Fact("stktable.sharded", is_sharded(layout), source)


def collect_tables(witness: CoreWitness) -> Iterator[Fact | Absence]:
    """The task that was queued, the table that it belongs to, the lock that is waited for."""
    space = witness.state.space
    scene = find_scene(witness, space)
    if scene is None:
        yield from _lost(witness, space)
        return
    tables = read_tables(space, most=_MOST_TABLES)
    known = tables if isinstance(tables, tuple) else ()
    if known:
        yield Fact("stktable.peers", any(one.peers for one in known), scene.at("stktables_list"), known[0].trust)
    if scene.stack.crashed:
        yield from _task(scene, tables)
    yield from _lock(scene, known)


def _lost(witness: CoreWitness, space: TypedMemory) -> Iterator[Absence]:
    """Where the end of a core is missing, with the stacks, and a table's lock was held."""
    cut = witness.process.core.truncation
    tables = read_tables(space, most=_MOST_TABLES) if cut is not None and len(witness.crashed.frames) < _FEW else ()
    held = [table.id for table in tables if any(not lock.word.free for lock in table.locks)] if tables else []
    if held:
        gaps = witness.process.core.gaps
        remedy = next((gap.remedy for gap in gaps if gap.subject.startswith("end of")), "the complete core")
        reason = f"a lock of table {held[0]} was held, and the stacks that say who waited are lost with the core's end"
        for name in ("lock.table", "lock.table_peers"):
            yield Absence(name, reason, remedy)


def _task(scene: Scene, tables: tuple[StickTable, ...] | Absence) -> Iterator[Fact | Absence]:
    """What was to be queued, and whose it is."""
    task = find_queued_task(scene.space, scene.stack, scene.frames)
    if isinstance(task, Absence) or isinstance(tables, Absence):
        yield from bare_task_facts(scene)
        return
    where = scene.at(f"struct task, from {task.how}", task.address)
    yield Fact("task.expire", task.expire, where, task.trust)
    yield Fact("task.in_wait_queue", task.in_wait_queue, where, task.trust)
    if task.process:
        yield Fact("task.process", task.process, where, task.trust)
    if task.caller:
        yield Fact("task.caller", task.caller, where, task.trust)
    yield from _owner(scene, task, tables)


def _owner(scene: Scene, task: QueuedTask, tables: Sequence[StickTable]) -> Iterator[Fact | Absence]:
    table = owner_of(task, tables)
    if table is None:
        yield Fact("task.owner_table", "", scene.at("no table of stktables_list has it as exp_task"), task.trust)
        return
    yield Fact("task.owner_table", table.id, scene.at("exp_task of struct stktable", table.address), table.trust)
    lock = table.lock("lock")
    if isinstance(lock, Absence):
        yield lock
        return
    if not looks_right(table):
        # The layout that is kept for the release does not fit: the build was patched.
        yield from bare_window(scene, table.address)
        return
    where = scene.at(f"lock of table {table.id}: {lock.word.word:#x}, {lock.word.words}", lock.address)
    yield Fact("table.lock_state", lock.word.state, where, table.trust)
    window = requeue_window(lock.word, scene.others)
    if isinstance(window, Absence):
        yield window
    else:
        yield Fact("requeue.window", window, where, "derived" if table.trust == OF_THIS_BUILD else table.trust)


def _lock(scene: Scene, known: Sequence[StickTable]) -> Iterator[Fact | Absence]:
    """The lock that the thread waits for."""
    awaited = awaited_lock(scene.frames, known, scene.witness.process.architecture.names)
    if isinstance(awaited, Absence):
        if not known or known[0].trust != OF_THIS_BUILD:
            yield from bare_lock_facts(scene)
        return
    table, lock = awaited.table, awaited.lock
    offset = lock.address - table.address
    what = f"{lock.member}, {offset:#x} bytes into table {table.id}, from {awaited.how}"
    where = scene.at(f"{what}: {lock.word.word:#x}, {lock.word.words}", lock.address)
    yield Fact("lock.table", table.id, where, table.trust)
    yield Fact("lock.member", lock.member, where, table.trust)
    peers = scene.at(f"peers.p of table {table.id}: {table.peers or 'NULL'}", table.address)
    yield Fact("lock.table_peers", bool(table.peers), peers, table.trust)
    if not tells_lock_state(scene.witness):
        yield Fact("lock.state", lock.word.state, where, table.trust)
