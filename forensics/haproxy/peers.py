"""Peers sections: ``struct peers`` with its ``struct peer`` and the tables that each shares (peers-t.h)."""

from __future__ import annotations

from collections.abc import Iterator

from forensics.absence import Absence
from forensics.elf.module import Module
from forensics.haproxy.chains import chained
from forensics.haproxy.leads import number, text
from forensics.haproxy.structs import Struct, TypedMemory
from forensics.haproxy.walks import Walk
from forensics.record import record
from forensics.unwind.backtrace import Process

#: Sections, peers and shared tables that are read, all together: damaged chains could lead to the same ones again.
MOST_STRUCTURES = 100_000


@record
class SharedTable:
    """What one peer has of one table; ``numbers`` are members of ``struct shared_table``, by name."""

    address: int
    table: str
    table_address: int
    numbers: dict[str, int]
    table_numbers: dict[str, int]


@record
class Peer:
    """One peer.

    ``struct`` is the memory that it was read from; ``remote_table`` and ``last_local_table`` are addresses of
    ``tables``, 0 for none.
    """

    struct: Struct
    address: int
    id: str
    local: bool
    remote_table: int
    last_local_table: int
    tables: tuple[SharedTable, ...]


@record
class PeersSection:
    """One section; ``struct`` is the memory that it was read from."""

    struct: Struct
    address: int
    id: str
    file: str
    line: int
    peers: tuple[Peer, ...]


def peers_configured(process: Process) -> tuple[bool, int] | Absence:
    """Whether ``cfg_peers``, the list of peers sections, is not empty, and the address of the variable."""
    module = process.core.main_module
    if not isinstance(module, Module):
        return module
    address = process.symbols(module).variable("cfg_peers")
    if isinstance(address, Absence):
        return address
    word = process.core.memory.word(module.base + address)
    return word if isinstance(word, Absence) else (word != 0, module.base + address)


def read_peers(
    space: TypedMemory, walks: list[Walk] | None = None, most: int = MOST_STRUCTURES
) -> tuple[PeersSection, ...] | Absence:
    """All sections, in the order of ``cfg_peers``; ``walks`` gets how each list was walked.

    ``most`` bounds the structures that are read: sections, peers and what each has of a table.
    """
    first = space.word("cfg_peers")
    if isinstance(first, Absence):
        return first
    if isinstance(layout := space.layout("peers"), Absence):
        return layout
    reader = _Reader(space, [] if walks is None else walks, most)
    return tuple(reader.section(one) for one in reader.chain("peers", first))


class _Reader:
    """Reads chains of structures, at most ``left`` of them."""

    def __init__(self, space: TypedMemory, walks: list[Walk], left: int) -> None:
        self._space = space
        self._walks = walks
        self._left = left

    def chain(self, name: str, first: int) -> Iterator[Struct]:
        """Structures that are chained by their member ``next``."""
        walk = Walk()
        found = chained(self._space, name, first, walk, MOST_STRUCTURES)
        if isinstance(found, Absence):
            return
        self._walks.append(walk)
        for one in found:
            self._left -= 1
            if self._left < 0:
                walk.cut = True
                return
            yield one

    def section(self, peers: Struct) -> PeersSection:
        """One section with its peers."""
        return PeersSection(
            struct=peers,
            address=peers.address,
            id=text(peers, "id"),
            file=text(peers, "conf.file"),
            line=number(peers, "conf.line"),
            peers=tuple(self._peer(one) for one in self.chain("peer", number(peers, "remote"))),
        )

    def _peer(self, peer: Struct) -> Peer:
        return Peer(
            struct=peer,
            address=peer.address,
            id=text(peer, "id"),
            local=bool(number(peer, "local")),
            remote_table=number(peer, "remote_table"),
            last_local_table=number(peer, "last_local_table"),
            tables=tuple(_shared(one) for one in self.chain("shared_table", number(peer, "tables"))),
        )


def _shared(shared: Struct) -> SharedTable:
    table = shared.follow("table", "stktable")
    return SharedTable(
        address=shared.address,
        table=text(table, "id") if isinstance(table, Struct) else "",
        table_address=number(shared, "table"),
        numbers=_numbers(shared),
        table_numbers=_numbers(table) if isinstance(table, Struct) else {},
    )


def _numbers(one: Struct) -> dict[str, int]:
    """The members that are single integers."""
    found = {}
    for name, field in one.layout.fields.items():
        value = one.number(name) if field.kind in ("int", "uint") and not field.counts else None
        if isinstance(value, int):
            found[name] = value
    return found
