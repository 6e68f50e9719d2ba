"""Variables by name: global ones, though static ones of other files have the same name."""

from __future__ import annotations

from pathlib import Path

import pytest

from forensics.absence import Absence
from forensics.elf.image import ElfImage
from forensics.elf.module import Module
from forensics.memory.random_access import LocalFile
from forensics.symbols.find import ModuleFiles
from forensics.symbols.module import ModuleSymbols
from tests.oracles.programs import COMPILER, compile_files

pytestmark = pytest.mark.skipif(not COMPILER, reason="no C compiler is installed")

#: libc.a has a variable of this name for itself, and a linker lists static symbols first.
FIRST = "static volatile long twice = 1; static volatile int alone; int first(void) { return (int)twice + alone; }"
SECOND = "struct { int many[64]; } twice = {{2}}; int first(void); int main(void) { return first() + twice.many[1]; }"


def test_a_global_variable_is_found_though_a_static_one_has_its_name(tmp_path: Path) -> None:
    sources = tmp_path / "sources"
    sources.mkdir()
    for name, text in (("first", FIRST), ("second", SECOND)):
        (sources / f"{name}.c").write_text(text)
    folder = tmp_path / "built"
    folder.mkdir()
    program = compile_files(folder, "program", [sources / "first.c", sources / "second.c"], "-O1", "-Wl,--build-id")
    image = ElfImage(LocalFile(str(program)))
    module = Module(str(program), 0, 1 << 20, 0, image.build_id or "", True, False)
    symbols = ModuleSymbols(ModuleFiles(module, "found", image))
    found, alone = symbols.extent("twice"), symbols.extent("alone")
    assert not isinstance(found, Absence)
    assert found[1] == 256
    assert not isinstance(alone, Absence)
    assert alone[1] == 4
