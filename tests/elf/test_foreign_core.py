"""Cores of machines whose stacks are not unwound: what they say is read, and what is not done is said."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from forensics.elf.core import read_core
from forensics.errors import InputError
from forensics.memory.open import open_bytes
from forensics.memory.random_access import BytesInMemory
from forensics.symbols.find import Places
from forensics.unwind.backtrace import Process, backtraces
from tests.builders.bounds import within_seconds
from tests.builders.core import File
from tests.builders.foreign_core import ForeignCore
from tests.oracles.programs import core_of, kernel_writes_cores

FILES = (File(0x8048000, 0x804C000, "/usr/sbin/haproxy"),)

#: Machine, bits, big-endian, bits of pr_uid, its name, words of pr_reg, and where pc and sp stand among them.
MACHINES = [
    (3, 32, False, 16, "32-bit x86", 17, 12, 15),
    (40, 32, False, 16, "32-bit ARM", 18, 15, 13),
    (22, 64, True, 32, "S/390", 27, 1, 17),
    (21, 64, False, 32, "64-bit PowerPC", 48, 32, 1),
    (21, 64, True, 32, "64-bit PowerPC", 48, 32, 1),
    (243, 64, False, 32, "RISC-V", 32, 0, 2),
    (258, 64, False, 32, "LoongArch", 45, 33, 3),
]


@pytest.mark.parametrize(("machine", "bits", "big", "user", "name", "count", "pc", "sp"), MACHINES)
def test_a_core_of_another_machine_is_read_and_not_unwound(
    machine: int, bits: int, big: bool, user: int, name: str, count: int, pc: int, sp: int
) -> None:
    """Signal, process, files and registers; the frame that was running has its module."""
    words = [0x1000 + place for place in range(count)]
    words[pc] = 0x8048123
    built = ForeignCore(machine, bits, big, tuple(words), FILES, ((0x8048000, b"\x7fELF" + bytes(60)),), user)
    dump = read_core(BytesInMemory(built.build(), "core"))
    assert dump.process is not None and dump.signal is not None
    assert (dump.process.pid, dump.process.name, dump.process.arguments) == (4242, "haproxy", "haproxy -f x.cfg")
    assert (dump.signal.name, dump.signal.code_name, dump.signal.address) == ("SIGSEGV", "SEGV_MAPERR", 0x10)
    assert [(one.path, one.start, one.end) for one in dump.modules] == [("/usr/sbin/haproxy", 0x8048000, 0x804C000)]
    process = Process(dump, Places(sysroot="/nonexistent"))
    registers = process.architecture.registers(dump.threads[0].registers)
    assert process.architecture.name == name
    assert (registers[process.architecture.pc], registers[process.architecture.sp]) == (0x8048123, 0x1000 + sp)
    (stack,) = backtraces(process)
    assert [(frame.pc, frame.module, frame.trust) for frame in stack.frames] == [
        (0x8048123, "/usr/sbin/haproxy", "context")
    ]
    assert name in stack.stop and "gdb-multiarch" in stack.stop


@pytest.mark.parametrize(
    ("machine", "bits", "big"), [(62, 32, False), (183, 64, True), (8, 32, True), (999, 64, False)]
)
def test_a_machine_of_which_nothing_is_known_has_threads_without_frames(machine: int, bits: int, big: bool) -> None:
    """x32, big-endian aarch64, MIPS, and whatever comes: their registers stand in another order."""
    dump = read_core(BytesInMemory(ForeignCore(machine, bits, big, tuple(range(30)), FILES).build(), "core"))
    (stack,) = backtraces(Process(dump, Places(sysroot="/nonexistent")))
    assert stack.frames == ()
    assert "gdb-multiarch" in stack.stop


def test_every_cut_of_a_32_bit_core_is_a_core_or_an_error_of_ours() -> None:
    """At each byte of headers and notes."""
    data = ForeignCore(3, 32, False, tuple(range(17)), FILES, ((0x8048000, bytes(64)),), 16).build()
    with within_seconds(20):
        for size in range(len(data)):
            try:
                dump = read_core(BytesInMemory(data[:size], "core"))
            except InputError:
                continue
            assert dump.truncation is not None


SOURCE = """
static volatile int *bad = (int *)0x10;
__attribute__((noinline)) void faults(void) { *bad = 1; }
void _start(void) { faults(); for (;;); }
"""


def test_a_real_core_of_a_32_bit_process_is_read(tmp_path: Path) -> None:
    """As a 64-bit kernel writes it."""
    if not (shutil.which("gcc") and kernel_writes_cores()):
        pytest.skip("no gcc, or the kernel writes no cores here")
    (tmp_path / "small.c").write_text(SOURCE)
    command = ["gcc", "-m32", "-nostdlib", "-static", "-fno-pie", "-no-pie", "-Wl,--build-id", "-o", "small", "small.c"]
    if subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60, check=False).returncode:
        pytest.skip("gcc makes no 32-bit programs here")
    path = core_of(tmp_path / "small", tmp_path / "run")
    if path is None:
        pytest.skip("no core: the kernel runs no 32-bit programs here")
    dump = read_core(open_bytes(str(path)))
    (stack,) = backtraces(Process(dump, Places()))
    assert dump.signal is not None and dump.signal.address == 0x10
    assert [module.name for module in dump.modules if module.main] == ["small"]
    assert [(frame.module.rsplit("/", 1)[-1], frame.pc >> 12) for frame in stack.frames] == [("small", 0x8049)]
