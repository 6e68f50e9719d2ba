"""Stick-tables: ``struct stktable`` of each table in ``stktables_list`` (stick_table-t.h).

Where the entries hang differs: two trees of the table's own until 2.9, one pair for each of ``shards[]`` since
3.0-dev7 (1a088da7c), of ``buckets[]`` since 3.3-dev14. A patched build may have what its release has not: the
version string does not show it, the layout does.
"""

from __future__ import annotations

from collections.abc import Iterator

from forensics.absence import Absence
from forensics.haproxy.leads import number, text
from forensics.haproxy.object_lists import find_tables
from forensics.haproxy.plock import LockWord, lock_word
from forensics.haproxy.stick_data import DataType, stored_types
from forensics.haproxy.structs import Struct, TypedMemory
from forensics.haproxy.walks import Walk
from forensics.record import record
from forensics.symbols.layout import OF_THIS_BUILD, Layout

#: Tables that are read: a configuration has some, a made-up chain may have many.
MOST_TABLES = 10_000
#: CONFIG_HAP_TBL_BUCKETS is 64 at most (defaults.h); a wild layout could say more.
_MOST_BUCKETS = 1024

#: SMP_T_* by number, as `show table` calls them: with SMP_T_SAME (since 2.8) and without.
_TYPES = {
    10: {3: "integer", 5: "ip", 6: "ipv6", 7: "string", 8: "binary"},
    9: {2: "integer", 4: "ip", 5: "ipv6", 6: "string", 7: "binary"},
}
#: sizeof(struct stktable_type): keyword, flags, default size.
_TYPE_SIZE = 24


@record
class TableLock:
    """One lock of a table: the member that it is, its address, and its word."""

    member: str
    address: int
    word: LockWord


@record
class StickTable:
    """One table. ``struct`` is the memory that it was read from.

    ``key_size`` is in bytes, ``size`` and ``used`` are entries, ``expire`` is in milliseconds (0: never).
    ``peers`` is the name of the peers section, "" without one; ``roots`` are the addresses of the trees of keys;
    ``exp_task`` is the address of its expiration task, 0 where it has none of its own (3.3).
    """

    struct: Struct
    address: int
    id: str
    type: str
    key_size: int
    size: int
    used: int
    expire: int
    data_size: int
    data: tuple[DataType, ...]
    layout: str
    roots: tuple[int, ...]
    exp_task: int
    peers: str
    peers_address: int
    proxy: str
    file: str
    line: int
    locks: tuple[TableLock, ...]

    @property
    def trust(self) -> str:
        """Whether its layout is that of this very build (see ``Layout.trust``)."""
        return self.struct.layout.trust

    def lock(self, member: str) -> TableLock | Absence:
        """The lock that is ``member``."""
        found = next((one for one in self.locks if one.member == member), None)
        return found or Absence(f"lock {member} of table {self.id}", "struct stktable of this build has no such lock")


def is_sharded(layout: Layout) -> bool:
    """Whether a table's entries are spread over an array of trees, each with its own lock."""
    return _array_of(layout) != ""


def _array_of(layout: Layout) -> str:
    return next((name for name in ("buckets", "shards") if name in layout.fields), "")


def read_tables(
    space: TypedMemory, walk: Walk | None = None, most: int = MOST_TABLES
) -> tuple[StickTable, ...] | Absence:
    """The first ``most`` tables, in the order of the list; ``walk`` tells where a broken link ended it."""
    found = find_tables(space, walk or Walk(), most)
    return found if isinstance(found, Absence) else tuple(_read_table(space, one) for one in found)


def _read_table(space: TypedMemory, table: Struct) -> StickTable:
    array = _array_of(table.layout)
    peers = _peers_of(table)
    return StickTable(
        struct=table,
        address=table.address,
        id=text(table, "id"),
        type=_type_name(space, number(table, "type")),
        key_size=number(table, "key_size"),
        size=number(table, "size"),
        used=number(table, "current"),
        expire=number(table, "expire"),
        data_size=number(table, "data_size"),
        data=stored_types(space, table),
        layout=array or "plain",
        roots=tuple(_roots(table, array)),
        exp_task=number(table, "exp_task"),
        peers=(text(peers, "id") or "?") if isinstance(peers, Struct) else "?" if peers else "",
        peers_address=peers.address if isinstance(peers, Struct) else peers,
        proxy=_name_of(table.follow("proxy")),
        file=text(table, "conf.file"),
        line=number(table, "conf.line"),
        locks=tuple(_locks(table, array)),
    )


def _name_of(proxy: Struct | Absence) -> str:
    return text(proxy, "id") if isinstance(proxy, Struct) else ""


def _peers_of(table: Struct) -> Struct | int:
    """The peers section: its structure, else its address, 0 where no section is attached."""
    address = number(table, "peers.p")
    found = table.space.at("peers", address) if address else None
    return found if isinstance(found, Struct) else address


def _type_name(space: TypedMemory, kind: int) -> str:
    """The keyword of a type of key: HAProxy's own (``stktable_types``), or the one that is known for its number."""
    extent = space.extent("stktable_types")
    if isinstance(extent, Absence):
        return f"type{kind}"
    count = extent[1] // _TYPE_SIZE
    pointer = space.memory.word(extent[0] + kind * _TYPE_SIZE) if kind < count else 0
    name = space.text(pointer, 32) if pointer else ""
    if isinstance(name, str) and name.isalnum():
        return name
    return _TYPES.get(count, {}).get(kind, f"type{kind}")


def _buckets(table: Struct, array: str) -> Iterator[Struct]:
    field = table.field(array)
    for index in range(min(field.count, _MOST_BUCKETS) if not isinstance(field, Absence) else 0):
        bucket = table.inner(array, index)
        if isinstance(bucket, Struct):
            yield bucket


def _roots(table: Struct, array: str) -> Iterator[int]:
    for holder in _buckets(table, array) if array else (table,):
        root = holder.address_of("keys")
        if isinstance(root, int):
            yield root


def _locks(table: Struct, array: str) -> Iterator[TableLock]:
    """``lock`` (gone in 3.3), ``updt_lock`` (2.9), and those of the buckets; the word is the first member of each."""
    for member in ("lock", "updt_lock"):
        yield from _lock(table, member, member)
    for index, bucket in enumerate(_buckets(table, array) if array else ()):
        yield from _lock(bucket, "sh_lock", f"{array}[{index}].sh_lock")


def _lock(holder: Struct, path: str, member: str) -> Iterator[TableLock]:
    address = holder.address_of(path)
    word = holder.space.memory.word(address) if isinstance(address, int) else address
    if isinstance(address, int) and isinstance(word, int):
        yield TableLock(member, address, lock_word(word))


def looks_right(table: StickTable) -> bool:
    """Whether what an assumed layout says of a table makes sense: offsets of a patched build would be others.

    The place of its configuration stands behind the locks, so that whatever moves them moves it, too.
    """
    if table.trust == OF_THIS_BUILD:
        return True
    sane = bool(table.id) and 0 < table.key_size <= 1 << 16 and table.size > 0 and table.used <= table.size
    return sane and bool(table.file) and table.file.isprintable() and 0 < table.line < 10_000_000
