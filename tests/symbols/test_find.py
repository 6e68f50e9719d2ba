"""Where the files of a module are looked for, and what proves that they are the right ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from forensics.absence import Absence
from forensics.elf.module import VDSO, Module
from forensics.memory.random_access import BytesInMemory
from forensics.symbols.find import Places, find_files
from forensics.symbols.module import ModuleSymbols
from tests.builders.elf import Function, Image

ID = bytes(range(20))
OTHER = bytes(range(1, 21))
HEXADECIMAL = ID.hex()


def module(path: str = "/usr/sbin/haproxy", build_id: str | Absence = HEXADECIMAL, *, main: bool = True) -> Module:
    """A module of a core."""
    return Module(path, 0x400000, 0x500000, 0x400000, build_id, main, False)


def write(path: Path, build_id: bytes = ID, functions: tuple[Function, ...] = ()) -> Path:
    """An image on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(Image(build_id=build_id, functions=functions).build())
    return path


def debug_path(root: Path, build_id: bytes = ID) -> Path:
    """Where a separate debug file lies."""
    return root / ".build-id" / build_id.hex()[:2] / f"{build_id.hex()[2:]}.debug"


def test_the_executable_that_the_user_named_comes_first(tmp_path: Path) -> None:
    """Then the sysroot; the first that matches ends the search."""
    exe, root = write(tmp_path / "exe"), tmp_path / "root"
    inside = write(root / "usr/sbin/haproxy")
    files = find_files(module(), Places(executable=str(exe), sysroot=str(root)))
    assert files.image is not None and files.image.path == str(exe)
    assert files.tried == [f"{exe} (--exe): build-id matches", f"no debug file: {root}/usr/lib/debug"]
    files = find_files(module(), Places(sysroot=str(root)))
    assert files.image is not None and files.image.path == str(inside)
    assert files.status == "found"


def test_the_path_in_the_core_is_tried_last(tmp_path: Path) -> None:
    """On the machine where it ran, it is there."""
    path = write(tmp_path / "haproxy")
    files = find_files(module(str(path)), Places())
    assert files.image is not None and files.image.path == str(path)
    assert files.tried == [f"{path} (path in the core): build-id matches", "no debug file: /usr/lib/debug"]


def test_another_build_is_said_and_not_used(tmp_path: Path) -> None:
    """Both build-ids stand in the report."""
    exe = write(tmp_path / "exe", OTHER)
    files = find_files(module("/nonexistent/haproxy"), Places(executable=str(exe)))
    assert files.image is None
    assert files.status == "mismatched"
    assert OTHER.hex() in files.tried[0] and ID.hex() in files.tried[0]


def test_a_right_file_after_a_wrong_one_is_found(tmp_path: Path) -> None:
    """The user named the upgraded one; the sysroot has the old one."""
    exe, root = write(tmp_path / "exe", OTHER), tmp_path / "root"
    write(root / "usr/sbin/haproxy")
    files = find_files(module(), Places(executable=str(exe), sysroot=str(root)))
    assert files.status == "found"
    assert ["another build" in one for one in files.tried] == [True, False, False]


def test_a_missing_file_is_said_to_be_not_there(tmp_path: Path) -> None:
    """With each place that was tried, in order; another host's root does not mean this host's files."""
    files = find_files(module("/nonexistent/haproxy"), Places(executable=str(tmp_path / "x"), sysroot=str(tmp_path)))
    assert files.status == "missing"
    assert files.tried == [f"{tmp_path}/x (--exe): not there", f"{tmp_path}/nonexistent/haproxy (--sysroot): not there"]
    files = find_files(module("/nonexistent/haproxy"), Places())
    assert files.tried == ["/nonexistent/haproxy (path in the core): not there"]


@pytest.mark.parametrize("content", [b"", b"#!/bin/sh\n", b"\x7fELF", b"\x7fELF" + bytes(100)])
def test_a_malformed_file_is_said_and_not_used(tmp_path: Path, content: bytes) -> None:
    """A wrapper script, a cut copy."""
    (tmp_path / "exe").write_bytes(content)
    files = find_files(module("/nonexistent/haproxy"), Places(executable=str(tmp_path / "exe")))
    assert files.image is None
    assert files.status == "malformed"
    assert "--exe" in files.tried[0]


