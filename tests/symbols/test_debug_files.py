"""Every form in which distributions separate debug information: the same backtrace as with the whole file."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from forensics.elf.core import read_core
from forensics.elf.image import ElfImage
from forensics.elf.module import Module
from forensics.memory.open import open_bytes
from forensics.memory.random_access import LocalFile
from forensics.symbols.files import ModuleFiles
from forensics.symbols.find import Places, find_files
from forensics.symbols.links import AlternateLink, DebugLink, alternate_link, crc_of, debug_link
from forensics.symbols.mini import open_mini
from forensics.unwind.backtrace import Process, backtraces
from tests.oracles.programs import COMPILER, compile_c, core_of

CHECKOUT = Path(__file__).resolve().parents[2]

pytestmark = [
    pytest.mark.skipif(COMPILER is None, reason="no C compiler"),
    pytest.mark.skipif(shutil.which("objcopy") is None, reason="objcopy is not installed (Debian: binutils)"),
]

SOURCE = """
#include <stdlib.h>
static volatile int depth;
static inline __attribute__((always_inline)) void inlined(void) { if (depth) abort(); }
static __attribute__((noinline)) void innermost(void) { depth++; inlined(); depth++; }
static __attribute__((noinline)) void middle(void) { innermost(); depth++; }
int main(void) { middle(); depth++; return 0; }
"""


@dataclass(frozen=True, slots=True)
class Crash:
    """A program that died, and its core; ``folder`` holds the program under its own name."""

    program: Path
    core: Path

    def copy(self, folder: Path) -> Path:
        """The program in another folder."""
        folder.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copy(self.program, folder / "program"))


def crash(folder: Path, *flags: str) -> Crash:
    program = compile_c(folder, "program", SOURCE, "-g", "-O1", *flags)
    core = core_of(program, folder / "run")
    if core is None:
        pytest.skip("neither the kernel nor gdb writes a core here")
    # What the core names is gone: nothing is found by chance.
    return Crash(program.rename(folder / "whole"), core)


@pytest.fixture(scope="module")
def died(tmp_path_factory: pytest.TempPathFactory) -> Crash:
    return crash(tmp_path_factory.mktemp("died"))


@pytest.fixture(scope="module")
def unproven(tmp_path_factory: pytest.TempPathFactory) -> Crash:
    """A program without build-id."""
    return crash(tmp_path_factory.mktemp("unproven"), "-Wl,--build-id=none")


def run(*command: str | Path, cwd: Path | None = None) -> None:
    subprocess.run([str(word) for word in command], check=True, capture_output=True, timeout=120, cwd=cwd)


def frames(core: Path, places: Places) -> tuple[list[tuple[str, str, int]], ModuleFiles]:
    """Function, file and line of each frame of the first thread, and the files of the executable."""
    process = Process(read_core(open_bytes(str(core))), places)
    stack = backtraces(process)[0]
    files = next(files for files in process.files if files.module.main)
    return [(frame.function, frame.file, frame.line) for frame in stack.frames], files


def separate(program: Path, debug: Path) -> Path:
    """Move the debug information of ``program`` to ``debug`` with objcopy; the program names it."""
    debug.parent.mkdir(parents=True, exist_ok=True)
    run("objcopy", "--only-keep-debug", program, debug)
    run("objcopy", "--strip-all", f"--add-gnu-debuglink={debug}", program)
    return debug


def by_build_id(root: Path, program: Path, suffix: str) -> Path:
    """Where a debug directory has the files of ``program``."""
    build_id = ElfImage(LocalFile(str(program))).build_id
    assert isinstance(build_id, str)
    return root / ".build-id" / build_id[:2] / (build_id[2:] + suffix)


def whole(died: Crash) -> list[tuple[str, str, int]]:
    found, _files = frames(died.core, Places(executable=str(died.program)))
    named = [each for each in found if each[0] in ("inlined", "innermost", "middle", "main")]
    assert [each[0] for each in named] == ["inlined", "innermost", "middle", "main"]
    assert all(line for _function, _file, line in named)
    return found


def test_the_debug_link_names_the_file_and_its_checksum(died: Crash, tmp_path: Path) -> None:
    program = died.copy(tmp_path)
    debug = separate(program, tmp_path / "a file.debug")
    link = debug_link(ElfImage(LocalFile(str(program))))
    assert isinstance(link, DebugLink)
    assert (link.name, link.crc) == ("a file.debug", crc_of(LocalFile(str(debug))))


@pytest.mark.parametrize("place", ["program.debug", ".debug/program.debug"])
def test_a_debug_file_beside_the_program_is_found_by_its_name(died: Crash, tmp_path: Path, place: str) -> None:
    program = died.copy(tmp_path)
    debug = separate(program, tmp_path / place)
    found, files = frames(died.core, Places(executable=str(program)))
    assert found == whole(died)
    assert files.tried[-1] == f"{debug} (.gnu_debuglink, debug file): build-id matches"


def test_eu_strip_separates_as_well(died: Crash, tmp_path: Path) -> None:
    if shutil.which("eu-strip") is None:
        pytest.skip("eu-strip is not installed (Debian: elfutils)")
    program = died.copy(tmp_path)
    run("eu-strip", "-f", tmp_path / "program.debug", program)
    assert frames(died.core, Places(executable=str(program)))[0] == whole(died)


@pytest.mark.parametrize("layout", ["build-id", "named", "flat", "path", "the file"])
def test_a_debug_directory_may_be_laid_out_in_any_way(died: Crash, tmp_path: Path, layout: str) -> None:
    program = died.copy(tmp_path / "bin")
    separate(program, tmp_path / "away.debug")
    _found, files = frames(died.core, Places())
    root = tmp_path / "debug"
    place = {
        "build-id": by_build_id(root, program, ".debug"),
        "named": root / "away.debug",
        "flat": root / "program.debug",
        "path": root / f"{files.module.path.lstrip('/')}.debug",
        "the file": root,
    }[layout]
    place.parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "away.debug").rename(place)
    found, files = frames(died.core, Places(executable=str(program), debug_directories=(str(root),)))
    assert found == whole(died)
    assert files.debug is not None
    assert files.debug.path == str(place)


@pytest.mark.parametrize("layout", ["build-id", "flat", "path", "the file"])
def test_a_debug_directory_may_hold_the_program_itself(died: Crash, tmp_path: Path, layout: str) -> None:
    _found, files = frames(died.core, Places())
    assert files.status == "missing"
    root = tmp_path / "debug"
    place = {
        "build-id": by_build_id(root, died.program, ""),
        "flat": root / "program",
        "path": root / files.module.path.lstrip("/"),
        "the file": root,
    }[layout]
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(died.program, place)
    found, files = frames(died.core, Places(debug_directories=(str(root),)))
    assert found == whole(died)
    assert files.tried == [f"{place} (--debug-dir): build-id matches"]


def test_a_whole_program_in_the_place_of_a_debug_file_is_used_for_both(died: Crash, tmp_path: Path) -> None:
    place = by_build_id(tmp_path, died.program, ".debug")
    place.parent.mkdir(parents=True)
    shutil.copy(died.program, place)
    assert frames(died.core, Places(debug_directories=(str(tmp_path),)))[0] == whole(died)


def test_a_debug_file_given_as_the_executable_is_used_as_what_it_is(died: Crash, tmp_path: Path) -> None:
    """It has no code to unwind with, but names and lines."""
    debug = separate(died.copy(tmp_path), tmp_path / "program.debug")
    _found, files = frames(died.core, Places(executable=str(debug)))
    assert files.image is None or files.in_memory
    assert files.debug is not None
    assert files.tried[0] == f"{debug} (--exe): build-id matches, a debug file"
    assert files.status == "found"


def test_the_sysroot_has_a_debug_directory_of_its_own(died: Crash, tmp_path: Path) -> None:
    _found, files = frames(died.core, Places())
    program = died.copy(tmp_path)
    place = tmp_path / "root" / files.module.path.lstrip("/")
    separate(program, tmp_path / "program.debug")
    place.parent.mkdir(parents=True)
    program.rename(place)
    debug = by_build_id(tmp_path / "root/usr/lib/debug", place, ".debug")
    debug.parent.mkdir(parents=True)
    (tmp_path / "program.debug").rename(debug)
    # The stack ends in the C library, which this host has.
    library = next(one for one in read_core(open_bytes(str(died.core))).modules if one.name.startswith("libc.so"))
    copied = tmp_path / "root" / library.path.lstrip("/")
    copied.parent.mkdir(parents=True)
    shutil.copy(library.path, copied)
    found, files = frames(died.core, Places(sysroot=str(tmp_path / "root")))
    assert [each for each in found if each[1].endswith("program.c")] == [
        each for each in whole(died) if each[1].endswith("program.c")
    ]
    assert files.tried[-1] == f"{debug} ({tmp_path}/root/usr/lib/debug, debug file): build-id matches"


def test_without_a_build_id_the_checksum_proves_the_debug_file(unproven: Crash, tmp_path: Path) -> None:
    program = unproven.copy(tmp_path)
    debug = separate(program, tmp_path / "program.debug")
    found, files = frames(unproven.core, Places(executable=str(program)))
    assert found == whole(unproven)
    assert files.tried[-1] == f"{debug} (.gnu_debuglink, debug file): CRC matches; the image has no build-id"
    debug.write_bytes(debug.read_bytes() + b"\n")
    found, files = frames(unproven.core, Places(executable=str(program)))
    assert files.debug is None
    assert any("another file: its CRC is" in one for one in files.tried)


def test_a_debug_file_of_another_build_is_refused_whatever_its_name(died: Crash, tmp_path: Path) -> None:
    program = died.copy(tmp_path)
    debug = separate(program, tmp_path / "program.debug")
    other = compile_c(tmp_path, "other", "int main(void) { return 1; }", "-g")
    run("objcopy", "--only-keep-debug", other, debug)
    _found, files = frames(died.core, Places(executable=str(program)))
    assert files.debug is None
    assert any(one.startswith(f"{debug} (.gnu_debuglink, debug file): another build") for one in files.tried)


@pytest.mark.parametrize("damage", [b"", b"../../etc/passwd\0\0\0\0\0\0\0\0", b"no end", b".\0\0\0\0\0\0\0"])
def test_a_damaged_debug_link_is_said(died: Crash, tmp_path: Path, damage: bytes) -> None:
    program = died.copy(tmp_path)
    (tmp_path / "link").write_bytes(damage)
    run("objcopy", "--strip-all", f"--add-section=.gnu_debuglink={tmp_path / 'link'}", program)
    _found, files = frames(died.core, Places(executable=str(program)))
    assert files.status == "found"
    assert files.debug is None


def test_what_dwz_shares_between_two_files_is_found(died: Crash, tmp_path: Path) -> None:
    if shutil.which("dwz") is None:
        pytest.skip("dwz is not installed (Debian: dwz)")
    program, second = died.copy(tmp_path), died.copy(tmp_path / "second")
    shared = tmp_path / "shared/common.dwz"
    shared.parent.mkdir()
    run("dwz", "-m", "shared/common.dwz", "-M", "../shared/common.dwz", "program", "second/program", cwd=tmp_path)
    if not shared.exists():
        pytest.skip("dwz found nothing to share")
    image = ElfImage(LocalFile(str(program)))
    link = alternate_link(image)
    assert isinstance(link, AlternateLink)
    assert link.path == "../shared/common.dwz"
    assert link.build_id == ElfImage(LocalFile(str(shared))).build_id
    # Not there: the path leads elsewhere from here.
    _found, files = frames(died.core, Places(executable=str(program)))
    assert files.supplement is None
    assert (
        f"../shared/common.dwz (.gnu_debugaltlink, shared by dwz): not there, build-id {link.build_id}" in files.tried
    )
    # By its path, from the file that names it; then in a debug directory, by build-id and by name.
    found, files = frames(died.core, Places(executable=str(second)))
    assert files.supplement is not None
    assert found == whole(died)
    for place in (by_build_id(tmp_path / "debug", shared, ".debug"), tmp_path / "debug/.dwz/common.dwz"):
        place.parent.mkdir(parents=True)
        shutil.copy(shared, place)
        _found, files = frames(died.core, Places(executable=str(program), debug_directories=(str(tmp_path / "debug"),)))
        assert files.supplement is not None
        assert files.image is not None
        assert files.image.supplement is files.supplement
        assert files.tried[-1] == f"{place} (--debug-dir, shared by dwz): build-id matches"
        place.unlink()
    # A debug file that was separated from the program names it as well.
    separate(second, tmp_path / "second/program.debug")
    found, files = frames(died.core, Places(executable=str(second)))
    assert found == whole(died)
    assert files.debug is not None
    assert files.debug.supplement is not None


def mini(program: Path) -> None:
    """Strip ``program`` and put the names of its functions into ``.gnu_debugdata`` (gdb's manual, "MiniDebugInfo")."""
    folder = program.parent
    listed = subprocess.run(["nm", str(program), "--format=posix"], capture_output=True, text=True, check=True).stdout
    names = [line.split()[0] for line in listed.splitlines() if line.split()[1] in "tT"]
    (folder / "keep").write_text("\n".join(names) + "\n")
    run("objcopy", "--only-keep-debug", program, folder / "mini.debug")
    run("objcopy", "-S", f"--keep-symbols={folder / 'keep'}", folder / "mini.debug", folder / "mini")
    run("xz", "--force", folder / "mini")
    run("objcopy", "--strip-all", f"--add-section=.gnu_debugdata={folder / 'mini.xz'}", program)
    for each in ("mini.debug", "keep", "mini.xz"):
        (folder / each).unlink()


def test_mini_debug_info_names_static_functions(died: Crash, tmp_path: Path) -> None:
    if shutil.which("xz") is None:
        pytest.skip("xz is not installed (Debian: xz-utils)")
    program = died.copy(tmp_path)
    mini(program)
    found, files = frames(died.core, Places(executable=str(program)))
    names = [function for function, _file, _line in found]
    assert [name for name in names if name in ("innermost", "middle", "main")] == ["innermost", "middle", "main"]
    assert f"{program} (.gnu_debugdata): mini debug info" in files.tried
    separate(died.copy(tmp_path / "other"), tmp_path / "program.debug")
    assert not frames(died.core, Places(executable=str(tmp_path / "other/program")))[1].has_mini


@pytest.mark.parametrize("damage", ["cut", "garbage", "no ELF", "bomb"])
def test_damaged_mini_debug_info_is_said(died: Crash, tmp_path: Path, damage: str) -> None:
    import lzma

    packed = lzma.compress(died.program.read_bytes())
    data = {
        "cut": packed[: len(packed) // 2],
        "garbage": b"garbage",
        "no ELF": lzma.compress(b"no ELF file"),
        "bomb": lzma.compress(bytes(1 << 27)),
    }[damage]
    (tmp_path / "data.xz").write_bytes(data)
    program = died.copy(tmp_path)
    run("objcopy", "--strip-all", f"--add-section=.gnu_debugdata={tmp_path / 'data.xz'}", program)
    assert not open_mini(ElfImage(LocalFile(str(program))))
    _found, files = frames(died.core, Places(executable=str(program)))
    assert files.status == "found"
    assert files.tried[-1].startswith(f"{program} (.gnu_debugdata): ")
    assert "mini debug info" not in files.tried[-1]


def test_a_file_that_was_deleted_while_it_ran_is_said_to_be_so(died: Crash, tmp_path: Path) -> None:
    """Today's file is compared by build-id, as any."""
    build_id = ElfImage(LocalFile(str(died.program))).build_id
    now = compile_c(tmp_path, "now", "int main(void) { return 1; }")
    module = Module(str(now), 0x400000, 0x500000, 0x400000, build_id, True, True)
    files = find_files(module, Places())
    assert files.status == "mismatched"
    assert files.tried[0].startswith(f"{now} (path in the core, deleted while it ran): another build")


@pytest.fixture(scope="module")
def haproxy() -> tuple[Path, Path]:
    """A HAProxy with DWARF, and its core."""
    executable = CHECKOUT / ".lab/builds/requeue-race-2.9.6/haproxy"
    core = CHECKOUT / ".lab/cores/requeue-race-2.9.6/core"
    if not executable.is_file() or not core.is_file():
        pytest.skip("the lab is not here: python -m samples.lab requeue-race-2.9.6")
    return executable, core


@pytest.mark.parametrize("how", ["objcopy", "eu-strip", "zlib", "zstd", "dwz", "dwz -m"])
def test_a_real_haproxy_gives_the_same_backtrace_in_every_form(
    haproxy: tuple[Path, Path], tmp_path: Path, how: str
) -> None:
    executable, core = haproxy
    expected, files = frames(core, Places(executable=str(executable)))
    assert files.image is not None
    assert sum(1 for _function, file, line in expected if file and line) > 5
    program = Path(shutil.copy(executable, tmp_path / "haproxy"))
    try:
        if how == "objcopy":
            separate(program, tmp_path / "haproxy.debug")
        elif how == "eu-strip":
            run("eu-strip", "-f", tmp_path / "haproxy.debug", program)
        elif how.startswith("dwz"):
            shutil.copy(program, tmp_path / "second")
            run(*how.split(), *(["common", "haproxy", "second"] if "-m" in how else ["haproxy"]), cwd=tmp_path)
        else:
            run("objcopy", f"--compress-debug-sections={how}", program)
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        pytest.skip(f"{how}: {error}")
    assert frames(core, Places(executable=str(program)))[0] == expected
