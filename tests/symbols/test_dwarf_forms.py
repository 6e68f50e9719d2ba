"""The same program with its DWARF in other places and other forms: every answer stays the same."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forensics.absence import Absence
from forensics.elf.image import ElfImage
from forensics.elf.module import Module
from forensics.memory.random_access import BytesInMemory, LocalFile
from forensics.symbols.dwarf.call_sites import CallSite
from forensics.symbols.dwarf.locate import DwarfLines, open_dwarf
from forensics.symbols.find import ModuleFiles
from forensics.symbols.module import ModuleSymbols
from forensics.symbols.site import Call
from forensics.symbols.table import functions_of
from tests.builders.bounds import within_seconds
from tests.oracles import gdb
from tests.oracles.gdb import GDB
from tests.oracles.programs import CLANG, COMPILER, compile_files
from tests.symbols.members import members_of

SOURCES = sorted(Path(__file__).with_name("two_files").iterdir())
OURS = frozenset(
    ("main", "loops", "loops.cold", "rarely", "grow", "grow.cold", "close_it", "touch", "handle", "handle.cold")
)
STRUCTURES = ("inner", "outer", "connection")

LLVM = next((path for name in ("llvm-symbolizer", "llvm-symbolizer-14") if (path := shutil.which(name))), None)
needs_clang = pytest.param(CLANG, marks=pytest.mark.skipif(not CLANG, reason="clang is not installed"))

pytestmark = pytest.mark.skipif(not COMPILER, reason="no C compiler is installed")

#: What is known of each address: the calls active there, and the calls of its function.
Answers = dict[int, tuple[tuple[Call, ...] | Absence, tuple[int, list[CallSite]]]]
Edits = list[tuple[float, int]]

EDITS = st.lists(
    st.tuples(st.floats(0, 1), st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]) | st.integers(0, 255)), min_size=1, max_size=6
)


def tool(name: str) -> str:
    """The path of a program that a test cannot do without."""
    return shutil.which(name) or pytest.skip(f"{name} is not installed")


def run(*command: str | Path, folder: Path) -> None:
    """Run a tool that rewrites files."""
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=60, stdin=subprocess.DEVNULL)


def build(folder: Path, *flags: str, compiler: str | None = COMPILER) -> Path:
    """The program in ``folder``, optimised; a compiler that cannot do it skips the test."""
    folder.mkdir(exist_ok=True)
    try:
        return compile_files(folder, "prog", SOURCES, "-O2", *flags, compiler=compiler)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"the compiler cannot do {flags}: {error.stderr.decode()[-200:]}")


def image_of(path: Path) -> ElfImage:
    """The file as it is."""
    return ElfImage(LocalFile(str(path)))


def dwarf_of(image: ElfImage) -> DwarfLines:
    """The DWARF of an image that has some."""
    found = open_dwarf(image)
    assert isinstance(found, DwarfLines)
    return found


def addresses_of(image: ElfImage) -> list[int]:
    """Every address of the functions that the sources define."""
    functions = functions_of([image]).functions
    return [at for start, size, name in functions if name in OURS for at in range(start, start + size)]


def answers(image: ElfImage, addresses: list[int]) -> tuple[Answers, list[dict[str, int] | Absence]]:
    """All that DWARF says of ``addresses``, and the layouts of the structures."""
    dwarf = dwarf_of(image)
    sites: Answers = {at: (dwarf.calls(at), dwarf.call_sites(at)) for at in addresses}
    return sites, [members_of(dwarf, name) for name in STRUCTURES]


def assert_equal(plain: Path, image: ElfImage) -> None:
    """``image`` answers as the file in which all stands plainly; paths do not differ, as both were built in one folder."""
    addresses = addresses_of(image_of(plain))
    expected, found = answers(image_of(plain), addresses), answers(image, addresses)
    assert len(addresses) > 300
    assert all(isinstance(layout, dict) for layout in expected[1])
    deepest = max(len(calls) for calls, _sites in expected[0].values() if isinstance(calls, tuple))
    assert deepest == 3, "`twice()` within `four_times()` within a function"
    assert [(hex(at), expected[0][at], found[0][at]) for at in addresses if expected[0][at] != found[0][at]] == []
    assert found[1] == expected[1]


@pytest.mark.parametrize("version", ["4", "5"])
@pytest.mark.parametrize(
    "flags",
    [
        ("-gsplit-dwarf",),
        ("-gdwarf64",),
        ("-gdwarf64", "-gsplit-dwarf"),
        ("-fdebug-types-section",),
        ("-fdebug-types-section", "-gsplit-dwarf"),
        ("-gz=zlib-gnu",),
        ("-gz=zlib", "-gsplit-dwarf"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("compiler", [COMPILER, needs_clang])
def test_other_forms_of_a_build_answer_alike(
    compiler: str | None, flags: tuple[str, ...], version: str, tmp_path: Path
) -> None:
    """Split, 64-bit, types in units of their own, compressed as old toolchains did."""
    plain = build(tmp_path / "build", f"-gdwarf-{version}", compiler=compiler).rename(tmp_path / "plain")
    if "-gdwarf64" in flags and compiler == CLANG and "-gsplit-dwarf" in flags:
        pytest.skip("clang 14 writes no split DWARF of 64 bits")
    other = build(tmp_path / "build", f"-gdwarf-{version}", *flags, compiler=compiler)
    assert_equal(plain, image_of(other))


@pytest.mark.skipif(not GDB, reason="gdb is not installed")
@pytest.mark.parametrize("compiler", [COMPILER, needs_clang])
@pytest.mark.parametrize(
    "flags",
    [("-gdwarf-4",), ("-gdwarf-5",), ("-gdwarf-4", "-gsplit-dwarf"), ("-gdwarf-5", "-gsplit-dwarf"),
     ("-gdwarf-4", "-flto"), ("-gdwarf-5", "-flto"), ("-gdwarf-5", "-flto", "-ffunction-sections", "-Wl,--gc-sections")],
    ids=" ".join,
)  # fmt: skip
def test_every_address_has_the_line_that_gdb_shows(
    compiler: str | None, flags: tuple[str, ...], tmp_path: Path
) -> None:
    """Functions, types and abstract origins lie in several units."""
    program = build(tmp_path, *flags, compiler=compiler)
    addresses = addresses_of(image_of(program))
    dwarf, wrong = dwarf_of(image_of(program)), []
    for at, theirs in zip(addresses, gdb.lines(program, addresses), strict=True):
        calls = dwarf.calls(at)
        assert isinstance(calls, tuple)
        assert all(call.function for call in calls)
        if theirs != (calls[0].file, calls[0].line):
            wrong.append((hex(at), theirs, calls[0]))
    assert wrong == []


@pytest.mark.skipif(not LLVM, reason="llvm-symbolizer is not installed")
@pytest.mark.parametrize("compiler", [COMPILER, needs_clang])
@pytest.mark.parametrize("flags", [("-gdwarf-4", "-flto"), ("-gdwarf-5", "-flto")], ids=" ".join)
def test_calls_inlined_across_units_are_those_that_llvm_shows(
    compiler: str | None, flags: tuple[str, ...], tmp_path: Path
) -> None:
    """An optimised link of the whole inlines functions of one file into another."""
    assert LLVM
    program = build(tmp_path, *flags, compiler=compiler)
    addresses = addresses_of(image_of(program))
    done = subprocess.run(
        [LLVM, "--output-style=JSON", "-i", "-f", "-e", program], input="".join(f"{at:#x}\n" for at in addresses),
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    dwarf, wrong, across = dwarf_of(image_of(program)), [], 0
    for at, line in zip(addresses, done.stdout.splitlines(), strict=True):
        symbols = json.loads(line)["Symbol"]
        theirs = [(one["FunctionName"].partition(".")[0], one["Line"]) for one in symbols]
        calls = dwarf.calls(at)
        assert isinstance(calls, tuple)
        ours = [(call.function, call.line) for call in calls]
        across += {"first.c", "second.c"} <= {call.file.rsplit("/", 1)[-1] for call in calls}
        if [name for name, _line in ours] != [name for name, _line in theirs] or ours[1:] != theirs[1:]:
            wrong.append((hex(at), theirs, ours))
    assert wrong == []
    assert across > 10


@pytest.mark.parametrize("version", ["2", "3", "4", "5"])
@pytest.mark.parametrize("how", ["zlib", "zlib-gnu", "zstd", "dwz"])
def test_rewritten_files_answer_alike(version: str, how: str, tmp_path: Path) -> None:
    """What packagers do to debug information after the link."""
    plain, other = build(tmp_path, f"-gdwarf-{version}"), tmp_path / "other"
    if how == "dwz":
        run(tool("dwz"), "-o", other, plain, folder=tmp_path)
    else:
        run(tool("objcopy"), f"--compress-debug-sections={how}", plain, other, folder=tmp_path)
    assert other.stat().st_size < plain.stat().st_size
    assert_equal(plain, image_of(other))


@pytest.fixture(params=[("4",), ("5",), ("5", "--dwarf-5")], ids=" ".join)
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Path, Path]:
    """A program, the same after `dwz -m`, and the file that it then shares with its twin: GNU's forms, or DWARF 5's."""
    version, *options = request.param
    plain = build(tmp_path, f"-gdwarf-{version}")
    one, two, common = tmp_path / "one", tmp_path / "two", tmp_path / "common"
    shutil.copy(plain, one)
    shutil.copy(plain, two)
    run(tool("dwz"), *options, "-m", common, one, two, folder=tmp_path)
    return plain, one, common


def test_names_in_a_file_that_several_share_are_found_there(shared: tuple[Path, Path, Path]) -> None:
    """.gnu_debugaltlink: the finder opens the file, the reader follows references into it."""
    plain, one, common = shared
    image = image_of(one)
    image.supplement = image_of(common)
    assert_equal(plain, image)


def test_without_the_shared_file_lines_remain_and_the_gap_is_said(shared: tuple[Path, Path, Path]) -> None:
    """No name is better than a wrong one."""
    plain, one, _common = shared
    dwarf, complete = dwarf_of(image_of(one)), dwarf_of(image_of(plain))
    names: set[tuple[str, str]] = set()
    for at in addresses_of(image_of(plain)):
        calls, expected = dwarf.calls(at), complete.calls(at)
        assert isinstance(calls, tuple) and isinstance(expected, tuple)
        assert [(call.file, call.line) for call in calls] == [(call.file, call.line) for call in expected]
        names.update(zip((call.function for call in calls), (call.function for call in expected), strict=True))
        gap = dwarf.gap(at)
        assert gap is not None and "shares with others" in gap.reason
    assert all(ours in ("", name) for ours, name in names)
    assert any(not ours for ours, _name in names)


@pytest.fixture(scope="module", params=["4", "5"])
def split(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A program without and with split DWARF; the latter's .dwo files lie beside it, in a folder of their own."""
    folder = tmp_path_factory.mktemp("split")
    plain = build(folder / "build", f"-gdwarf-{request.param}").rename(folder / "plain")
    built = build(folder / "build", f"-gdwarf-{request.param}", "-gsplit-dwarf")
    moved = folder / "moved"
    moved.mkdir()
    for path in (built, *built.parent.glob("*.dwo")):
        path.rename(moved / path.name)
    assert sorted(path.suffix for path in moved.iterdir()) == ["", ".dwo", ".dwo"]
    return plain, moved / "prog"


