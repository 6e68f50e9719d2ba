"""Counters of checks from a core's memory: a program of our own that died, damage, and real samples."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from forensics.absence import Absence
from forensics.api import Options, open_core
from forensics.elf.image import ElfImage
from forensics.elf.module import Module
from forensics.haproxy.counters import Counters, read_counters
from forensics.haproxy.death.cause import decide
from forensics.memory.process import Memory
from forensics.memory.random_access import LocalFile
from forensics.symbols.checks import COUNT_OFFSET, ENTRY, MAX_CHECKS
from forensics.symbols.find import Places
from forensics.symbols.pack_writer import pack_entry, write_pack
from forensics.symbols.places import pack_name
from forensics.symbols.sentence import place_of
from forensics.unwind.backtrace import Process, backtraces
from tests.oracles.programs import core_of
from tests.symbols.programs import build, strip

ROOT = Path(__file__).parents[2]


@pytest.fixture
def dead(tmp_path: Path) -> Process:
    """The sample program after its BUG_ON of src/one.c:11 failed; it warned of nothing, and counted once."""
    program = strip(build(tmp_path, "x86-64"), "x86-64")
    core = core_of(program, tmp_path / "core", "5")
    if core is None:
        pytest.skip("neither the kernel nor gdb writes a core here")
    return open_core(str(core), Options(Places(executable=str(program))))[0]


def section(process: Process) -> tuple[int, int]:
    """Where the entries lie in memory, and their size."""
    main = process.core.main_module
    assert isinstance(main, Module)
    symbols = process.symbols(main)
    start, stop = symbols.check_borders()
    return main.base + start, stop - start


def test_the_check_that_failed_and_those_before_it_are_counted(dead: Process) -> None:
    found = read_counters(dead)
    assert isinstance(found, Counters)
    assert found.total == 8
    told = {(one.kind, one.file, one.line, one.function, one.condition, one.count, one.fatal) for one in found.hits}
    assert ("bug", "src/one.c", 11, "first", "n > 3", 1, True) in told
    assert ("count", "src/one.c", 10, "first", "n & 1", 1, False) in told
    assert [one.place for one in found.fatal()] == [("src/one.c", 11)]


def test_code_and_counter_agree_on_how_it_died(dead: Process) -> None:
    death = decide(dead, backtraces(dead)[0], read_counters(dead))
    assert (death.kind, death.condition, death.file, death.line) == ("bug_on", "n > 3", "src/one.c", 11)
    assert "counter of the check" in death.told_by
    assert "do not show" not in death.evidence


def test_the_counter_decides_where_the_compiler_merged_two_crashes(tmp_path: Path) -> None:
    """`gcc -Os`: two assertions of one function share everything behind the load of the sentence."""
    program = strip(build(tmp_path, "x86-64", "-Os", "-DFOLD"), "x86-64")
    core = core_of(program, tmp_path / "core", "3")
    if core is None:
        pytest.skip("neither the kernel nor gdb writes a core here")
    process = open_core(str(core), Options(Places(executable=str(program))))[0]
    stack = backtraces(process)[0]
    alone = decide(process, stack)
    if not alone.candidates:
        pytest.skip("this compiler does not merge the two")
    assert alone.kind == "bug_on"
    assert alone.condition == ""
    assert "one of 2 assertions failed, whose code the compiler merged" in alone.explanation
    assert {place_of(one) for one in alone.candidates} == {("src/one.c", 30), ("src/two.c", 31)}
    counted = decide(process, stack, read_counters(process))
    assert (counted.condition, counted.file, counted.line) == ("n == 5", "src/one.c", 30)
    assert counted.told_by == "counter of the check, in section dbg_cnt"
    assert counted.candidates == ()


def test_counters_that_deny_what_the_code_says_are_reported(dead: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    """The code is believed, as nothing can write to it; the report says that memory says otherwise."""
    address, size = section(dead)
    data = bytearray(dead.core.memory.read(address, size))  # type: ignore[arg-type]
    for place in range(0, size, ENTRY.size):
        struct.pack_into("<I", data, place + COUNT_OFFSET, 0)
    with_entries(dead, monkeypatch, bytes(data))
    death = decide(dead, backtraces(dead)[0], read_counters(dead))
    assert (death.file, death.line) == ("src/one.c", 11)
    assert "do not show that this check matched; they name no other" in death.contradiction


class Overlay:
    """Memory with some bytes replaced."""

    def __init__(self, below: Memory, address: int, data: bytes) -> None:
        self._below, self._address, self._data = below, address, data

    def read(self, address: int, size: int) -> bytes | Absence:
        if address == self._address:
            return self._data[:size]
        return self._below.read(address, size)

    def __getattr__(self, name: str) -> object:
        return getattr(self._below, name)


def with_entries(process: Process, monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    address, _size = section(process)
    monkeypatch.setattr(process, "core", _with_memory(process, Overlay(process.core.memory, address, data)))


def _with_memory(process: Process, memory: object) -> object:
    class Core:
        def __getattr__(self, name: str) -> object:
            return memory if name == "memory" else getattr(original, name)

    original = process.core
    return Core()


def test_a_section_of_garbage_is_damaged(dead: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    _address, size = section(dead)
    for garbage in (bytes(size), b"\xff" * size, bytes(range(256)) * (size // 256)):
        with_entries(dead, monkeypatch, garbage)
        found = read_counters(dead)
        assert isinstance(found, Absence)
        assert "damaged" in found.reason


def test_one_damaged_entry_does_not_spoil_the_others(dead: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    address, size = section(dead)
    data = dead.core.memory.read(address, size)
    assert isinstance(data, bytes)
    with_entries(dead, monkeypatch, bytes(ENTRY.size) + data[ENTRY.size :])
    found = read_counters(dead)
    assert isinstance(found, Counters)
    assert found.hits


def test_entries_with_pointers_to_nowhere_take_their_texts_from_the_file(
    dead: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or, as here, from what the file says at the same address."""
    address, size = section(dead)
    data = bytearray(dead.core.memory.read(address, size))  # type: ignore[arg-type]
    for place in range(0, size, ENTRY.size):
        struct.pack_into("<QQQ", data, place, 0x4141, 0x4141, 0x4141)
    with_entries(dead, monkeypatch, bytes(data))
    found = read_counters(dead)
    assert isinstance(found, Counters)
    assert ("src/one.c", 11) in [one.place for one in found.hits]


