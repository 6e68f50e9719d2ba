"""Peers sections of a real core, whole and damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from forensics.elf.core import read_core
from forensics.haproxy.peers import PeersSection, peers_configured, read_peers
from forensics.haproxy.structs import TypedMemory
from forensics.haproxy.walks import Walk
from forensics.memory.open import open_bytes
from forensics.symbols.places import Places
from forensics.unwind.backtrace import Process
from samples import golden
from tests.builders.bounds import within_seconds
from tests.builders.overwritten import overwritten

CORE = golden.SAMPLES / "sharding-with-peers-2.9.6/core.zst"


def space_of(core: Path) -> TypedMemory:
    return TypedMemory(Process(read_core(open_bytes(str(core))), Places(packs=(str(golden.SYMBOLS),))))


def sections_of(core: Path, walks: list[Walk] | None = None, most: int = 1000) -> tuple[PeersSection, ...]:
    found = read_peers(space_of(core), walks, most)
    assert isinstance(found, tuple)
    return found


def test_a_section_has_its_peers_and_what_each_has_of_the_tables() -> None:
    (section,) = sections_of(CORE)
    assert (section.id, section.file, section.line) == ("cluster", "haproxy.cfg", 18)
    assert [(one.id, one.local) for one in section.peers] == [("there", False), ("here", True)]
    (table,) = section.peers[0].tables
    assert (table.table, table.numbers["local_id"], table.table_numbers["update"]) == ("clients", 1, 20)
    assert peers_configured(space_of(CORE).process) == (True, space_of(CORE).variable("cfg_peers"))


def test_a_peer_that_leads_back_ends_the_list_and_is_told(tmp_path: Path) -> None:
    (section,) = sections_of(CORE)
    first, last = section.peers
    following = last.struct.address_of("next")
    assert isinstance(following, int)
    damaged = overwritten(CORE, tmp_path, (following, first.address.to_bytes(8, "little")))
    walks: list[Walk] = []
    (found,) = sections_of(damaged, walks)
    assert [one.id for one in found.peers] == ["there", "here"]
    assert [walk.broken.reason for walk in walks if walk.broken] == [
        "the pointer leads back to an element that came before"
    ]


@pytest.mark.parametrize("most", [0, 1, 2, 3])
def test_all_structures_together_are_bounded(most: int) -> None:
    walks: list[Walk] = []
    found = sections_of(CORE, walks, most)
    count = len(found) + sum(1 + len(peer.tables) for section in found for peer in section.peers)
    assert count == most
    assert any(walk.cut for walk in walks)


def test_sections_that_overwritten_memory_makes_up_end_in_time(tmp_path: Path) -> None:
    (section,) = sections_of(CORE)
    with within_seconds(5):
        for fill in (b"\x00", b"\xff", b"\x55"):
            damaged = overwritten(CORE, tmp_path, (section.address, fill * 64))
            found = sections_of(damaged)
            assert len(found) == 1 and not found[0].id.isalnum()