def test_split_files_are_found_beside_the_executable(split: tuple[Path, Path]) -> None:
    """The folder of the build is gone."""
    plain, moved = split
    assert_equal(plain, image_of(moved))


def test_split_files_are_found_where_the_caller_says(split: tuple[Path, Path], tmp_path: Path) -> None:
    """The executable was copied alone."""
    plain, moved = split
    image = image_of(Path(shutil.copy(moved, tmp_path)))
    image.split_directories = (str(tmp_path / "nothing"), str(moved.parent))
    assert_equal(plain, image)


def test_without_its_split_file_a_unit_has_lines_and_no_names(split: tuple[Path, Path], tmp_path: Path) -> None:
    """The line table stays in the executable; the other unit is complete."""
    plain, moved = split
    shutil.copy(moved, tmp_path)
    shutil.copy(moved.with_name("second.dwo"), tmp_path)
    dwarf, complete = dwarf_of(image_of(tmp_path / "prog")), dwarf_of(image_of(plain))
    missing = set()
    for at in addresses_of(image_of(plain)):
        calls, expected = dwarf.calls(at), complete.calls(at)
        assert isinstance(calls, tuple) and isinstance(expected, tuple)
        gap = dwarf.gap(at)
        if gap is None:
            assert calls == expected
        else:
            assert calls == tuple(Call("", call.file, call.line) for call in expected[:1])
            assert "first.dwo" in gap.subject
            assert str(tmp_path / "first.dwo") in gap.reason
            assert "prog.dwp" in gap.remedy
            missing.add(expected[-1].function)
    assert isinstance(members_of(dwarf, "nothing"), Absence)
    assert {"main", "loops"} <= missing
    assert missing.isdisjoint({"grow", "handle", "close_it"})


