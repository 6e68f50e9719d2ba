"""Stick-tables of a build whose structures nobody declares: what can be proven of them without a layout.

A few offsets are the same in all releases from 2.7 to 3.2 (stick_table-t.h, task-t.h of 2.9 and 3.0.11, and the tags
between), and each is held against memory before it is used: tables have printable names and form a chain that ends, the
expiration task names its table as its context, and the table names the task. Locks are found in the registers of
code that uses no other word within a table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from forensics.absence import Absence
from forensics.elf.constants import EM_X86_64
from forensics.elf.module import Module
from forensics.haproxy.plock import LockWord, lock_word
from forensics.haproxy.queued_task import QueuedTask
from forensics.haproxy.structs import NO_SYMBOLS, TypedMemory
from forensics.haproxy.walks import Walk, iter_chain
from forensics.names import plain_name
from forensics.record import record
from forensics.symbols.layout import OF_THIS_RELEASE
from forensics.unwind.frame import Frame

#: struct stktable: id, idlen (2.7), nid, next. The pointers to the expiration task and to the peers come within the
#: first bytes: 88 and 112 in 3.0.
_ID, _NEXT, _HEAD = 0, 24, 160
#: struct task (2.7 to 3.3): state, tid, process, context, caller, wake_date, calls, rq, wq, expire, nice.
_PROCESS, _CONTEXT, _CALLER, _LEAF, _EXPIRE, _NICE, _TASK = 8, 16, 24, 104, 120, 124, 128
#: struct ha_caller: func, file, line (bug.h).
_CALLER_SIZE = 18
#: sizeof(struct stktable) on x86-64 in 2.9, the largest before tables were sharded (2.8: 664); 32 shards, a lock and
#: two trees each, make some 2,100 bytes of it (3.0.11: 2,112), 64 of them 3,392.
UNSHARDED, _LARGEST = 768, 4096
_MOST = 1_000
#: The expiration task of a table until 3.2.
EXPIRY = "process_table_expire"


@record
class BareTable:
    """One table: its address, its name, its first bytes, and how many bytes the heap gave it (0: not known)."""

    address: int
    id: str
    head: bytes
    room: int

    def holds(self, address: int) -> bool:
        """Whether one of its first members is this pointer."""
        return address != 0 and address.to_bytes(8, "little") in [self.head[at : at + 8] for at in range(0, _HEAD, 8)]


@record
class BareLock:
    """A word within a table that is a lock; ``offset`` counts from the table's start, in bytes."""

    table: BareTable
    offset: int
    word: LockWord
    how: str

    @property
    def address(self) -> int:
        """Where it lies."""
        return self.table.address + self.offset


def bare_tables(space: TypedMemory) -> tuple[BareTable, ...] | Absence:
    """All tables, if the chain is what it should be."""
    first = space.word("stktables_list")
    if isinstance(first, Absence):
        return first
    if space.process.core.machine != EM_X86_64:
        return Absence("stick-tables", "their members are not known for this processor", NO_SYMBOLS)
    walk = Walk()
    found = [_table(space, one) for one in iter_chain(space.memory, first, _NEXT, walk, _MOST)]
    tables = tuple(one for one in found if isinstance(one, BareTable))
    if walk.broken is not None or walk.cut or len(tables) < len(found):
        return Absence("stick-tables", "their members lie elsewhere in this release", NO_SYMBOLS)
    return tables


def _table(space: TypedMemory, address: int) -> BareTable | Absence:
    head, chunk = space.memory.read(address, _HEAD), space.memory.word(address - 8)
    if isinstance(head, Absence):
        return head
    name = space.text(int.from_bytes(head[_ID : _ID + 8], "little"), 256)
    if not isinstance(name, str) or not name or not name.isprintable():
        return Absence("table", f"there is none at {address:#x}")
    # glibc keeps the size of a chunk before it, with three flags in the lowest bits (malloc.c).
    room = (chunk & ~7) - 8 if isinstance(chunk, int) and chunk & ~7 < 1 << 16 else 0
    return BareTable(address, name, head, room)