def test_a_pack_of_the_build_tells_the_same(dead: Process, tmp_path: Path) -> None:
    """Without the executable: texts and borders are those that the pack holds."""
    main = dead.core.main_module
    assert isinstance(main, Module)
    entry = pack_entry(dead.symbols(main))
    assert isinstance(entry, bytes)
    (tmp_path / "packs").mkdir()
    write_pack(str(tmp_path / "packs" / pack_name(str(main.build_id))), [entry])
    Path(main.path).rename(tmp_path / "moved")
    places = Places(packs=(str(tmp_path / "packs"),))
    packed = open_core(dead.core.path, Options(places))[0]
    assert packed.symbols(main).images == ()
    assert read_counters(packed) == read_counters(dead)
    assert decide(packed, backtraces(packed)[0], read_counters(packed)).line == 11


@pytest.mark.parametrize("size", [0, -32, 33, (MAX_CHECKS + 1) * 32, 1 << 40])
def test_borders_that_lie_are_refused(dead: Process, size: int) -> None:
    main = dead.core.main_module
    assert isinstance(main, Module)
    symbols = dead.symbols(main)
    start, _stop = symbols.check_borders()
    symbols.records.records("check_borders")[""] = [start, start + size]
    found = read_counters(dead)
    assert isinstance(found, Absence)


def test_memory_that_the_core_lacks_is_said(dead: Process) -> None:
    main = dead.core.main_module
    assert isinstance(main, Module)
    dead.symbols(main).records.records("check_borders")[""] = [1 << 46, (1 << 46) + 64]
    found = read_counters(dead)
    assert isinstance(found, Absence)
    assert "the core does not hold them" in found.reason


@pytest.mark.parametrize(
    ("sample", "places"),
    [
        ("bug-on-3.4.7", [("src/debug.c", 995)]),
        ("requeue-fixed-3.0.11", [("src/task.c", 285)]),
        ("requeue-race-2.9.6", [("src/task.c", 285)]),
        ("watchdog-loop-3.0.11", []),
    ],
)
def test_real_cores_name_the_assertion_that_failed(sample: str, places: list[tuple[str, int]]) -> None:
    """Exactly that one counted; a watchdog's victim has none."""
    core = ROOT / "samples" / sample / "core.zst"
    candidates = [*ROOT.glob(".lab/builds/*/haproxy"), *ROOT.glob(".lab/roots/*/usr/sbin/haproxy")]
    process = open_core(str(core), Options(Places()))[0]
    main = process.core.main_module
    assert isinstance(main, Module)
    executable = next((path for path in candidates if ElfImage(LocalFile(str(path))).build_id == main.build_id), None)
    if executable is None:
        pytest.skip("the lab does not hold the executable of this sample")
    process = open_core(str(core), Options(Places(executable=str(executable))))[0]
    found = read_counters(process)
    assert isinstance(found, Counters)
    assert found.total > 600
    assert [one.place for one in found.fatal()] == places
