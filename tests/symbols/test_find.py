"""Where the files of a module are looked for, and what proves that they are the right ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from forensics.absence import Absence
from forensics.elf.module import VDSO, Module
from forensics.memory.process import Memory, Segment
from forensics.memory.random_access import BytesInMemory
from forensics.symbols.archive import find_archive
from forensics.symbols.debuginfod.cache import artifact_path
from forensics.symbols.find import Places, find_files
from forensics.symbols.module import ModuleSymbols
from forensics.symbols.pack_writer import pack_entry
from forensics.symbols.places import ORDER, pack_name, store_directory
from forensics.symbols.store import SymbolStore
from tests.builders.elf import Function, Image
from tests.builders.tar import Entry, archive

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
    assert files.tried == [
        f"{tmp_path}/x (--exe): not there",
        f"{tmp_path}/nonexistent/haproxy (--sysroot): not there",
        f"no debug file: {tmp_path}/usr/lib/debug",
    ]
    files = find_files(module("/nonexistent/haproxy"), Places())
    assert files.tried == [
        "/nonexistent/haproxy (path in the core): not there",
        "no debug file: /usr/lib/debug",
    ]


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


def test_every_place_is_tried_in_the_order_of_the_documents(tmp_path: Path) -> None:
    """``places.ORDER``, which docs/symbols.md prints: with a wrong or damaged file in each of them."""
    path = "/usr/sbin/haproxy"
    core, exe = Entry("usr/sbin/haproxy", Image(build_id=OTHER).build()), write(tmp_path / "exe", OTHER)
    write(tmp_path / "debug/haproxy", OTHER)
    write(tmp_path / f"root{path}", OTHER)
    write(debug_path(tmp_path / "debug"), OTHER)
    write(debug_path(tmp_path / "root/usr/lib/debug"), OTHER)
    (tmp_path / "packs").write_bytes(b"no pack")
    store = Path(store_directory()) / pack_name(HEXADECIMAL)
    store.parent.mkdir()
    store.write_bytes(b"no pack")
    for kind in ("executable", "debuginfo"):
        write(Path(artifact_path(HEXADECIMAL, kind)), OTHER)
    places = Places(
        executable=str(exe), debug_directories=(str(tmp_path / "debug"),), sysroot=str(tmp_path / "root"),
        packs=(str(tmp_path / "packs"),),
    )  # fmt: skip
    data = archive(core).ljust(1 << 17, b"\0")
    memory = Memory(BytesInMemory(data, "core"), (Segment(0x1000, len(data), 0, len(data), False, True),))
    files = find_files(module(path), places, None, find_archive(memory))
    assert (files.status, files.image, files.debug, files.pack) == ("mismatched", None, None, None)
    found = [line.replace(f"{tmp_path}", "").partition(")")[0] for line in files.tried]
    assert found == [
        "/usr/sbin/haproxy in the core (set-dumpable libs",
        "/exe (--exe",
        "/debug/haproxy (--debug-dir",
        "/root/usr/sbin/haproxy (--sysroot",
        f"/debug/.build-id/{HEXADECIMAL[:2]}/{HEXADECIMAL[2:]}.debug (--debug-dir, debug file",
        f"/root/usr/lib/debug/.build-id/{HEXADECIMAL[:2]}/{HEXADECIMAL[2:]}.debug (/root/usr/lib/debug, debug file",
        "no debug file: --debug-dir, /root/usr/lib/debug",
        "/packs (--symbols",
        f"{store} (symbol store",
        f"{artifact_path(HEXADECIMAL, 'executable')} (debuginfod's cache",
        f"{artifact_path(HEXADECIMAL, 'debuginfo')} (debuginfod's cache, debug file",
    ]
    # The words that the lines have in common with the documented order stand in the same sequence.
    order = [place for place, _what in ORDER]
    words = ("the core itself", "--exe", "--debug-dir", "--sysroot", "/usr/lib/debug", "--symbols", "the symbol store",
             "debuginfod's cache")  # fmt: skip
    places_of_words = [next(number for number, place in enumerate(order) if word in place) for word in words]
    assert places_of_words == sorted(places_of_words)


def test_the_symbol_store_is_used_where_the_files_lack_dwarf(tmp_path: Path) -> None:
    """And where there are none at all."""
    full = write(tmp_path / "full", functions=(Function("kept", 0x1000, 16),))
    entry = pack_entry(ModuleSymbols(find_files(module(), Places(executable=str(full)))))
    assert isinstance(entry, bytes)
    path = SymbolStore().add(HEXADECIMAL, entry)
    files = find_files(module("/nonexistent/haproxy"), Places())
    assert files.status == "found"
    assert files.tried[-1] == f"{path} (symbol store): build-id matches"
    assert ModuleSymbols(files).site(0x1004).symbol == "kept"


def test_directories_of_debug_files_may_hold_split_dwarf_too(tmp_path: Path) -> None:
    exe = write(tmp_path / "exe")
    files = find_files(module(), Places(executable=str(exe), debug_directories=("/a", "/b")))
    assert files.image is not None
    assert files.image.split_directories == ("/a", "/b")
