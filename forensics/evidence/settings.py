"""How the process was configured, as its core tells: the same facts as haproxy.cfg's (``from_config``)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from forensics.absence import Absence
from forensics.evidence.fact import Fact
from forensics.haproxy.configured import (
    Globals,
    count_proxies,
    lua_loaded,
    read_globals,
    read_peers,
)
from forensics.haproxy.structs import TypedMemory
from forensics.source import Source
from forensics.symbols.layout import OF_THIS_BUILD

if TYPE_CHECKING:
    from forensics.evidence.core_witness import CoreWitness


def collect_settings(witness: CoreWitness) -> Iterator[Fact | Absence]:
    """What the structures in memory say; without debug symbols nothing is missed until a signature asks for it."""
    space = TypedMemory(witness.process)
    found = read_globals(space)
    if isinstance(found, Globals):
        yield from _globals(found, witness.path, space)
    yield from _peers(space, witness.path)
    proxies = count_proxies(space)
    if isinstance(proxies, int):
        yield Fact("config.proxies", proxies, Source(witness.path, "list of proxies"), _trust(space))
    lua = lua_loaded(space)
    if isinstance(lua, bool):
        yield Fact("config.lua", lua, Source(witness.path, "functions that Lua scripts registered"), "derived")


def _trust(space: TypedMemory) -> str:
    """Layouts of another build of the same release are trusted less."""
    return "read" if space.trust == OF_THIS_BUILD else "assumed"


def _globals(found: Globals, path: str, space: TypedMemory) -> Iterator[Fact]:
    for name, value, member in (
        ("config.threads", found.threads, "nbthread"),
        ("config.thread_groups", found.groups, "nbtgroups"),
        ("config.maxconn", found.maxconn, "maxconn"),
        ("config.master_worker", found.master_worker, "mode"),
        ("config.set_dumpable", found.set_dumpable, "tune.options"),
    ):
        if not isinstance(value, Absence):
            yield Fact(name, value, Source(path, f"global.{member}", address=found.address), _trust(space))
    if found.tune:
        values = tuple(f"{name}={value}" for name, value in sorted(found.tune.items()))
        yield Fact("config.tune", values, Source(path, "global.tune", address=found.address), _trust(space))


def _peers(space: TypedMemory, path: str) -> Iterator[Fact]:
    sections = read_peers(space)
    if isinstance(sections, Absence) or not sections:
        return
    source = Source(path, "list cfg_peers", address=sections[0].address)
    yield Fact("config.peers", tuple(section.name for section in sections), source, _trust(space))
    yield Fact("config.remote_peers", sum(len(section.remote) for section in sections), source, _trust(space))
