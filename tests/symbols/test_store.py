"""The symbol store: kept by build-id, safe against writers at once, never misread."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from forensics.absence import Absence
from forensics.symbols.pack import HEAD, MAGIC, SymbolPack, open_pack
from forensics.symbols.places import store_directory
from forensics.symbols.store import SymbolStore
from samples import golden

PACKS = sorted(golden.SYMBOLS.glob("*.symbols"), key=lambda path: path.stat().st_size)[:2]
ID = PACKS[0].stem


def test_what_was_added_is_found_by_its_build_id(tmp_path: Path) -> None:
    store = SymbolStore(str(tmp_path / "store"))
    assert isinstance(store.find(ID), Absence)
    for pack in PACKS:
        store.add(pack.stem, pack.read_bytes())
    found = store.find(ID)
    assert isinstance(found, SymbolPack)
    assert found.build_id == ID
    assert [build_id for build_id, _pack in store.entries()] == sorted(pack.stem for pack in PACKS)


def test_an_entry_of_another_format_is_refused_and_made_again_by_add(tmp_path: Path) -> None:
    store = SymbolStore(str(tmp_path))
    Path(store.path(ID)).write_bytes(HEAD.pack(MAGIC, 1, 2, 0) + b"{}")
    refused = store.find(ID)
    assert isinstance(refused, Absence)
    assert "format 1" in refused.reason
    store.add(ID, PACKS[0].read_bytes())
    assert isinstance(store.find(ID), SymbolPack)


def test_an_entry_of_another_build_is_not_taken(tmp_path: Path) -> None:
    """Somebody renamed a file."""
    store = SymbolStore(str(tmp_path))
    store.add("ab" * 20, PACKS[0].read_bytes())
    assert isinstance(store.find("ab" * 20), Absence)


def _write(directory: str, rounds: int) -> None:
    store = SymbolStore(directory)
    for number in range(rounds):
        store.add(ID, PACKS[0].read_bytes() if number % 2 else PACKS[0].read_bytes() * 2)


def test_two_writers_and_a_reader_at_once_never_show_half_an_entry(tmp_path: Path) -> None:
    store = SymbolStore(str(tmp_path))
    store.add(ID, PACKS[0].read_bytes())
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write, args=(str(tmp_path), 40)) for _one in range(2)]
    for writer in writers:
        writer.start()
    reads = 0
    while any(writer.is_alive() for writer in writers) or reads < 10:
        pack = open_pack(store.path(ID), ID)
        assert isinstance(pack, SymbolPack), pack
        assert pack.broken_sections() == []
        reads += 1
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert [path.name for path in tmp_path.iterdir()] == [f"{ID}.symbols"], "nothing half-written stays behind"


def test_the_place_of_the_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HAPROXY_FORENSICS_SYMBOLS", "/a")
    assert store_directory() == "/a"
    monkeypatch.delenv("HAPROXY_FORENSICS_SYMBOLS")
    monkeypatch.setenv("XDG_DATA_HOME", "/b")
    assert store_directory() == "/b/haproxy-forensics/symbols"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert store_directory() == f"{tmp_path}/.local/share/haproxy-forensics/symbols"