def test_a_function_whose_split_file_is_missing_has_its_symbol(split: tuple[Path, Path], tmp_path: Path) -> None:
    """The symbol table names the function; calls inlined into it stay unknown."""
    plain, moved = split
    image = image_of(Path(shutil.copy(moved, tmp_path)))
    module = Module(str(tmp_path / "prog"), 0, 1 << 20, 0, "", main=True, deleted=False)
    symbols = ModuleSymbols(ModuleFiles(module, "found", image))
    complete = dwarf_of(image_of(plain))
    for at in addresses_of(image):
        expected = complete.calls(at)
        assert isinstance(expected, tuple)
        (call,) = symbols.site(at).calls
        assert call.function == expected[-1].function
        assert (call.file.rsplit("/", 1)[-1], call.line) == (expected[0].file.rsplit("/", 1)[-1], expected[0].line)


def test_a_split_file_of_another_build_is_refused(split: tuple[Path, Path], tmp_path: Path) -> None:
    """Its id tells: the name alone does not make it the unit's."""
    plain, moved = split
    shutil.copy(moved, tmp_path)
    shutil.copy(moved.with_name("second.dwo"), tmp_path / "first.dwo")
    shutil.copy(moved.with_name("first.dwo"), tmp_path / "second.dwo")
    dwarf = dwarf_of(image_of(tmp_path / "prog"))
    for at in addresses_of(image_of(plain)):
        calls, gap = dwarf.calls(at), dwarf.gap(at)
        assert isinstance(calls, tuple) and all(call.function == "" for call in calls)
        assert gap is not None and "another build" in gap.reason


