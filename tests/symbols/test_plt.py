"""Stubs of the procedure linkage table have gdb's names."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from forensics.elf.image import ElfImage
from forensics.errors import ForensicsError
from forensics.memory.random_access import BytesInMemory, LocalFile
from forensics.symbols.plt import stubs_of

ROOT = Path(__file__).parents[2]
LIBC = Path("/usr/lib/x86_64-linux-gnu/libc.so.6")
REAL = [Path("/usr/sbin/haproxy"), LIBC, *sorted(ROOT.glob(".lab/builds/*/haproxy"))]
PROGRAM = (
    '#include <stdio.h>\n#include <stdlib.h>\nint main(int c, char **v) { puts(v[c - 1]); return system("true"); }\n'
)
COMPILERS = {"cc": (), "aarch64-linux-gnu-gcc": ("-mbranch-protection=standard",)}


def names_of(path: Path) -> dict[int, str]:
    """Address and name of each stub."""
    return {start: name for start, _size, name in stubs_of(ElfImage(LocalFile(str(path))))}


def names_by_gdb(path: Path) -> dict[int, str]:
    """The same by gdb, which is given no debug files."""
    debugger = shutil.which("gdb-multiarch") or shutil.which("gdb")
    if debugger is None:
        pytest.skip("gdb is not installed")
    command = [
        debugger,
        "-nx",
        "-batch",
        "-iex",
        "set debug-file-directory /nonexistent",
        "-ex",
        "info functions @plt$",
    ]
    done = subprocess.run(
        [*command, str(path)], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120, check=True
    )
    return {int(at, 16): name for at, name in re.findall(r"^0x([0-9a-f]+)\s+(\S+@plt)$", done.stdout, re.M)}


@pytest.mark.parametrize("path", REAL, ids=lambda path: "-".join(path.parts[-2:]))
def test_stubs_of_real_executables_have_the_names_that_gdb_gives_them(path: Path) -> None:
    if not path.is_file():
        pytest.skip(f"not on this machine: {path}")
    if "arm64" in str(path) and shutil.which("gdb-multiarch") is None:
        pytest.skip("gdb-multiarch is not installed")
    found = names_of(path)
    assert found == names_by_gdb(path)
    assert bool(found) is ("static" not in str(path))


@pytest.fixture(params=COMPILERS)
def program(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A program that calls into a library."""
    compiler = shutil.which(request.param)
    if compiler is None:
        pytest.skip(f"{request.param} is not installed")
    (tmp_path / "program.c").write_text(PROGRAM)
    command = [compiler, "-O1", *COMPILERS[request.param], "-o", "program", "program.c"]
    subprocess.run(command, cwd=tmp_path, check=True)
    return tmp_path / "program"


def test_stubs_of_a_program_are_named_after_what_they_call(program: Path) -> None:
    found = set(names_of(program).values())
    assert {"puts@plt", "system@plt"} <= found


def test_damaged_tables_give_fewer_names_and_no_other_error(program: Path) -> None:
    data = program.read_bytes()
    true = set(names_of(program))
    image = ElfImage(BytesInMemory(data, "program"))
    places = [
        section.offset + place
        for name in (".plt", ".plt.sec", ".plt.got", ".rela.plt", ".rela.dyn", ".dynsym", ".dynstr")
        if (section := image.sections.get(name))
        for place in range(section.size)
    ]
    for seed in range(200):
        chance, changed = random.Random(seed), bytearray(data)
        for _flip in range(4):
            changed[chance.choice(places)] = chance.randrange(256)
        try:
            found = {start for start, _size, _name in stubs_of(ElfImage(BytesInMemory(bytes(changed), "changed")))}
        except ForensicsError:
            continue
        assert found <= true | set(range(min(true) - 64, max(true) + 64))
