"""Names and lines of a small program in every dialect of DWARF, against three other readers of it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from elftools.dwarf.compileunit import CompileUnit
from elftools.dwarf.descriptions import describe_form_class
from elftools.dwarf.die import DIE
from elftools.elf.elffile import ELFFile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forensics.absence import Absence
from forensics.elf.image import ElfImage
from forensics.memory.random_access import BytesInMemory, LocalFile
from forensics.symbols.dwarf.locate import DwarfLines, open_dwarf
from forensics.symbols.table import functions_of
from tests.builders.bounds import within_seconds
from tests.oracles import gdb
from tests.oracles.gdb import GDB
from tests.oracles.programs import CLANG, COMPILER, compile_c
from tests.symbols.members import members_of

SOURCE = Path(__file__).with_name("sample.c").read_text()
ADDR2LINE, OBJCOPY = shutil.which("addr2line"), shutil.which("objcopy")
LLVM = next((path for name in ("llvm-symbolizer", "llvm-symbolizer-14") if (path := shutil.which(name))), None)

pytestmark = pytest.mark.skipif(not COMPILER, reason="no C compiler is installed")

BUILDS = {
    "O0": ("-g", "-O0"),
    "O2": ("-g", "-O2"),
    "O3-g3": ("-g3", "-O3"),
    "dwarf5": ("-gdwarf-5", "-O2"),
    "dwarf4": ("-gdwarf-4", "-O2"),
    "dwarf3": ("-gdwarf-3", "-O2"),
    "dwarf2": ("-gdwarf-2", "-O1"),
    "strict": ("-gdwarf-5", "-gstrict-dwarf", "-O2"),
    "sections": ("-g", "-O2", "-ffunction-sections", "-Wl,--gc-sections"),
    "fixed": ("-g", "-O2", "-no-pie"),
    "lto": ("-g", "-O2", "-flto=auto"),
    "zlib": ("-g", "-O2", "-gz=zlib"),
    "no-views": ("-g", "-O2", "-gno-variable-location-views", "-gno-statement-frontiers"),
    "columns": ("-g", "-O2", "-gno-column-info"),
    "dwarf64": ("-gdwarf-5", "-gdwarf64", "-O2"),
    "types": ("-gdwarf-5", "-fdebug-types-section", "-O2"),
    "types4": ("-gdwarf-4", "-fdebug-types-section", "-O2"),
    "clang4-O0": ("-gdwarf-4", "-O0"),
    "clang4": ("-gdwarf-4", "-O2"),
    "clang5-O0": ("-gdwarf-5", "-O0"),
    "clang5": ("-gdwarf-5", "-O2"),
    "clang5-O3": ("-gdwarf-5", "-O3"),
}
#: What addr2line of binutils 2.40 cannot read: offsets of 64 bits, type units between others, DW_FORM_rnglistx
#: in inlined calls. There it shows the symbol, or one call too few; gdb and LLVM agree with us.
BINUTILS_FAIL = frozenset(("dwarf64", "types", "clang5", "clang5-O3"))


@pytest.fixture(scope="module", params=BUILDS)
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program in one dialect."""
    compiler = CLANG if request.param.startswith("clang") else COMPILER
    if not compiler:
        pytest.skip("clang is not installed")
    try:
        folder = tmp_path_factory.mktemp(request.param)
        return compile_c(folder, "sample", SOURCE, *BUILDS[request.param], compiler=compiler)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"the compiler cannot do {BUILDS[request.param]}: {error.stderr.decode()[-200:]}")


def dwarf_of(path: Path) -> DwarfLines:
    """The DWARF of a file that has some."""
    found = open_dwarf(ElfImage(LocalFile(str(path))))
    assert isinstance(found, DwarfLines)
    return found


def functions_by_pyelftools(path: Path) -> dict[str, tuple[int, int]]:
    """Name to [low, high) of each function with one range of code."""
    found = {}
    with path.open("rb") as file:
        for unit in ELFFile(file).get_dwarf_info().iter_CUs():
            for die in unit.iter_DIEs():
                named = die
                while die.tag == "DW_TAG_subprogram" and "DW_AT_name" not in named.attributes:
                    named = named.get_DIE_from_attribute("DW_AT_abstract_origin")
                if die.tag == "DW_TAG_subprogram" and "DW_AT_low_pc" in die.attributes:
                    low, high = die.attributes["DW_AT_low_pc"].value, die.attributes["DW_AT_high_pc"]
                    end = high.value if describe_form_class(high.form) == "address" else low + high.value
                    found[named.attributes["DW_AT_name"].value.decode()] = (low, end)
                elif die.tag == "DW_TAG_subprogram" and "DW_AT_ranges" in die.attributes:
                    found[named.attributes["DW_AT_name"].value.decode()] = _first_range(unit, die)
    return found


