"""A symbol pack tells the same as the files it was made from, and hostile packs tell nothing."""

from __future__ import annotations

import random
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forensics.absence import Absence
from forensics.elf.core import read_core
from forensics.elf.image import ElfImage
from forensics.elf.module import Module
from forensics.memory.open import open_bytes
from forensics.memory.random_access import LocalFile
from forensics.symbols.find import ModuleFiles, Places
from forensics.symbols.module import ModuleSymbols
from forensics.symbols.pack import SymbolPack, open_pack, open_packs
from forensics.symbols.pack_writer import pack_entry, write_pack
from forensics.unwind.backtrace import Process, backtraces
from samples import golden
from tests.cli.running import run

LAB = Path(__file__).parents[2] / ".lab"
CC = shutil.which("cc")

PROGRAM = """\
#include <stdio.h>
static inline __attribute__((always_inline)) int inner(int n) { return n > 3 ? n * 7 : puts("small"); }
static __attribute__((noinline)) int middle(int n) { return inner(n) + inner(n + 1); }
__attribute__((noinline)) int jumps(int n) { return middle(n + 2); }
int main(int argc, char **argv) { (void)argv; return jumps(argc) + middle(argc); }
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if CC is None:
        pytest.skip("no C compiler is installed (Debian: apt-get install gcc)")
    directory = tmp_path_factory.mktemp("program")
    (directory / "program.c").write_text(PROGRAM)
    subprocess.run([CC, "-g", "-O2", "-o", "program", "program.c"], cwd=directory, check=True)
    return directory / "program"


def symbols_of(path: Path, pack: SymbolPack | None = None) -> ModuleSymbols:
    """The symbols of an executable: from its file, or from a pack alone."""
    image = ElfImage(LocalFile(str(path)))
    module = Module(str(path), 0, 1 << 32, 0, image.build_id, True, False)
    return ModuleSymbols(ModuleFiles(module, "found", None if pack else image, None, pack))


def packed(symbols: ModuleSymbols, path: Path, *, slim: bool) -> SymbolPack:
    """A pack with the one build, opened."""
    entry = pack_entry(symbols, slim=slim)
    assert isinstance(entry, bytes), entry
    write_pack(str(path), [entry])
    pack = open_pack(str(path))
    assert isinstance(pack, SymbolPack), pack
    return pack


@pytest.mark.parametrize("slim", [False, True])
def test_names_lines_and_inlined_calls_are_those_of_the_file(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slim: bool
) -> None:
    monkeypatch.setenv("HAPROXY_FORENSICS_CACHE", "")
    from_file = symbols_of(program)
    pack = packed(from_file, tmp_path / "one.symbols", slim=slim)
    assert pack.has_lines is slim
    assert bool(pack.image) is not slim
    from_pack = symbols_of(program, pack)
    text = from_file.images[0].sections[".text"]
    for address in range(text.address, text.address + text.size):
        assert from_pack.site(address) == from_file.site(address), hex(address)
        entry, sites = from_file.call_sites(address)
        assert from_pack.call_sites(address)[0] == entry
        assert [one for one in from_pack.call_sites(address)[1] if one.tail] == [one for one in sites if one.tail]


def test_a_pack_of_several_builds_gives_each_its_own(program: Path, tmp_path: Path) -> None:
    """Joined by `cat`, or by `symbols pack`."""
    other = tmp_path / "other"
    shutil.copy(program, other)
    subprocess.run(["strip", "--strip-debug", str(other)], check=True)
    entries = [pack_entry(symbols_of(path)) for path in (program, other)]
    both = tmp_path / "both.symbols"
    write_pack(str(both), [entry for entry in entries if isinstance(entry, bytes)])
    opened = open_packs(str(both))
    assert not isinstance(opened, Absence)
    assert [one.has_dwarf for one in opened] == [True, False]
    assert [one.content() for one in opened] == entries
    build_id = opened[0].build_id
    found = open_pack(str(both), build_id)
    assert isinstance(found, SymbolPack)
    assert found.identity == opened[0].identity != opened[1].identity
    missing = open_pack(str(both), "00" * 20)
    assert isinstance(missing, Absence)
    assert "2 builds" in missing.reason


def test_an_entry_is_the_same_whenever_it_is_made(program: Path) -> None:
    assert pack_entry(symbols_of(program)) == pack_entry(symbols_of(program))


def test_a_flipped_bit_is_found(program: Path, tmp_path: Path) -> None:
    path = tmp_path / "one.symbols"
    pack = packed(symbols_of(program), path, slim=False)
    assert pack.broken_sections() == []
    data = bytearray(path.read_bytes())
    data[-20] ^= 4
    path.write_bytes(data)
    damaged = open_pack(str(path))
    assert isinstance(damaged, SymbolPack)
    assert damaged.broken_sections() != []


@pytest.mark.parametrize("name", ["requeue-race-2.9.6", "sharding-with-peers-2.9.6", "bug-on-2.6.12"])
def test_a_core_and_packs_give_the_backtraces_that_the_files_give(name: str) -> None:
    core = LAB / "cores" / name / "core"
    executable = LAB / "builds" / name / "haproxy" if "2.9.6" in name else Path("/usr/sbin/haproxy")
    if not core.is_file() or not executable.is_file():
        pytest.skip(f"the lab is not here: python -m samples.lab {name}")
    with_files = Process(read_core(open_bytes(str(core))), Places(executable=str(executable)))
    with_packs = Process(
        read_core(open_bytes(str(core))), Places(sysroot="/nonexistent-host", packs=(str(golden.SYMBOLS),))
    )
    expected = backtraces(with_files)
    main = with_files.core.main_module
    assert isinstance(main, Module)
    if with_files.symbols(main).files.status != "found":
        pytest.skip("the executable of the lab is of another build than the sample's")
    assert backtraces(with_packs) == expected


@pytest.mark.parametrize("name", sorted(path.name for path in (LAB / "cores").glob("*-2*")) or ["none"])
def test_a_core_and_one_pack_give_the_backtraces_that_the_files_give(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The pack that `symbols pack CORE` writes, with the DWARF; every core that the lab made."""
    core, executable = lab_core(name)
    root = next((str(root) for root in (LAB / "roots").glob("*") if root.resolve() in executable.parents), "")
    places = Places(sysroot=root) if root else Places(executable=str(executable))
    with_files = Process(read_core(open_bytes(str(core))), places)
    expected = backtraces(with_files)
    main = with_files.core.main_module
    if not isinstance(main, Module) or not isinstance(main.build_id, str):
        pytest.skip("qemu's core of another processor does not hold the page with the build-id: no pack can be proven")
    pack = tmp_path / "shared.symbols"
    options = ("--sysroot", root) if root else ("--exe", str(executable))
    assert run(capsys, "symbols", "pack", str(core), *options, "-o", str(pack)).status == 0
    with_pack = Process(read_core(open_bytes(str(core))), Places(sysroot="/nonexistent-host", packs=(str(pack),)))
    assert backtraces(with_pack) == expected
    assert any(frame.function for stack in expected for frame in stack.frames)