def test_a_directory_or_a_device_is_not_there(tmp_path: Path) -> None:
    """Paths of a core can be anything."""
    for path in (str(tmp_path), "/dev/zero", "", "relative", "/" + "x" * 5000, "/a\0b"):
        assert find_files(module(path), Places()).image is None


def test_without_build_id_only_the_named_executable_is_used() -> None:
    """It cannot be proven; the user said so."""
    unknown = Absence("build-id", "not in the core")
    assert find_files(module("/bin/true", unknown), Places()).image is None


def test_without_build_id_the_named_executable_is_used_and_said_to_be_unproven(tmp_path: Path) -> None:
    """--exe is a statement of the user."""
    exe = write(tmp_path / "exe")
    files = find_files(module("/x", Absence("build-id", "not in the core")), Places(executable=str(exe)))
    assert files.image is not None
    assert "without proof" in files.tried[0]


def test_the_named_executable_is_not_tried_for_libraries(tmp_path: Path) -> None:
    """It is the executable, whatever it is called."""
    exe = write(tmp_path / "exe")
    assert (
        find_files(module("/lib/libc.so.6", main=False), Places(executable=str(exe))).tried
        == ["/lib/libc.so.6 (path in the core): not there"]
        or not Path("/lib/libc.so.6").exists()
    )


def test_the_debug_file_is_found_by_build_id(tmp_path: Path) -> None:
    """In the directories that the user gave, then in the sysroot's own."""
    exe, debug = write(tmp_path / "exe"), write(debug_path(tmp_path / "debug"))
    files = find_files(module(), Places(executable=str(exe), debug_directories=(str(tmp_path / "debug"),)))
    assert files.debug is not None and files.debug.path == str(debug)
    inside = write(debug_path(tmp_path / "root/usr/lib/debug"))
    files = find_files(module(), Places(executable=str(exe), sysroot=str(tmp_path / "root")))
    assert files.debug is not None and files.debug.path == str(inside)


def test_a_debug_file_of_another_build_is_not_used(tmp_path: Path) -> None:
    """Its place says one build-id, its content another."""
    exe = write(tmp_path / "exe")
    write(debug_path(tmp_path / "debug"), OTHER)
    files = find_files(module(), Places(executable=str(exe), debug_directories=(str(tmp_path / "debug"),)))
    assert files.debug is None


def test_a_malformed_debug_file_is_said(tmp_path: Path) -> None:
    """And the search goes on."""
    exe, path = write(tmp_path / "exe"), debug_path(tmp_path / "debug")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"garbage")
    good = write(debug_path(tmp_path / "good"))
    places = Places(executable=str(exe), debug_directories=(str(tmp_path / "debug"), str(tmp_path / "good")))
    files = find_files(module(), places)
    assert files.debug is not None and files.debug.path == str(good)
    assert any("no ELF file" in one for one in files.tried)


def test_names_come_from_the_debug_file_when_the_image_is_missing(tmp_path: Path) -> None:
    """A collector that kept the core and the debug package, but not the executable."""
    write(debug_path(tmp_path / "debug"), functions=(Function("crash_here", 0x1000, 16),))
    files = find_files(module("/nonexistent/haproxy"), Places(debug_directories=(str(tmp_path / "debug"),)))
    assert ModuleSymbols(files).site(0x1004).symbol == "crash_here"


def test_the_vdso_is_read_from_memory_only() -> None:
    """No file of that name is opened."""
    image = BytesInMemory(Image(functions=(Function("__vdso_time", 0x1000, 16),)).build(), VDSO)
    files = find_files(module(VDSO), Places(), image)
    assert files.status == "found"
    assert ModuleSymbols(files).site(0x1000).symbol == "__vdso_time"
    assert find_files(module(VDSO), Places(), None).status == "missing"
    assert find_files(module(VDSO), Places(), BytesInMemory(b"junk", VDSO)).status == "malformed"


def test_results_are_kept_under_the_identity_of_the_files(tmp_path: Path) -> None:
    """Another file of the same build-id (with symbols, say) makes them anew."""
    bare = find_files(module(), Places(executable=str(write(tmp_path / "bare"))))
    first = ModuleSymbols(bare)
    assert first.site(0x1004).symbol == ""
    first.save()
    full = write(tmp_path / "full", functions=(Function("named", 0x1000, 16),))
    assert ModuleSymbols(find_files(module(), Places(executable=str(full)))).site(0x1004).symbol == "named"