def _first_range(unit: CompileUnit, die: DIE) -> tuple[int, int]:
    """Where the hot part of a function lies that was split."""
    lists: Any = unit.dwarfinfo.range_lists()
    base = unit.get_top_DIE().attributes["DW_AT_low_pc"].value
    for entry in lists.get_range_list_at_offset(die.attributes["DW_AT_ranges"].value, cu=unit):
        if hasattr(entry, "base_address"):
            base = entry.base_address
            continue
        offset = 0 if getattr(entry, "is_absolute", False) else base
        return entry.begin_offset + offset, entry.end_offset + offset
    raise AssertionError("a function without code")


def test_every_function_is_found_at_its_first_and_last_byte(program: Path) -> None:
    """pyelftools tells where they are."""
    dwarf = dwarf_of(program)
    functions = functions_by_pyelftools(program)
    assert {"loops", "branches", "main"} <= set(functions)
    for name, (low, high) in functions.items():
        for pc in (low, high - 1):
            calls = dwarf.calls(pc)
            assert isinstance(calls, tuple)
            assert calls[-1].function == name
        entry, _sites = dwarf.call_sites(low)
        assert entry == low


def text_addresses(program: Path) -> list[int]:
    """Every address of the functions that the source defines."""
    table = functions_of([ElfImage(LocalFile(str(program)))])
    ours = re.compile(r"(loops|rarely|branches|elsewhere|main)\b")
    return [at for start, size, name in table.functions if ours.match(name) for at in range(start, start + size)]


@pytest.mark.skipif(not GDB, reason="gdb is not installed")
def test_every_address_has_the_calls_that_gdb_shows(program: Path) -> None:
    """`info line` for the innermost line, at each byte of the code."""
    addresses = text_addresses(program)
    assert len(addresses) > 200
    dwarf, wrong = dwarf_of(program), []
    for at, (file, line) in zip(addresses, gdb.lines(program, addresses), strict=True):
        calls = dwarf.calls(at)
        assert isinstance(calls, tuple)
        ours = (calls[0].file, calls[0].line) if calls else ("", 0)
        if ours != (file, line):
            wrong.append((hex(at), f"gdb: {file}:{line}", f"we: {ours[0]}:{ours[1]}"))
    assert wrong == []


def symbolizer(program: Path) -> list[str]:
    """A command that prints inlined functions, in the words of addr2line."""
    if program.parent.name[:-1] not in BINUTILS_FAIL and ADDR2LINE:
        return [ADDR2LINE]
    if LLVM:
        return [LLVM, "--output-style=GNU"]
    pytest.skip("neither addr2line nor llvm-symbolizer can read this program")


def test_every_address_has_the_inlined_functions_that_binutils_or_llvm_show(program: Path) -> None:
    """`addr2line -i -f`: names in order, and the lines of the calls around the innermost one."""
    addresses = text_addresses(program)
    command = [*symbolizer(program), "-i", "-f", "-a", "-e", str(program)]
    done = subprocess.run(command, input="".join(f"{at:#x}\n" for at in addresses),
                          capture_output=True, text=True, timeout=60, check=True)  # fmt: skip
    theirs = []
    for block in re.split(r"^0x[0-9a-f]+\n", done.stdout.replace("\n\n", "\n"), flags=re.MULTILINE)[1:]:
        lines = block.splitlines()
        places = [re.sub(r" \(discriminator \d+\)", "", place).rsplit(":", 1)[1] for place in lines[1::2]]
        # LLVM shows the symbol of a cold part.
        theirs.append([(name.removesuffix(".cold"), line) for name, line in zip(lines[::2], places, strict=True)])
    dwarf, wrong, deepest = dwarf_of(program), [], 0
    for at, frames in zip(addresses, theirs, strict=True):
        calls = dwarf.calls(at)
        assert isinstance(calls, tuple)
        deepest = max(deepest, len(calls))
        ours = [(call.function, str(call.line)) for call in calls]
        if [name for name, _line in ours] != [name for name, _line in frames] or ours[1:] != frames[1:]:
            wrong.append((hex(at), frames, ours))
    assert wrong == []
    assert deepest >= (3 if "O0" not in str(program) else 1)


