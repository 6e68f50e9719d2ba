"""Peers sections: ``struct peers`` with its ``struct peer`` and the tables that each shares (peers-t.h)."""

from __future__ import annotations

from collections.abc import Iterator

from forensics.absence import Absence
from forensics.elf.module import Module
from forensics.haproxy.structs import Struct, TypedMemory
from forensics.haproxy.walks import Walk, iter_chain
from forensics.record import record
from forensics.unwind.backtrace import Process

#: Sections, peers of a section, and tables of a peer that are read.
_MOST = 4096


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


def read_peers(space: TypedMemory, walks: list[Walk] | None = None) -> tuple[PeersSection, ...] | Absence:
    """All sections, in the order of ``cfg_peers``; ``walks`` gets how each list was walked."""
    first = space.word("cfg_peers")
    if isinstance(first, Absence):
        return first
    if isinstance(layout := space.layout("peers"), Absence):
        return layout
    kept = [] if walks is None else walks
    return tuple(_section(space, one, kept) for one in _chain(space, "peers", first, kept))


def _chain(space: TypedMemory, name: str, first: int, walks: list[Walk]) -> Iterator[Struct]:
    """Structures that are chained by their member ``next``."""
    layout = space.layout(name)
    following = None if isinstance(layout, Absence) else layout.fields.get("next")
    if following is None:
        return
    walk = Walk()
    walks.append(walk)
    for address in iter_chain(space.memory, first, following.offset, walk, _MOST):
        found = space.at(name, address)
        if isinstance(found, Struct):
            yield found


def _section(space: TypedMemory, peers: Struct, walks: list[Walk]) -> PeersSection:
    first = peers.number("remote")
    return PeersSection(
        struct=peers,
        address=peers.address,
        id=_text(peers, "id"),
        file=_text(peers, "conf.file"),
        line=number(peers, "conf.line"),
        peers=tuple(_peer(space, one, walks) for one in _chain(space, "peer", first or 0, walks)),
    )


def _peer(space: TypedMemory, peer: Struct, walks: list[Walk]) -> Peer:
    return Peer(
        struct=peer,
        address=peer.address,
        id=_text(peer, "id"),
        local=bool(number(peer, "local")),
        remote_table=number(peer, "remote_table"),
        last_local_table=number(peer, "last_local_table"),
        tables=tuple(_shared(one) for one in _chain(space, "shared_table", number(peer, "tables"), walks)),
    )


def _shared(shared: Struct) -> SharedTable:
    table = shared.follow("table", "stktable")
    return SharedTable(
        address=shared.address,
        table=_text(table, "id") if isinstance(table, Struct) else "",
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


def number(one: Struct, path: str) -> int:
    """A number, 0 where the build has no such member."""
    found = one.number(path)
    return found if isinstance(found, int) else 0


def _text(one: Struct, path: str) -> str:
    found = one.text(path)
    return found if isinstance(found, str) else ""