def lab_core(name: str) -> tuple[Path, Path]:
    """A core of the lab, and its executable."""
    folder = LAB / "cores" / name
    core = next((folder / each for each in ("core", "haproxy.core") if (folder / each).is_file()), folder / "core")
    said = folder / "executable"
    executable = Path(said.read_text().strip()) if said.is_file() else LAB / "builds" / name / "haproxy"
    if not core.is_file() or not executable.is_file():
        pytest.skip("the lab is not here: python -m samples.lab requeue-race-2.9.6")
    return core, executable


def test_every_pack_of_the_samples_opens_and_is_named_after_its_build() -> None:
    packs = sorted(golden.SYMBOLS.glob("*.symbols"))
    assert len(packs) >= 7
    for path in packs:
        pack = open_pack(str(path))
        assert isinstance(pack, SymbolPack)
        assert path.stem == pack.build_id
        assert pack.table.functions


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no symbol pack"),
        (b"HAPSYM", "no symbol pack"),
        (b"HAPSYM\x01\x00\x10\x00\x00\x00", "format 1"),
        (b"HAPSYM\x02\x00\x10\x00\x00\x00", "damaged"),
        (b"HAPSYM\x02\x00\xff\xff\xff\xff" + bytes(8), "damaged"),
        (b"HAPSYM\x02\x00\x02\x00\x00\x00" + bytes(8) + b"{}", "cannot be read"),
        (b"HAPSYM\x02\x00\x05\x00\x00\x00" + bytes(8) + b"nope!", "cannot be read"),
        (b"HAPSYM\x02\x00\x02\x00\x00\x00" + b"\xff" * 8 + b"{}", "end is missing"),
    ],
)
def test_what_is_no_pack_is_said(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "x.symbols"
    path.write_bytes(content)
    opened = open_pack(str(path))
    assert isinstance(opened, Absence)
    assert reason in opened.reason


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1 << 30))
def test_a_damaged_pack_never_raises(seed: int) -> None:
    source = min(golden.SYMBOLS.glob("*.symbols"), key=lambda path: path.stat().st_size)
    data = bytearray(source.read_bytes())
    chance = random.Random(seed)
    for _flip in range(8):
        data[chance.randrange(len(data))] = chance.randrange(256)
    with tempfile.NamedTemporaryFile(suffix=".symbols") as file:
        file.write(data)
        file.flush()
        pack = open_pack(file.name)
        if isinstance(pack, SymbolPack):
            for address in (0, 0x1000, 0x53000, 0x200000, 1 << 63):
                pack.table.find(address)
                pack.calls(address)
                pack.call_sites(address)
            assert isinstance(pack.assertions, list)
            assert isinstance(pack.extents, dict)
            assert isinstance(pack.structs, dict)