def test_the_source_file_is_named_as_the_compiler_was_given_it(program: Path) -> None:
    """`src/stick_table.c`, not the builder's path; an included file by its own name."""
    files: set[str] = set()
    dwarf = dwarf_of(program)
    for at in text_addresses(program):
        calls = dwarf.calls(at)
        assert isinstance(calls, tuple)
        files.update(call.file for call in calls)
    assert {file.rsplit("/", 1)[-1] for file in files} == {"sample.c", "included.h"}


def test_members_of_a_structure_have_their_offsets(program: Path) -> None:
    """As the compiler laid them out; the member without name is its size."""
    members = members_of(dwarf_of(program), "outer")
    assert isinstance(members, dict)
    assert (members["first"], members["in"], members["last"], members[""]) == (0, 8, 32, 40)
    assert members_of(dwarf_of(program), "inner") == {"": 16, "a": 0, "b": 8}
    assert isinstance(members_of(dwarf_of(program), "nothing"), Absence)


def test_code_of_no_unit_is_absent(program: Path) -> None:
    """Addresses below, above and of the C library's startup code."""
    dwarf = dwarf_of(program)
    assert isinstance(dwarf.calls(0xFFFFFFFFFF), Absence)
    assert dwarf.call_sites(0xFFFFFFFFFF) == (0, [])
    assert dwarf.function_at(0xFFFFFFFFFF) is None


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program with DWARF 5, optimised."""
    return compile_c(tmp_path_factory.mktemp("plain"), "sample", SOURCE, "-gdwarf-5", "-O2")


def test_a_stripped_file_has_no_dwarf_and_the_remedy_names_the_packages(plain: Path, tmp_path: Path) -> None:
    """What most users have."""
    stripped = tmp_path / "stripped"
    assert OBJCOPY
    subprocess.run([OBJCOPY, "--strip-debug", plain, stripped], check=True)
    found = open_dwarf(ElfImage(LocalFile(str(stripped))))
    assert isinstance(found, Absence)
    assert "dbgsym" in found.remedy


@pytest.mark.skipif(not OBJCOPY, reason="objcopy is not installed")
def test_a_unit_that_debug_aranges_does_not_list_is_found_by_its_own_ranges(tmp_path: Path) -> None:
    """clang writes no .debug_aranges, gcc and the assembler do: a mixed build has both kinds of units."""
    assert COMPILER and OBJCOPY
    (tmp_path / "a.c").write_text("int b(int); int main(int c, char **v) { return b(c) + !v; }\n")
    (tmp_path / "b.c").write_text("int b(int n) { return n * 3 + 1; }\n")
    for name in ("a", "b"):
        subprocess.run([COMPILER, "-g", "-O0", "-c", f"{name}.c"], cwd=tmp_path, check=True)
    subprocess.run([OBJCOPY, "-R", ".debug_aranges", "-R", ".rela.debug_aranges", "b.o"], cwd=tmp_path, check=True)
    subprocess.run([COMPILER, "-o", "mixed", "a.o", "b.o"], cwd=tmp_path, check=True)
    image = ElfImage(LocalFile(str(tmp_path / "mixed")))
    start = functions_of([image]).start_of("b")
    assert start
    calls = dwarf_of(tmp_path / "mixed").calls(start + 4)
    assert isinstance(calls, tuple)
    assert [call.function for call in calls] == ["b"]


@pytest.mark.skipif(not OBJCOPY, reason="objcopy is not installed")
def test_a_file_without_debug_aranges_is_found_by_the_ranges_of_its_units(plain: Path, tmp_path: Path) -> None:
    """All of clang's files."""
    assert OBJCOPY
    subprocess.run([OBJCOPY, "-R", ".debug_aranges", plain, tmp_path / "none"], check=True)
    low = functions_by_pyelftools(plain)["loops"][0]
    assert dwarf_of(tmp_path / "none").calls(low) == dwarf_of(plain).calls(low)


