"""Layouts from DWARF, against what the compiled program says of itself."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

import pytest

from forensics.absence import Absence
from forensics.elf.image import ElfImage
from forensics.memory.random_access import BytesInMemory, LocalFile
from forensics.symbols.dwarf.locate import open_dwarf
from forensics.symbols.dwarf.structures import Structures
from forensics.symbols.layout import KINDS, Field, Layout
from tests.builders.bounds import within_seconds
from tests.oracles.programs import CLANG, COMPILER, compile_c

SOURCE = Path(__file__).with_name("structures.c").read_text()

pytestmark = pytest.mark.skipif(not COMPILER, reason="no C compiler is installed")

BUILDS = {
    "dwarf5": ("-gdwarf-5", "-O2"),
    "dwarf4": ("-gdwarf-4", "-O2"),
    "dwarf3": ("-gdwarf-3", "-O2"),
    "dwarf2": ("-gdwarf-2", "-gstrict-dwarf", "-O0"),
    "lto": ("-g", "-O2", "-flto=auto"),
    "types": ("-gdwarf-5", "-fdebug-types-section"),
    "types4": ("-gdwarf-4", "-fdebug-types-section"),
    "split": ("-gdwarf-5", "-gsplit-dwarf"),
    "clang": ("-gdwarf-5", "-O2"),
    "clang4": ("-gdwarf-4", "-O0"),
}


@pytest.fixture(scope="module", params=BUILDS)
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = CLANG if request.param.startswith("clang") else COMPILER
    if not compiler:
        pytest.skip("clang is not installed")
    return compile_c(
        tmp_path_factory.mktemp(request.param), "program", SOURCE, *BUILDS[request.param], compiler=compiler
    )


def structures_of(source: Path | bytes) -> Structures:
    image = ElfImage(LocalFile(str(source)) if isinstance(source, Path) else BytesInMemory(source))
    dwarf = open_dwarf(image)
    assert not isinstance(dwarf, Absence)
    return Structures(dwarf.info)


def layouts_of(program: Path) -> dict[str, Layout]:
    found = structures_of(program).layouts("table")
    assert isinstance(found, dict)
    return found


def field_of(layouts: dict[str, Layout], path: str) -> tuple[int, int]:
    """Offset and whole size (bytes) of a member, inner ones followed; an index chooses an element."""
    layout, base = layouts["table"], 0
    *inner, last = path.split(".")
    for part in inner:
        name, _bracket, index = part.rstrip("]").partition("[")
        field = layout.fields[name]
        base += field.offset + int(index or 0) * field.size
        layout = layouts[field.target]
    name, bracket, index = last.rstrip("]").partition("[")
    field = layout.fields[name]
    return base + field.offset + int(index or 0) * field.size, field.size * (1 if bracket else field.count)


def test_offsets_and_sizes_are_the_compilers_own(program: Path) -> None:
    said = subprocess.run([program], capture_output=True, text=True, check=True, timeout=10).stdout.splitlines()
    structures = structures_of(program)
    layouts: dict[str, Layout] = {}
    for name in ("table", "eb_node", "nameless_t"):
        found = structures.layouts(name)
        assert isinstance(found, dict)
        layouts |= found
    # The structure without a name is called by its typedef, or after the member that it is.
    layouts.setdefault("table.nameless", layouts["nameless_t"])
    assert layouts["table"].size == int(said[0].split()[1])
    assert len(said) == 27
    for line in said[1:]:
        path, offset, size = line.split()
        assert field_of(layouts, path) == (int(offset), int(size)), path


def test_kinds_and_targets_tell_how_to_read_a_member(program: Path) -> None:
    fields = layouts_of(program)["table"].fields
    shapes = {name: (field.kind, field.target) for name, field in fields.items()}
    assert shapes["next"] == ("pointer", "table")
    assert shapes["id"] == ("char", "")
    assert shapes["handler"] == ("pointer", "()")
    assert shapes["argv"] == ("pointer", "*char")
    assert shapes["peers"] == ("union", "table.peers")
    assert shapes["shards"] == ("struct", "table.shards")
    assert shapes["node"] == ("struct", "eb_node")
    assert shapes["colour"] == ("enum", "colour")
    assert shapes["rate"] == ("float", "")
    assert shapes["matrix"][0] == "int"
    assert (fields["shards"].counts, fields["matrix"].counts, fields["flexible"].count) == ((3,), (2, 4), 0)
    assert {field.kind for field in fields.values()} <= set(KINDS)


def test_enumerations_have_their_names(program: Path) -> None:
    structures = structures_of(program)
    assert structures.enumeration("colour") == {0: "RED", 5: "GREEN", 260: "BLUE"}
    assert isinstance(structures.enumeration("table"), Absence)
    assert isinstance(structures.layouts("colour"), Absence)
    assert isinstance(structures.layouts("nothing"), Absence)


def test_layouts_survive_being_kept(program: Path) -> None:
    for name, layout in layouts_of(program).items():
        assert Layout.from_plain(name, layout.to_plain(), layout.source) == layout


@pytest.mark.parametrize(
    "plain", [None, [], [0], [0, 4, "x"], [-1, 4, "int"], [0, 4, "int", "", [-2]], "text", [1] * 9]
)
def test_a_record_of_another_shape_is_refused(plain: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        Field.from_plain(plain)


@pytest.mark.parametrize("seed", range(60))
def test_damaged_dwarf_gives_absences_in_bounded_time(seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Bytes of .debug_info and .debug_abbrev overwritten at random."""
    folder = tmp_path_factory.getbasetemp() / "damaged-structures"
    if not folder.is_dir():
        folder.mkdir()
        compile_c(folder, "program", SOURCE, "-g")
    chance = random.Random(seed)
    data = bytearray((folder / "program").read_bytes())
    sections = ElfImage(BytesInMemory(bytes(data))).sections
    for _change in range(chance.randrange(1, 40)):
        section = sections[chance.choice([".debug_info", ".debug_abbrev", ".debug_str"])]
        data[section.offset + chance.randrange(section.size)] = chance.randrange(256)
    with within_seconds(10):
        dwarf = open_dwarf(ElfImage(BytesInMemory(bytes(data))))
        if isinstance(dwarf, Absence):
            return
        structures = Structures(dwarf.info)
        for name in ("table", "eb_node", "nothing"):
            structures.layouts(name)
            structures.enumeration(name)


def test_what_dwz_shares_is_found(tmp_path: Path) -> None:
    dwz = shutil.which("dwz")
    if not dwz:
        pytest.skip("dwz is not installed (Debian: apt-get install dwz)")
    for name in ("one", "two"):
        compile_c(tmp_path, name, SOURCE, "-g", "-O2")
    before = layouts_of(tmp_path / "one")
    subprocess.run([dwz, "-m", "common", "one", "two"], cwd=tmp_path, check=True, timeout=60)
    image = ElfImage(LocalFile(str(tmp_path / "one")))
    image.supplement = ElfImage(LocalFile(str(tmp_path / "common")))
    dwarf = open_dwarf(image)
    assert not isinstance(dwarf, Absence)
    after = Structures(dwarf.info).layouts("table")
    assert isinstance(after, dict)
    assert {name: one.to_plain() for name, one in after.items()} == {
        name: one.to_plain() for name, one in before.items()
    }
