"""aarch64: cores of a program of our own (kept here with its recipe), and fresh ones compared with gdb."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest
import zstandard

from forensics.elf.core import CoreDump, read_core
from forensics.memory.random_access import BytesInMemory
from forensics.symbols.find import Places
from forensics.unwind.architecture import AARCH64
from forensics.unwind.backtrace import SIGNAL_HANDLER, Process, architecture_of, backtraces
from forensics.unwind.frame import ThreadStack
from tests.builders.core import Core, Load
from tests.builders.elf import EM_AARCH64, note
from tests.oracles.compare import differences
from tests.oracles.gdb import MULTIARCH
from tests.oracles.programs import unlimited_core

KEPT = Path(__file__).parent / "aarch64"
DEEP = Path(__file__).parents[1] / "oracles" / "deep.c"
COMPILER, QEMU = shutil.which("aarch64-linux-gnu-gcc"), shutil.which("qemu-aarch64-static")

#: program.c: the handler of the first fault dies of a second one.
CHAIN = ["leaf", "dies_again", "on_signal", SIGNAL_HANDLER, "leaf", *["recurse"] * 4, "outer", "main"]


def unpacked(name: str) -> bytes:
    """A file of the folder beside this test."""
    return zstandard.ZstdDecompressor().stream_reader((KEPT / f"{name}.zst").read_bytes()).read()


def dump_of(name: str) -> CoreDump:
    """The core of one of the programs."""
    return read_core(BytesInMemory(unpacked(f"{name}.core"), "core"))


def stack_of(name: str, tmp_path: Path) -> ThreadStack:
    """The stack of its only thread, with the executable at hand."""
    executable = tmp_path / name
    executable.write_bytes(unpacked(name))
    (stack,) = backtraces(Process(dump_of(name), Places(executable=str(executable))))
    return stack


def test_signed_return_addresses_and_a_signal_without_table_are_unwound(tmp_path: Path) -> None:
    """Pointer authentication; leaf functions; the trampoline of qemu, which no table describes."""
    stack = stack_of("signed", tmp_path)
    assert [frame.function for frame in stack.frames] == CHAIN
    assert {frame.trust for frame in stack.frames[1:]} == {"cfi"}
    assert stack.stop == "main() reached"


def test_the_return_addresses_of_that_core_are_signed() -> None:
    """Or the test above would show nothing: bits above the 48th are set in words that point into the code."""
    dump = dump_of("signed")
    words = [
        word
        for segment in dump.memory.segments
        if segment.writable and isinstance(data := dump.memory.read(segment.address, segment.file_size), bytes)
        for (word,) in struct.iter_unpack("<Q", data[: len(data) & -8])
    ]
    code = range(0x400000, 0x401000)
    assert [word for word in words if word not in code and word & AARCH64.code_mask in code]


def test_without_tables_the_frame_records_lead_to_the_same_frames(tmp_path: Path) -> None:
    """And each says that it was found so; leaf functions are found by x30."""
    stack = stack_of("untabled", tmp_path)
    assert [frame.function for frame in stack.frames] == CHAIN
    assert {frame.trust for frame in stack.frames} == {"context", "cfi", "frame_pointer"}


def test_a_core_of_qemu_has_its_executable_where_the_program_headers_are() -> None:
    """It has no NT_FILE; the name comes from AT_EXECFN, the bias of a fixed address is 0."""
    module = dump_of("signed").main_module
    assert (module.path, module.start, module.base) == ("./program", 0x400000, 0)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("notes", "loads", "mask"),
    [
        (b"", (), (1 << 48) - 1),
        (note(b"LINUX", 0x406, struct.pack("<QQ", 0, 0x7F << 48)), (), (1 << 48) - 1),
        (note(b"LINUX", 0x406, struct.pack("<QQ", 0, 0x7 << 52)), (), (1 << 52) - 1),
        (b"", (Load(0xF000000000000, b"wide"),), (1 << 52) - 1),
    ],
)
def test_what_belongs_to_an_address_is_told_by_the_core(notes: bytes, loads: tuple[Load, ...], mask: int) -> None:
    """NT_ARM_PAC_MASK; else 48 bits, or 52 where something lies above them."""
    core = Core(machine=EM_AARCH64, notes=notes, loads=loads)
    assert architecture_of(read_core(BytesInMemory(core.build(), "core"))).code_mask == mask


#: How the program of eight threads is built. gdb 13.1 can unwind no signed one: qemu's cores lack the key masks.
BUILDS = {"tables": ("-g", "-O2"), "no tables": ("-O2", "-fno-asynchronous-unwind-tables", "-fno-unwind-tables")}


@pytest.mark.skipif(not (COMPILER and QEMU and MULTIARCH), reason="needs a cross compiler, qemu and gdb-multiarch")
@pytest.mark.parametrize(("build", "how"), [("tables", "handler"), ("tables", "null"), ("no tables", "fault")])
def test_backtraces_of_eight_threads_are_those_of_gdb(tmp_path: Path, build: str, how: str) -> None:
    """Except where gdb loses the way in functions without tables, and we do not."""
    assert COMPILER and QEMU
    program = tmp_path / "deep"
    command = [COMPILER, *BUILDS[build], "-static", "-no-pie", "-o", str(program), str(DEEP), "-lpthread"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    folder = tmp_path / "run"
    folder.mkdir()
    # With SME, whose records gdb 13.1 does not pass over, it never ends.
    subprocess.run(
        [QEMU, "-cpu", "cortex-a72", str(program), how], cwd=folder, preexec_fn=unlimited_core, timeout=60,
        check=False, capture_output=True,
    )  # fmt: skip
    cores = list(folder.glob("qemu_*.core"))
    if not cores:
        pytest.skip("qemu wrote no core: the limit of their size does not allow it (ulimit -c)")
    found = differences(cores[0], program)
    if build == "no tables":
        found = [line for line in found if "['pause', 'compares'" not in line]
    assert found == []