@pytest.mark.parametrize("name", ["/dev/zero", "folder", "fifo", "text"])
def test_what_is_no_split_file_is_passed_over(name: str, split: tuple[Path, Path], tmp_path: Path) -> None:
    """A device, a folder, a pipe without a writer, a text, under the name of the .dwo."""
    _plain, moved = split
    shutil.copy(moved, tmp_path)
    place = tmp_path / "first.dwo"
    if name == "folder":
        place.mkdir()
    elif name == "fifo":
        os.mkfifo(place)
    elif name == "text":
        place.write_text("this is no ELF file")
    else:
        place.symlink_to(name)
    image = image_of(tmp_path / "prog")
    start = functions_of([image]).start_of("loops")
    assert start
    with within_seconds(5):
        gap = dwarf_of(image).gap(start)
    assert gap is not None and "first.dwo" in gap.subject


PACKAGERS = {
    # llvm-dwp 14 does not end on what gcc writes for version 5, and binutils' dwp (2.40) knows version 4 only.
    "gcc 4 with dwp": (COMPILER, "4", "dwp"),
    "gcc 4 with llvm-dwp": (COMPILER, "4", "llvm-dwp"),
    "clang 4 with dwp": (CLANG, "4", "dwp"),
    "clang 5 with llvm-dwp": (CLANG, "5", "llvm-dwp"),
}