@pytest.mark.parametrize("section", [".debug_line", ".debug_abbrev", ".debug_str", ".debug_info", ".debug_rnglists"])
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    edits=st.lists(st.tuples(st.floats(0, 1), st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]) | st.integers(0, 255)),
                   min_size=1, max_size=6)
)  # fmt: skip
def test_damaged_dwarf_gives_absences(plain: Path, section: str, edits: list[tuple[float, int]]) -> None:
    """Flipped bytes of one section: no error escapes, nothing hangs."""
    data = bytearray(plain.read_bytes())
    place = ElfImage(LocalFile(str(plain))).sections[section]
    for where, value in edits:
        data[place.offset + int(where * (place.size - 1))] = value
    with within_seconds(5):
        dwarf = open_dwarf(ElfImage(BytesInMemory(bytes(data), "damaged")))
        if isinstance(dwarf, Absence):
            return
        for low, high in functions_by_pyelftools(plain).values():
            for pc in (low, (low + high) // 2, high - 1):
                dwarf.calls(pc)
                dwarf.call_sites(pc)
        members_of(dwarf, "outer")


@pytest.mark.parametrize("section", [".debug_line", ".debug_abbrev", ".debug_str", ".debug_line_str", ".debug_info"])
@pytest.mark.parametrize("fill", [0x00, 0xFF, 0x80, 0x01])
def test_a_section_overwritten_by_one_byte_gives_absences(plain: Path, section: str, fill: int) -> None:
    """Holes of a copy, and patterns that are hard on LEB128 and on counters."""
    data = bytearray(plain.read_bytes())
    place = ElfImage(LocalFile(str(plain))).sections[section]
    data[place.offset : place.offset + place.size] = bytes([fill]) * place.size
    low = functions_by_pyelftools(plain)["loops"][0]
    with within_seconds(5):
        dwarf = open_dwarf(ElfImage(BytesInMemory(bytes(data), "damaged")))
        if isinstance(dwarf, DwarfLines):
            dwarf.calls(low)
            dwarf.call_sites(low)
            members_of(dwarf, "outer")


def test_siblings_that_point_at_their_own_children_do_not_multiply(tmp_path: Path) -> None:
    """Forty calls within each other, and every entry claims that its first child is its sibling."""
    calls = "".join(
        f"static inline __attribute__((always_inline)) void f{n}(void) {{ f{n + 1}(); x += {n}; g(); }}\n"
        for n in reversed(range(40))
    )
    source = (
        "volatile int x;\n"
        "static inline __attribute__((always_inline)) void g(void) { x++; }\n"
        "static inline __attribute__((always_inline)) void f40(void) { x--; }\n"
        f"{calls}int main(void) {{ f0(); return x; }}\n"
    )
    path = compile_c(tmp_path, "nested", source, "-gdwarf-5", "-O1")
    data, lies = bytearray(path.read_bytes()), 0
    with path.open("rb") as file:
        base = ElfImage(LocalFile(str(path))).sections[".debug_info"].offset
        for unit in ELFFile(file).get_dwarf_info().iter_CUs():
            for die in unit.iter_DIEs():
                sibling, child = die.attributes.get("DW_AT_sibling"), next(die.iter_children(), None)
                if die.tag == "DW_TAG_inlined_subroutine" and sibling and child:
                    lie = (child.offset - unit.cu_offset).to_bytes(4, "little")
                    data[base + sibling.offset : base + sibling.offset + 4] = lie
                    lies += 1
    assert lies >= 39
    dwarf = open_dwarf(ElfImage(BytesInMemory(bytes(data), "lying")))
    assert isinstance(dwarf, DwarfLines)
    visited = 0
    with within_seconds(5):
        pending = [function for unit in dwarf.info.units for function in dwarf.functions(unit)]
        while pending:
            visited += 1
            pending.extend(pending.pop().inlined)
    assert visited <= 2 * lies + 10, "each entry has one parent"


def test_a_line_program_with_a_range_of_zero_is_damaged(plain: Path) -> None:
    """line_range divides; 0 must not be divided by."""
    data = bytearray(plain.read_bytes())
    place = ElfImage(LocalFile(str(plain))).sections[".debug_line"]
    data[place.offset + 16] = 0  # line_range of a DWARF 5 header
    dwarf = open_dwarf(ElfImage(BytesInMemory(bytes(data), "damaged")))
    assert isinstance(dwarf, DwarfLines)
    assert isinstance(dwarf.calls(functions_by_pyelftools(plain)["loops"][0]), Absence)
