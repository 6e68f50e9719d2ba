"""Whose lock it is: a global variable, or the member of a table, proxy, server, listener, peer, pool or thread."""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic

from forensics.absence import Absence
from forensics.haproxy.chains import listed
from forensics.haproxy.object_lists import (
    find_listeners,
    find_peers,
    find_proxies,
    find_sections,
    find_servers,
    find_tables,
)
from forensics.haproxy.state import State
from forensics.haproxy.structs import Struct, TypedMemory, known_text
from forensics.haproxy.walks import Walk
from forensics.record import record
from forensics.symbols.layout import Field, Layout
from forensics.unwind.address_space import AddressSpace

#: Objects of one kind that are looked through, and seconds for all of them.
_MOST, _SECONDS = 200_000, 5
#: Structures within structures.
_DEEPEST = 6

#: Global arrays: the structure of their elements, and what an element is called.
_ARRAYS = {
    "ha_thread_ctx": ("thread_ctx", "thread"), "task_per_thread": ("task_per_thread", "thread"),
    "ha_thread_info": ("thread_info", "thread"), "ha_tgroup_ctx": ("tgroup_ctx", "thread group"),
    "per_bucket": ("per_bucket", "bucket"),
}  # fmt: skip


@record
class LockPlace:
    """What holds a lock: ``struct`` and ``member`` name it in the sources, ``owner`` the object for a reader.

    ``field`` is the member's type where the layout is known: a structure where the build debugs its locks.
    """

    owner: str
    struct: str
    member: str
    field: Field | None = None

    @property
    def words(self) -> str:
        """``table st_src, updt_lock``; ``wq_lock``."""
        return f"{self.owner}, {self.member}" if self.member else self.owner


class LockPlaces:
    """Names for the addresses of locks; objects on the heap are walked when one of them is needed."""

    def __init__(self, state: State) -> None:
        self.space: TypedMemory = state.space
        self._symbols = AddressSpace(state.process)
        self._known: list[tuple[int, Layout, str]] = []
        self._walk = _iter_objects(self.space)
        self._deadline = monotonic() + _SECONDS

    def find(self, address: int) -> LockPlace | Absence:
        """What holds the lock at ``address``."""
        symbol = self._symbols.symbol(address)
        if symbol:
            return self._of_symbol(symbol, address)
        for start, layout, owner in self._iter_known():
            if start <= address < start + layout.size:
                member, field = member_at(self.space, layout, address - start)
                return LockPlace(owner, layout.name, member, field)
        return Absence(f"owner of the lock at {address:#x}", "no known object holds this address")

    def _of_symbol(self, symbol: str, address: int) -> LockPlace:
        name = symbol.split("+", maxsplit=1)[0]
        known = _ARRAYS.get(name)
        layout = self.space.layout(known[0]) if known else Absence(name, "not an array that is known")
        start = self.space.variable(name)
        if known is None or isinstance(layout, Absence) or isinstance(start, Absence) or not layout.size:
            return LockPlace(symbol, "", "", self._debugged(name) if symbol == name else None)
        index, offset = divmod(address - start, layout.size)
        member, field = member_at(self.space, layout, offset)
        number = index if known[1] == "bucket" else index + 1
        return LockPlace(f"{known[1]} {number}", known[0], member, field)

    def _debugged(self, name: str) -> Field | None:
        """What a global lock is in a build that debugs its locks: its size tells, as the symbol has no type."""
        extent = self.space.extent(name)
        for struct in ("ha_rwlock", "ha_spinlock"):
            layout = self.space.layout(struct)
            if isinstance(layout, Layout) and not isinstance(extent, Absence) and extent[1] == layout.size:
                return Field(0, layout.size, "struct", struct)
        return None

    def _iter_known(self) -> Iterator[tuple[int, Layout, str]]:
        """Start, layout and name of the objects that hold locks, walked no further than somebody asks."""
        yield from self._known
        for struct, owner in self._walk:
            if len(self._known) >= _MOST or monotonic() > self._deadline:
                return
            self._known.append((struct.address, struct.layout, owner))
            yield self._known[-1]


def member_at(space: TypedMemory, layout: Layout, offset: int) -> tuple[str, Field | None]:
    """The member at ``offset``, such as ``shards[3].sh_lock``, and its type; "" where there is none."""
    path: list[str] = []
    for _depth in range(_DEEPEST):
        found = [(name, one) for name, one in layout.fields.items() if one.offset <= offset < one.offset + _extent(one)]
        if not found:
            break
        # Of a union's members, all of which begin here, the first one will do.
        name, field = max(found, key=lambda each: each[1].offset)
        index, offset = divmod(offset - field.offset, max(field.size, 1))
        path.append(f"{name}[{index}]" if field.counts else name)
        inner = space.layout(field.target) if field.kind in ("struct", "union") else None
        if not isinstance(inner, Layout) or field.target in ("ha_spinlock", "ha_rwlock"):
            return ".".join(path), field
        layout = inner
    return ".".join(path), None


def _extent(field: Field) -> int:
    return field.size * max(field.count, 1)


def _iter_objects(space: TypedMemory) -> Iterator[tuple[Struct, str]]:
    for one in find_tables(space, Walk(), _MOST) or ():
        yield one, f"table {_id(one)}"
    yield from _proxies(space)
    yield from _peers(space)
    yield from _pools(space)


def _proxies(space: TypedMemory) -> Iterator[tuple[Struct, str]]:
    """Proxies with their servers and listeners."""
    for proxy in find_proxies(space, Walk(), _MOST) or ():
        name = _id(proxy)
        yield proxy, f"proxy {name}"
        for server in find_servers(proxy, Walk(), _MOST) or ():
            yield server, f"server {name}/{_id(server)}"
        for listener in find_listeners(proxy, Walk(), _MOST) or ():
            yield listener, f"listener {listener.text('name', 100) or '?'} of {name}"


def _peers(space: TypedMemory) -> Iterator[tuple[Struct, str]]:
    for section in find_sections(space, Walk(), _MOST) or ():
        yield section, f"peers section {_id(section)}"
        for peer in find_peers(section, Walk(), _MOST) or ():
            yield peer, f"peer {_id(section)}/{_id(peer)}"


def _pools(space: TypedMemory) -> Iterator[tuple[Struct, str]]:
    head = space.variable("pools")
    for pool in () if isinstance(head, Absence) else listed(space, "pool_head", head, Walk(), _MOST) or ():
        yield pool, f"pool {pool.text('name', 64) or '?'}"


def _id(one: Struct) -> str:
    return known_text(one.text("id", 200), f"{one.address:#x}")
