"""Stick-tables and peers of a core, in short: what the report's `state` holds of them."""

from __future__ import annotations

from collections.abc import Iterator

from forensics.absence import Absence
from forensics.evidence.core_witness import CoreWitness
from forensics.evidence.fact import Fact
from forensics.haproxy.leads import number
from forensics.haproxy.peers import PeersSection, read_peers
from forensics.haproxy.stick_table import StickTable, read_tables
from forensics.haproxy.structs import TypedMemory

#: Tables, sections, and peers of a section that a report lists; `show table` and `show peers` have all.
_MOST = 100
#: Sections, peers and their tables together.
_MOST_STRUCTURES = 2_000


def collect_table_state(witness: CoreWitness) -> Iterator[Fact | Absence]:
    """For the report's ``state``; the facts are ``from_tables``'s."""
    witness.told.update(tables_state(witness.state.space))
    yield from ()


def tables_state(space: TypedMemory) -> dict[str, object]:
    """``stick_tables`` and ``peers``, each only where the core has some."""
    tables, sections = read_tables(space, most=_MOST), read_peers(space, most=_MOST_STRUCTURES)
    state: dict[str, object] = {}
    if not isinstance(tables, Absence) and tables:
        state["stick_tables"] = [_table(one) for one in tables[:_MOST]]
    if not isinstance(sections, Absence) and sections:
        state["peers"] = [_section(one) for one in sections[:_MOST]]
    return state


def _table(table: StickTable) -> dict[str, object]:
    """One table; of its locks those that are not free."""
    return {
        "name": table.id, "type": table.type, "size": table.size, "used": table.used, "expire_ms": table.expire,
        "peers": table.peers, "source": f"{table.file}:{table.line}", "layout": table.layout, "trust": table.trust,
        "held_locks": [f"{one.member}: {one.word.words} ({one.word.word:#x})" for one in table.locks[:_MOST]
                       if not one.word.free],
    }  # fmt: skip


def _section(section: PeersSection) -> dict[str, object]:
    return {
        "name": section.id, "source": f"{section.file}:{section.line}",
        "peers": [
            {"name": one.id, "local": one.local, "active": number(one.struct, "appctx") != 0, "tables": len(one.tables)}
            for one in section.peers[:_MOST]
        ],
    }  # fmt: skip