def sites_of(symbols: ModuleSymbols) -> list[object]:
    """What is known of every byte of the program's code."""
    text = ElfImage(LocalFile(symbols.files.module.path)).sections[".text"]
    return [symbols.site(address) for address in range(text.address, text.address + text.size)]


def test_split_dwarf_is_worked_out_since_it_lies_in_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if CC is None:
        pytest.skip("no C compiler is installed (Debian: apt-get install gcc)")
    monkeypatch.setenv("HAPROXY_FORENSICS_CACHE", "")
    (tmp_path / "program.c").write_text(PROGRAM)
    subprocess.run([CC, "-g", "-gsplit-dwarf", "-O2", "-c", "program.c"], cwd=tmp_path, check=True)
    subprocess.run([CC, "-o", "program", "program.o"], cwd=tmp_path, check=True)
    from_file = symbols_of(tmp_path / "program")
    expected = sites_of(from_file)
    pack = packed(from_file, tmp_path / "one.symbols", slim=False)
    assert pack.has_lines
    (tmp_path / "program.dwo").unlink()
    assert sites_of(symbols_of(tmp_path / "program", pack)) == expected


def test_what_dwz_shares_between_files_goes_into_the_pack(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    dwz = shutil.which("dwz")
    if dwz is None:
        pytest.skip("dwz is not installed (Debian: apt-get install dwz)")
    monkeypatch.setenv("HAPROXY_FORENSICS_CACHE", "")
    expected = sites_of(symbols_of(program))
    # Another program with the same declarations, so that there is something to share.
    (tmp_path / "other.c").write_text(PROGRAM.replace("n * 7", "n * 9"))
    subprocess.run([str(CC), "-g", "-O2", "-o", "other", "other.c"], cwd=tmp_path, check=True)
    shutil.copy(program, tmp_path / "program")
    subprocess.run([dwz, "-m", "common.debug", "program", "other"], cwd=tmp_path, check=True)
    if not (tmp_path / "common.debug").exists():
        pytest.skip("dwz found nothing to share")
    path = tmp_path / "shared.symbols"
    assert run(capsys, "symbols", "pack", str(tmp_path / "program"), "-o", str(path)).status == 0
    (tmp_path / "common.debug").unlink()
    pack = open_pack(str(path))
    assert isinstance(pack, SymbolPack)
    assert any(name.startswith("sup.") for name in pack.section_names)
    assert sites_of(symbols_of(tmp_path / "program", pack)) == expected
