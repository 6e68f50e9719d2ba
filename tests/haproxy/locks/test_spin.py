"""Loops that wait for locks, as compilers write them: the lock is found from the code and the registers alone."""

from __future__ import annotations

from typing import cast

import pytest

from forensics.absence import Absence
from forensics.elf.constants import EM_AARCH64, EM_X86_64
from forensics.haproxy.locks.spin import Spin, find_spin, guess_spin
from forensics.memory.process import Memory
from forensics.unwind.architecture import AARCH64, X86_64
from forensics.unwind.backtrace import Process
from tests.builders.memory import START, memory_of

LOCK, CODE = START + 0x100, START + 0x1000
HELD = 0x500000004
#: DWARF numbers of registers: rdi, rsi, r12, r13.
RDI, RSI, R12, R13 = 5, 4, 12, 13
SEEK, READ = 0xFFFFFFFF00000000, 0xFFFFFFFC00000000


class Core:
    """What find_spin() asks of a core."""

    def __init__(self, memory: Memory, machine: int) -> None:
        self.memory = memory
        self.machine = machine


class Waiting:
    """A process that is at ``pc`` in ``code``, and whose lock has the word ``word``."""

    def __init__(self, code: bytes, word: int = HELD, machine: int = EM_X86_64) -> None:
        self.core = Core(memory_of({LOCK: word}, pieces={CODE: code}), machine)
        self.architecture = X86_64 if machine == EM_X86_64 else AARCH64

    def code(self, address: int, size: int) -> bytes | Absence:
        """The code around."""
        return self.core.memory.read(address, size)


def found(process: Waiting, at: int, registers: dict[int, int]) -> Spin | Absence:
    return find_spin(cast("Process", process), CODE + at, registers)


# pause; mov (%rdi),%rax; test %rsi,%rax; jne (Debian's 3.4.7)
BY_RDI = bytes.fromhex("f390 83e802 83f859 75f4 488b07 4885f0 7543")
# pause; mov 0x0(%r13),%rax; test %r12,%rax; jne (Debian's 3.0.11)
BY_R13 = bytes.fromhex("f390 83e801 83f859 74f3 498b4500 4c85e0 7532")


@pytest.mark.parametrize(
    ("code", "registers"),
    [(BY_RDI, {RDI: LOCK, RSI: SEEK}), (BY_R13, {R13: LOCK, R12: SEEK}), (BY_RDI, {RDI: LOCK, RSI: READ})],
)
def test_the_register_of_the_load_holds_the_lock(code: bytes, registers: dict[int, int]) -> None:
    spin = found(Waiting(code), 2, registers)
    assert isinstance(spin, Spin)
    assert spin.address == LOCK
    assert spin.wants == ("read" if READ in registers.values() else "write or seek")


def test_a_lock_that_the_compiler_knew_is_an_address_in_the_code() -> None:
    # pause; mov lock(%rip),%rax; test %r12,%rax (a copy of the function for one lock alone)
    load = CODE + 2
    distance = (LOCK - (load + 7)).to_bytes(4, "little", signed=True)
    code = b"\xf3\x90" + b"\x48\x8b\x05" + distance + bytes.fromhex("4c85e0")
    spin = found(Waiting(code), 2, {R12: SEEK})
    assert isinstance(spin, Spin)
    assert (spin.address, spin.how) == (LOCK, "an address in the code")


def test_the_loops_of_2_6_take_back_what_they_added_and_pause() -> None:
    # lock subq $4,lock(%rip); pause; jmp (wake_expired_tasks() of 2.6.12)
    distance = (LOCK - (CODE + 9)).to_bytes(4, "little", signed=True)
    reading = b"\xf0\x48\x83\x2d" + distance + b"\x04\xf3\x90\xe9\0\0\0\0"
    spin = found(Waiting(reading), 11, {})
    assert isinstance(spin, Spin)
    assert (spin.address, spin.wants) == (LOCK, "read")
    # lock sub %r14,lock(%rip); pause
    distance = (LOCK - (CODE + 8)).to_bytes(4, "little", signed=True)
    writing = b"\xf0\x4c\x29\x35" + distance + b"\xf3\x90\xe9\0\0\0\0"
    spin = found(Waiting(writing), 10, {14: HELD})
    assert isinstance(spin, Spin)
    assert (spin.address, spin.wants) == (LOCK, "write or seek")
    # Far from its pause the code does something else.
    assert isinstance(found(Waiting(writing), 60, {14: HELD}), Absence)


def test_aarch64_loads_and_tests() -> None:
    # ldr x2, [x0]; tst x2, x1; b.ne
    code = b"".join(word.to_bytes(4, "little") for word in (0xF9400002, 0xEA01005F, 0x54FFFFC1))
    spin = found(Waiting(code, machine=EM_AARCH64), 4, {0: LOCK, 1: SEEK})
    assert isinstance(spin, Spin)
    assert (spin.address, spin.how) == (LOCK, "register x0")


@pytest.mark.parametrize(
    ("word", "registers"),
    [
        (0, {RDI: LOCK, RSI: SEEK}),  # free: not this lock, or no longer
        (HELD, {RDI: LOCK + 4, RSI: SEEK}),  # no address of a lock
        (HELD, {RDI: 0x999999990, RSI: SEEK}),  # not in the core
        (HELD, {RDI: LOCK, RSI: 0x1234}),  # no mask of a lock
        (HELD, {}),
    ],
)
def test_what_is_no_wait_for_a_lock_is_not_taken_for_one(word: int, registers: dict[int, int]) -> None:
    assert isinstance(found(Waiting(BY_RDI, word), 2, registers), Absence)


def test_code_that_is_not_there_is_an_absence() -> None:
    assert isinstance(found(Waiting(b""), -0x2000, {RDI: LOCK}), Absence)


def test_without_code_the_one_register_that_leads_to_a_lock_is_taken() -> None:
    process = cast("Process", Waiting(b""))
    # As they were in the sharding sample: the address twice, the mask twice, counters.
    registers = {RDI: LOCK, R13: LOCK, RSI: SEEK, R12: SEEK, 3: 0x18C93, 1: 0x10C93}
    spin = guess_spin(process, registers)
    assert isinstance(spin, Spin)
    assert (spin.address, spin.mask, spin.how) == (LOCK, SEEK, "register rdi, which leads to the word of a lock")
    # Two that fit, none that fits, no mask: nothing is said.
    other = Waiting(b"")
    other.core.memory = memory_of({LOCK: HELD, LOCK + 64: HELD, LOCK + 128: 0x7F5A30443770})
    assert isinstance(guess_spin(cast("Process", other), {RDI: LOCK, R13: LOCK + 64, RSI: SEEK}), Absence)
    assert isinstance(guess_spin(cast("Process", other), {RDI: LOCK + 128, RSI: SEEK}), Absence)
    assert isinstance(guess_spin(cast("Process", other), {RDI: LOCK}), Absence)