def packaged(folder: Path, compiler: str | None, version: str, packager: str, *flags: str) -> tuple[Path, Path]:
    """A plain program, and one beside which lies a package and no .dwo file."""
    if not compiler:
        pytest.skip("no clang is installed")
    plain = build(folder / "build", f"-gdwarf-{version}", compiler=compiler).rename(folder / "plain")
    built = build(folder / "build", f"-gdwarf-{version}", "-gsplit-dwarf", *flags, compiler=compiler)
    run(tool(packager), "-o", "prog.dwp", "first.dwo", "second.dwo", folder=built.parent)
    for path in built.parent.glob("*.dwo"):
        path.unlink()
    return plain, built


@pytest.mark.parametrize("types", [(), ("-fdebug-types-section",)], ids=["", "types"])
@pytest.mark.parametrize("how", PACKAGERS)
def test_a_package_beside_the_executable_answers_like_its_files(
    how: str, types: tuple[str, ...], tmp_path: Path
) -> None:
    """Version 2 of the index with DWARF 4, version 5 with DWARF 5."""
    plain, built = packaged(tmp_path, *PACKAGERS[how], *types)
    assert_equal(plain, image_of(built))
    debug = tmp_path / "build" / "prog.debug"
    run(tool("objcopy"), "--only-keep-debug", built, debug, folder=tmp_path)
    assert_equal(plain, image_of(debug))


def test_a_package_of_another_build_names_nothing(tmp_path: Path) -> None:
    """The index does not list the skeleton's id."""
    _plain, built = packaged(tmp_path, *PACKAGERS["gcc 4 with dwp"])
    start = functions_of([image_of(built)]).start_of("loops")
    assert start
    (tmp_path / "other").mkdir()
    other = build(tmp_path / "other", "-gdwarf-4", "-gsplit-dwarf", "-O1")
    for path in other.parent.glob("*.dwo"):
        path.unlink()
    shutil.copy(built.with_name("prog.dwp"), other.parent)
    dwarf = dwarf_of(image_of(other))
    at = functions_of([image_of(other)]).start_of("loops")
    assert at
    calls = dwarf.calls(at)
    assert isinstance(calls, tuple) and [call.function for call in calls] == [""]
    assert dwarf.gap(at) is not None


@pytest.mark.parametrize("how", ["only-keep-debug", "eu-strip"])
def test_separate_debug_files_answer_alike(how: str, tmp_path: Path) -> None:
    """Their code and data are NOBITS."""
    plain, debug = build(tmp_path, "-g"), tmp_path / "prog.debug"
    if how == "eu-strip":
        run(tool("eu-strip"), "-f", debug, "-o", tmp_path / "stripped", plain, folder=tmp_path)
        assert isinstance(open_dwarf(image_of(tmp_path / "stripped")), Absence)
    else:
        run(tool("objcopy"), "--only-keep-debug", plain, debug, folder=tmp_path)
    assert_equal(plain, image_of(debug))


@pytest.mark.parametrize("flags", [(), ("--strip-unneeded",), ("--strip-all",)], ids=["symtab", "unneeded", "dynsym"])
def test_symbol_tables_without_dwarf_still_name_functions(flags: tuple[str, ...], tmp_path: Path) -> None:
    """.symtab, or what the dynamic linker needs."""
    plain, other = build(tmp_path, "-g", "-rdynamic"), tmp_path / "other"
    run(tool("objcopy"), "--strip-debug", *flags, plain, other, folder=tmp_path)
    wanted = {"main", "loops", "handle", "close_it"} | ({"grow"} if not flags else set())
    before, after = functions_of([image_of(plain)]), functions_of([image_of(other)])
    for name in wanted:
        start = before.start_of(name)
        assert start and after.start_of(name) == start
        assert after.find(start + 4) == (name, start)
    assert isinstance(open_dwarf(image_of(other)), Absence)


def damaged(path: Path, section: str, edits: Edits) -> bytes:
    """The file with some bytes of one section overwritten."""
    data, place = bytearray(path.read_bytes()), image_of(path).sections[section]
    for where, value in edits:
        data[place.offset + int(where * (place.size - 1))] = value
    return bytes(data)