def bare_task(space: TypedMemory, frames: Sequence[Frame], tables: Sequence[BareTable]) -> QueuedTask | Absence:
    """The expiration task of one of the ``tables``, if registers of __task_queue() or of its caller lead to it."""
    names = space.process.architecture.names
    by_address = {table.address: table for table in tables}
    if not frames or plain_name(frames[0].function) != "__task_queue":
        return Absence("task that was queued", "the crashed thread was not in __task_queue()")
    for frame in [one for one in frames if not one.inlined and one.trust != "scan"][:2]:
        for number, address in sorted(frame.registers.items()):
            data = space.memory.read(address, _TASK) if address and not address & 7 else None
            if not isinstance(data, bytes):
                continue
            table = by_address.get(_word(data, _CONTEXT))
            caller = _caller(space, _word(data, _CALLER))
            if table is None or not table.holds(address) or caller is None:
                continue
            process = space.function_name(_word(data, _PROCESS))
            if process == EXPIRY and -1024 <= int.from_bytes(data[_NICE : _NICE + 2], "little", signed=True) <= 1024:
                expire = int.from_bytes(data[_EXPIRE : _EXPIRE + 4], "little")
                how = f"register {names.get(number, str(number))} of {frame.function}"
                return QueuedTask(address, expire, process, caller, _word(data, _LEAF) != 0, how, OF_THIS_RELEASE)
    return Absence("task that was queued", "no register of its frame leads to the task of a table", NO_SYMBOLS)


def _word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 8], "little")


def _caller(space: TypedMemory, address: int) -> str | None:
    """The caller of a task as `function (file:line)`; "" where its text is not at hand; None for what is none."""
    if not address:
        return ""
    module = space.process.module_at(address)
    if not isinstance(module, Module) or not module.main:
        return None
    data = space.memory.read(address, _CALLER_SIZE)
    if not isinstance(data, bytes):
        return ""
    function, file = (space.text(_word(data, at), 128) for at in (0, 8))
    if not isinstance(function, str) or not isinstance(file, str):
        return ""
    return f"{function} ({file}:{int.from_bytes(data[16:18], 'little')})" if function.isidentifier() else None


def requeue_lock(space: TypedMemory, frames: Sequence[Frame], table: BareTable) -> BareLock | Absence:
    """The lock that stktable_requeue_exp() uses: the one address within the table that its registers hold."""
    for frame in frames:
        if frame.function and plain_name(frame.function) == "stktable_requeue_exp" and not frame.inlined:
            # What the innermost frame did not change is this one's as well.
            found = list(_locks_in(space, frame, [table]))
            if len({one.offset for one in found}) == 1:
                return found[0]
    return Absence("lock of the table", "no register of stktable_requeue_exp() holds its address", NO_SYMBOLS)


def awaited(space: TypedMemory, frame: Frame, tables: Sequence[BareTable]) -> BareLock | Absence:
    """The lock that the innermost frame of a wait holds the address of, if it lies within a table and is taken."""
    found = [one for one in _locks_in(space, frame, tables) if not one.word.free]
    if len({one.address for one in found}) == 1:
        return found[0]
    return Absence("lock that is waited for", "no register of the wait holds the address of a table's lock", NO_SYMBOLS)


def _locks_in(space: TypedMemory, frame: Frame, tables: Sequence[BareTable]) -> Iterator[BareLock]:
    names = space.process.architecture.names
    # What a frame that was only guessed has in its registers is another one's.
    for number, value in sorted(frame.registers.items()) if frame.trust != "scan" else ():
        for table in tables:
            offset = value - table.address
            if _HEAD <= offset <= min(table.room, _LARGEST) - 8 and not value & 7:
                word = space.memory.word(value)
                if isinstance(word, int) and _is_lock(word):
                    how = f"register {names.get(number, str(number))} of {frame.function or 'the wait'}"
                    yield BareLock(table, offset, lock_word(word), how)


def _is_lock(word: int) -> bool:
    """Whether a word can be that of a lock: every writer counts as seeker and reader, every seeker as reader."""
    decoded = lock_word(word)
    return not word & 3 and decoded.writers <= decoded.readers < 1 << 16 and decoded.seekers <= decoded.readers
