"""Files that lie, made into packs: an entry or a reason, never another error."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

import pytest

from forensics.absence import Absence
from forensics.elf.image import ElfImage
from forensics.elf.module import Module
from forensics.errors import ForensicsError
from forensics.memory.random_access import BytesInMemory
from forensics.symbols.files import ModuleFiles
from forensics.symbols.module import ModuleSymbols
from forensics.symbols.pack import SymbolPack, open_pack
from forensics.symbols.pack_writer import pack_entry, write_pack

CC = shutil.which("cc")
PROGRAM = """
static inline __attribute__((always_inline)) int inner(int n) { return n > 3 ? n * 7 : n; }
static __attribute__((noinline)) int middle(int n) { return inner(n) + inner(n + 1); }
int main(int argc, char **argv) { (void)argv; return middle(argc); }
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    if CC is None:
        pytest.skip("no C compiler is installed (Debian: apt-get install gcc)")
    directory = tmp_path_factory.mktemp("program")
    (directory / "program.c").write_text(PROGRAM)
    subprocess.run([CC, "-g", "-O2", "-o", "program", "program.c"], cwd=directory, check=True)
    return (directory / "program").read_bytes()


@pytest.mark.parametrize("slim", [False, True])
@pytest.mark.parametrize("seed", range(40))
def test_a_file_with_lies_in_its_dwarf_gives_an_entry_that_can_be_read(
    program: bytes, seed: int, slim: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HAPROXY_FORENSICS_CACHE", "")
    image = ElfImage(BytesInMemory(program, "program"))
    build_id = image.build_id
    chance, data = random.Random(seed), bytearray(program)
    for name in (".debug_info", ".debug_abbrev", ".debug_line", ".debug_rnglists", ".eh_frame", ".symtab", ".rodata"):
        section = image.sections.get(name)
        for _flip in range(3 if section else 0):
            assert section
            data[section.offset + chance.randrange(section.size)] = chance.randrange(256)
    try:
        damaged = ElfImage(BytesInMemory(bytes(data), "damaged"))
        module = Module("program", 0, 1 << 32, 0, build_id, True, False)
        entry = pack_entry(ModuleSymbols(ModuleFiles(module, "found", damaged)), slim=slim)
    except ForensicsError:
        return
    assert isinstance(entry, bytes)
    write_pack(str(tmp_path / "x.symbols"), [entry])
    pack = open_pack(str(tmp_path / "x.symbols"))
    assert isinstance(pack, SymbolPack)
    assert pack.broken_sections() == []
    symbols = ModuleSymbols(ModuleFiles(module, "found", None, None, pack))
    for address in (0, 0x1000, 0x1040, 0x1139, 1 << 40):
        symbols.site(address)
        symbols.call_sites(address)
    assert isinstance(symbols.dwarf, Absence) is (pack.image.__class__ is Absence)
