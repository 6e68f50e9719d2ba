"""Images that only the core's own memory holds: their names and their call frames."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forensics.absence import Absence
from forensics.elf.core import CoreDump, read_core
from forensics.elf.image import ElfImage
from forensics.elf.mapped import MappedImage, mapped_image
from forensics.memory.open import open_bytes
from forensics.memory.random_access import BytesInMemory
from forensics.symbols.find import Places
from forensics.unwind.backtrace import Process, backtraces
from tests.builders.bounds import within_bytes, within_seconds
from tests.builders.core import AT_ENTRY, Core, File, Load, Thread
from tests.builders.elf import Fde, Function, Image
from tests.oracles.programs import COMPILER, compile_c, kernel_writes_cores, whole_core_of

BASE, STACK = 0x55550000, 0x7FFE0000
DEEP = Path(__file__).parents[1] / "oracles" / "deep.c"


def image_of(dynamic: str = "hash") -> Image:
    """Two functions; the second is the outermost."""
    return Image(
        functions=(Function("inner", 0x1000, 16), Function("outer", 0x1010, 16)),
        fdes=(Fde(0x1000, 16), Fde(0x1010, 16, b"\x07\x10")),
        dynamic=dynamic,
    )


def dump_of(data: bytes, size: int | None = None) -> CoreDump:
    """A core of one thread in that image, of which ``size`` bytes were dumped (None: all)."""
    core = Core(
        threads=(Thread(1, 11, {"rip": BASE + 0x1004, "rsp": STACK}),),
        loads=(
            Load(BASE, data[:size], size=len(data), flags=5),
            Load(STACK, (BASE + 0x1018).to_bytes(8, "little") + bytes(56)),
        ),
        files=(File(BASE, BASE + len(data), "/nonexistent/program"),),
        auxv={AT_ENTRY: BASE + 0x1000},
    )
    return read_core(BytesInMemory(core.build(), "core"))


@pytest.mark.parametrize("dynamic", ["hash", "gnu"])
def test_names_and_call_frames_come_from_mapped_pages(dynamic: str) -> None:
    """The number of symbols from either kind of hash table; the report tells where they are from."""
    dump = dump_of(image_of(dynamic).build())
    process = Process(dump, Places(sysroot="/nonexistent"))
    (stack,) = backtraces(process)
    assert [(frame.function, frame.trust) for frame in stack.frames] == [("inner", "context"), ("outer", "cfi")]
    (files,) = process.files
    assert files.status == "missing"
    assert files.tried[-1].startswith("memory of the core:")


def test_pointers_that_the_linker_has_relocated_are_the_same() -> None:
    """glibc adds the load bias to them in place."""
    data = bytearray(image_of().build())
    at = ElfImage(BytesInMemory(bytes(data))).sections[".dynamic"].offset
    for entry in (0, 1, 3):  # not the size of the names
        place = at + 16 * entry + 8
        data[place : place + 8] = (int.from_bytes(data[place : place + 8], "little") + BASE).to_bytes(8, "little")
    image = mapped_image((dump := dump_of(bytes(data))).memory, dump.modules[0])
    assert isinstance(image, MappedImage)
    assert [one.name for one in image.symbols(".dynsym")] == [b"", b"inner", b"outer"]


def test_the_first_page_alone_is_no_image() -> None:
    """The default of the kernel: headers and build-id, and no more."""
    data = Image(functions=(Function("inner", 0x1000, 16),)).build()
    dump = dump_of(data, 0x1000)
    found = mapped_image(dump.memory, dump.modules[0])
    assert isinstance(found, Absence)
    assert "coredump_filter" in found.remedy


def test_what_a_core_says_of_itself_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lying core of the same build must not name the frames of the next one."""
    monkeypatch.setenv("HAPROXY_FORENSICS_CACHE", str(tmp_path))
    process = Process(dump_of(image_of().build()), Places(sysroot="/nonexistent"))
    backtraces(process)
    process.save()
    assert not list(tmp_path.rglob("*.json"))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 0x600), st.integers(0, 255)), max_size=12), st.integers(0, 0x1200))
def test_hostile_images_end_in_frames(edits: list[tuple[int, int]], size: int) -> None:
    """Headers, tables and symbols that lie."""
    data = bytearray(image_of("gnu").build())
    for place, value in edits:
        data[place] = value
    with within_seconds(4):
        (stack,) = backtraces(Process(dump_of(bytes(data), size), Places(sysroot="/nonexistent")))
    assert stack.stop


def test_a_hash_table_that_claims_millions_of_symbols_costs_little() -> None:
    """DT_HASH with 2^32 - 1 of them."""
    data = bytearray(image_of().build())
    place = data.index((1).to_bytes(4, "little") + (3).to_bytes(4, "little"))
    data[place + 4 : place + 8] = b"\xff" * 4
    dump = dump_of(bytes(data))
    with within_seconds(2), within_bytes(8 << 20):
        assert list(MappedImage(dump.memory, dump.modules[0]).symbols(".dynsym")) == []


def test_a_whole_core_is_unwound_without_any_file(tmp_path: Path) -> None:
    """The C library's frames too; what it exports has names."""
    if not (COMPILER and kernel_writes_cores() and shutil.which("gcc")):
        pytest.skip("no C compiler, or the kernel writes no cores here")
    program = compile_c(tmp_path, "deep", DEEP.read_text(), "-O2", "-rdynamic")
    path = whole_core_of(program, tmp_path / "run", "handler", "2")
    if path is None:
        pytest.skip("no core: the kernel writes none here (ulimit -c)")
    with_files = backtraces(Process(read_core(open_bytes(str(path))), Places()))
    program.unlink()
    without = backtraces(Process(read_core(open_bytes(str(path))), Places(sysroot="/nonexistent")))
    for ours, theirs in zip(without, with_files, strict=True):
        physical = [frame.pc for frame in theirs.frames if not frame.inlined and not frame.tail_call]
        assert [frame.pc for frame in ours.frames] == physical
    assert {"abort", "main"} <= {frame.function for frame in without[0].frames}