def ask_everything(image: ElfImage, addresses: list[int]) -> None:
    """Every question, in a bounded time; the answers do not matter."""
    with within_seconds(5):
        dwarf = open_dwarf(image)
        if isinstance(dwarf, Absence):
            return
        for at in addresses:
            dwarf.calls(at)
            dwarf.call_sites(at)
            dwarf.gap(at)
        for name in (*STRUCTURES, "nothing"):
            members_of(dwarf, name)


HOSTILE = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("section", [".debug_info.dwo", ".debug_abbrev.dwo", ".debug_str_offsets.dwo"])
@HOSTILE
@given(edits=EDITS)
def test_a_damaged_split_file_gives_absences(split: tuple[Path, Path], section: str, edits: Edits) -> None:
    """Flipped bytes of a .dwo."""
    plain, moved = split
    original = moved.with_name("first.dwo").read_bytes()
    try:
        moved.with_name("first.dwo").write_bytes(damaged(moved.with_name("first.dwo"), section, edits))
        ask_everything(image_of(moved), addresses_of(image_of(plain))[::9])
    finally:
        moved.with_name("first.dwo").write_bytes(original)


@pytest.mark.parametrize("section", [".debug_info", ".debug_addr", ".debug_abbrev", ".debug_aranges"])
@HOSTILE
@given(edits=EDITS)
def test_a_damaged_skeleton_gives_absences(split: tuple[Path, Path], section: str, edits: Edits) -> None:
    """Flipped bytes of what is left in the executable."""
    plain, moved = split
    image = ElfImage(BytesInMemory(damaged(moved, section, edits), str(moved)))
    ask_everything(image, addresses_of(image_of(plain))[::9])


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A program with a package."""
    return packaged(tmp_path_factory.mktemp("package"), *PACKAGERS["gcc 4 with dwp"], "-fdebug-types-section")


@pytest.mark.parametrize("section", [".debug_cu_index", ".debug_tu_index", ".debug_info.dwo", ".debug_types.dwo"])
@HOSTILE
@given(edits=EDITS)
def test_a_damaged_package_gives_absences(package: tuple[Path, Path], section: str, edits: Edits) -> None:
    """Flipped bytes of its indexes and of its contents."""
    plain, built = package
    original = built.with_name("prog.dwp").read_bytes()
    try:
        built.with_name("prog.dwp").write_bytes(damaged(built.with_name("prog.dwp"), section, edits))
        ask_everything(image_of(built), addresses_of(image_of(plain))[::9])
    finally:
        built.with_name("prog.dwp").write_bytes(original)


@pytest.mark.parametrize("which", ["one", "common"])
@pytest.mark.parametrize("section", [".debug_info", ".debug_abbrev"])
@HOSTILE
@given(edits=EDITS)
def test_a_damaged_shared_file_gives_absences(
    shared: tuple[Path, Path, Path], which: str, section: str, edits: Edits
) -> None:
    """References that lead astray, in either file."""
    plain, one, common = shared
    image = ElfImage(BytesInMemory(damaged(one, section, edits if which == "one" else []), "one"))
    image.supplement = ElfImage(BytesInMemory(damaged(common, section, edits if which == "common" else []), "common"))
    ask_everything(image, addresses_of(image_of(plain))[::9])


@pytest.mark.parametrize("flags", [("-gdwarf-5", "-gdwarf64"), ("-gdwarf-4", "-fdebug-types-section")], ids=" ".join)
@HOSTILE
@given(edits=EDITS)
def test_damaged_forms_give_absences(built_once: Callable[..., Path], flags: tuple[str, ...], edits: Edits) -> None:
    """64-bit DWARF and type units."""
    path = built_once(*flags)
    section = ".debug_types" if "-fdebug-types-section" in flags else ".debug_info"
    image = ElfImage(BytesInMemory(damaged(path, section, edits), "damaged"))
    ask_everything(image, addresses_of(image_of(path))[::9])


@pytest.fixture(scope="module")
def built_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Builds by flags, each made once."""
    made: dict[tuple[str, ...], Path] = {}

    def make(*flags: str) -> Path:
        if flags not in made:
            made[flags] = build(tmp_path_factory.mktemp("forms"), *flags)
        return made[flags]

    return make
