"""Arguments and locals: what is hidden, what is missing and why, and DWARF that was damaged."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from forensics.absence import Absence
from forensics.elf.core import read_core
from forensics.elf.image import ElfImage
from forensics.memory.open import open_bytes
from forensics.symbols.find import Places
from forensics.unwind.address_space import AddressSpace
from forensics.unwind.backtrace import Process, backtraces
from forensics.unwind.variables import FrameVariables, variables_of
from tests.builders.bounds import within_seconds
from tests.oracles.programs import COMPILER, compile_c, core_of

SOURCE = Path(__file__).parents[1] / "oracles" / "variables.c"
SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The executable and its core."""
    if not COMPILER:
        pytest.skip("no C compiler")
    folder = tmp_path_factory.mktemp("variables")
    executable = compile_c(folder, "variables", SOURCE.read_text(), "-g", "-O0")
    core = core_of(executable, folder / "core")
    if core is None:
        pytest.skip("no core could be made")
    return executable, core


def variables(executable: Path, core: Path, *, strings: bool = False) -> dict[str, FrameVariables]:
    """The variables by function."""
    process = Process(read_core(open_bytes(str(core))), Places(executable=str(executable)))
    stack = backtraces(process)[0]
    found = variables_of(AddressSpace(process), stack, strings=strings)
    return {frame.function: one for frame, one in zip(stack.frames, found, strict=True)}


def value(found: FrameVariables, name: str) -> str:
    """The value of one variable."""
    return next(one.value for one in found.variables if one.name == name)


def test_values_have_the_forms_of_their_types(program: tuple[Path, Path]) -> None:
    """Without gdb: what the source says they must be."""
    found = variables(*program)
    middle = found["middle"]
    expected = {
        "wide": "1099511627776", "colour": "GREEN", "f": "2.5", "d": "-0.125", "letter": "120 'x'",
        "zero": "0 '\\000'", "byte": "200 '\\310'", "matrix": "{{1, 2, 3}, {4, 5, 6}}",
        "many": "{9, 0 <repeats 39 times>}",
    }  # fmt: skip
    assert {name: value(middle, name) for name in expected} == expected
    assert value(middle, "function").endswith(" <called>")
    assert value(found["last"], "yes") == "true"
    assert value(found["last"], "called_times") == "4"
    assert [one.name for one in found["last"].arguments] == ["lost", "o", "text", "yes", "small", "wide"]


def test_strings_are_hidden_unless_they_are_constants_or_asked_for(program: tuple[Path, Path]) -> None:
    """`text` is on the stack; the name of `outermost` is a constant of the executable."""
    hidden, shown = variables(*program), variables(*program, strings=True)
    assert value(hidden["middle"], "text") == '"..." (16 bytes)'
    assert value(hidden["last"], "text").endswith(' "..." (10 bytes)')
    assert "local text" not in str(hidden)
    assert value(shown["middle"], "text") == '"local text\\000\\000\\000\\000\\000"'
    assert '"secret name"' in value(hidden["outermost"], "o")


def test_a_program_without_dwarf_says_what_is_missing(program: tuple[Path, Path], tmp_path: Path) -> None:
    import subprocess

    executable, core = program
    stripped = tmp_path / "variables"
    try:
        subprocess.run(["strip", "-o", stripped, executable], check=True, capture_output=True)
    except OSError:
        pytest.skip("no strip")
    process = Process(read_core(open_bytes(str(core))), Places(executable=str(stripped), sysroot=str(tmp_path)))
    found = variables_of(AddressSpace(process), backtraces(process)[0], strings=False)
    assert found
    assert all(not one.variables and isinstance(one.missing, Absence) for one in found)
    assert "DWARF" in str(found[0].missing)


def test_a_symbol_pack_holds_no_variables() -> None:
    core = SAMPLES / "requeue-race-2.9.6" / "core.zst"
    process = Process(read_core(open_bytes(str(core))), Places(packs=(str(SAMPLES / "symbols"),), sysroot="/nowhere"))
    found = variables_of(AddressSpace(process), backtraces(process)[0], strings=False)
    assert all(not one.variables for one in found)
    assert "no file with DWARF" in str(found[0].missing)


@pytest.mark.parametrize("seed", range(60))
def test_damaged_dwarf_gives_absences_in_bounded_time(seed: int, program: tuple[Path, Path], tmp_path: Path) -> None:
    """Bytes of the debug sections changed; the build-id is the old one."""
    executable, core = program
    chance = random.Random(seed)
    data = bytearray(executable.read_bytes())
    image = ElfImage(open_bytes(str(executable)))
    sections = [one for name, one in image.sections.items() if name.startswith(".debug_") and one.size]
    for _flip in range(chance.choice((1, 5, 40))):
        section = chance.choice(sections)
        data[section.offset + chance.randrange(section.size)] = chance.choice((0, 0x7F, 0xFF, chance.randrange(256)))
    broken = tmp_path / "variables"
    broken.write_bytes(data)
    with within_seconds(25):
        variables(broken, core)
