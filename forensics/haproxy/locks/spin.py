"""The loop of a thread that spins for a lock: read from the machine code around its pc, whatever its name.

plock.h compiles to a loop that pauses, loads the lock's word and tests it against a mask. The load tells which
register holds the lock's address (or the address itself, where the compiler knew it), the test which bits must clear.
Up to 2.6 each place that takes a lock has a loop of its own: it takes back what it added to the word, pauses, and tries
again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import chain

from forensics.absence import Absence
from forensics.elf.constants import EM_AARCH64, EM_X86_64
from forensics.haproxy.plock import lock_word
from forensics.haproxy.thread_ids import MOST_THREADS
from forensics.record import record
from forensics.unwind.backtrace import Process

#: Bytes looked at before and behind the pc: gcc's loop of pl_wait_unlock_long() has some 120.
_BEFORE, _BEHIND = 120, 140
_PAUSE = b"\xf3\x90"
#: mov r64, m64 (REX.W 8b), then test r64, r64 (REX.W 85 with a register) (Intel SDM).
_LOAD_TEST = re.compile(rb"([\x48-\x4f])\x8b([\x00-\xbf])(?s:.{0,5}?)([\x48-\x4f])\x85([\xc0-\xff])")
#: lock sub $imm8, m64 (f0 REX.W 83 /5) or lock sub r64, m64 (f0 REX.W 29), then pause.
_DROP = re.compile(rb"\xf0[\x48-\x4f](?:(\x83)([\x28-\x2f\x68-\x6f\xa8-\xaf])|(\x29)([\x00-\xbf]))(?s:.{0,6}?)\xf3\x90")
#: How far from the pause the pc may be, before and behind.
_NEAR_BEFORE, _NEAR_BEHIND = 16, 8
_READER, _WRITER = 0xFFFFFFFC00000000, 0xFFFFFFFF00000000
#: DWARF numbers of x86-64's registers in the order of their encoding (System V ABI, figure 3.36).
_X86 = (0, 2, 1, 3, 7, 6, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15)

#: Bits of low-overhead locks are no larger.
_LORW = 3
#: Masks of pl_wait_unlock_long() on 64 bits, and what the thread wants (plock.h: pl_take_r, pl_take_s and pl_take_w).
MASKS = {
    0xFFFFFFFC00000000: "read",
    0xFFFFFFFF00000000: "write or seek",
    0x00000000FFFFFFFC: "write, once readers left",
    0x00000000FFFFFFF8: "write, once readers left",
    0x0000000300000000: "seek",
    0x00000001: "a low-overhead lock",
    0x00000002: "a low-overhead lock",
}


@record
class Spin:
    """A lock that is waited for: its ``address``, the bits of its word that must clear, and what told it."""

    address: int
    mask: int
    how: str

    @property
    def wants(self) -> str:
        """What the thread wants: ``read``, ``write or seek``."""
        return MASKS.get(self.mask, "the lock")


def find_spin(process: Process, pc: int, registers: Mapping[int, int]) -> Spin | Absence:
    """The lock that the code at ``pc`` spins for with these registers (by DWARF number)."""
    missing = Absence(f"lock at {pc:#x}", "the code there is no loop that waits for a lock")
    code = process.code(pc - _BEFORE, _BEFORE + _BEHIND)
    if isinstance(code, Absence):
        return code
    candidates: Iterator[Spin] = iter(())
    if process.core.machine == EM_X86_64:
        names = process.architecture.names
        candidates = chain(_loads_x86(code, pc - _BEFORE, registers, names), _drops_x86(code, pc, registers, names))
    elif process.core.machine == EM_AARCH64:
        candidates = _loads_arm(code, registers)
    return next((one for one in candidates if one.mask in MASKS and _is_held(process, one)), missing)


def guess_spin(process: Process, registers: Mapping[int, int]) -> Spin | Absence:
    """The lock of a thread that is known to wait, where its code is not at hand: the one register that fits.

    The loop keeps the lock's address and the mask in registers. Only one address must lead to a word that looks like a
    lock's and has bits of the mask.
    """
    masks = [value for value in registers.values() if value in MASKS and value > _LORW]
    architecture, found = process.architecture, dict[int, Spin]()
    for number, address in registers.items():
        word = process.core.memory.word(address) if address and not address & 7 else 0
        mask = next((one for one in masks if isinstance(word, int) and word & one), 0)
        if mask and number not in (architecture.pc, architecture.sp) and isinstance(word, int) and _looks_locked(word):
            name = architecture.names.get(number, str(number))
            found.setdefault(address, Spin(address, mask, f"register {name}, which leads to the word of a lock"))
    if len(found) == 1:
        return next(iter(found.values()))
    return Absence("lock", f"{len(found)} registers may hold its address", "the executable, with `--exe`")


def _looks_locked(word: int) -> bool:
    """Whether a word can be that of a lock: its counts are no larger than threads are many; pointers have others."""
    decoded = lock_word(word)
    return not word & 3 and decoded.writers <= MOST_THREADS and 0 < decoded.readers <= MOST_THREADS


def _is_held(process: Process, spin: Spin) -> bool:
    """Whether the word still has bits that are waited for: memory that is no lock seldom looks so."""
    word = process.core.memory.word(spin.address) if not spin.address & 7 else 0
    return isinstance(word, int) and bool(word & spin.mask)


def _loads_x86(code: bytes, start: int, registers: Mapping[int, int], names: Mapping[int, str]) -> Iterator[Spin]:
    if _PAUSE not in code:
        return
    for found in _LOAD_TEST.finditer(code):
        rex, modrm = found[1][0], found[2][0]
        loaded = _X86[(modrm >> 3 & 7) + (8 if rex & 4 else 0)]
        rex_test, modrm_test = found[3][0], found[4][0]
        pair = (
            _X86[(modrm_test >> 3 & 7) + (8 if rex_test & 4 else 0)],
            _X86[(modrm_test & 7) + (8 if rex_test & 1 else 0)],
        )
        if loaded not in pair:
            continue
        mask = registers.get(pair[1] if pair[0] == loaded else pair[0], 0)
        place = _operand(code, found.start() + 2, start, rex, registers, names)
        if place is not None and found.start(3) == place[1]:
            yield Spin(place[0], mask, place[2])


def _drops_x86(code: bytes, pc: int, registers: Mapping[int, int], names: Mapping[int, str]) -> Iterator[Spin]:
    """The loops of 2.2 to 2.6, where the pc is right at the pause: it may stand in a large function."""
    for found in _DROP.finditer(code):
        pause, immediate = found.end() - 2, found[1] is not None
        if not pause - _NEAR_BEFORE <= _BEFORE <= pause + _NEAR_BEHIND:
            continue
        place = _operand(code, found.start() + 3, pc - _BEFORE, code[found.start() + 1], registers, names, immediate)
        # One reader is the 4 that fits into a byte; seekers and writers add more.
        if place is not None and place[1] == pause:
            yield Spin(place[0], _READER if immediate else _WRITER, place[2])


def _operand(
    code: bytes,
    at: int,
    start: int,
    rex: int,
    registers: Mapping[int, int],
    names: Mapping[int, str],
    immediate: int = 0,
) -> tuple[int, int, str] | None:
    """The address that the operand names whose ModRM byte is at ``at``, where the next instruction begins, and how."""
    mod, low = code[at] >> 6, code[at] & 7
    position = at + 1
    if mod == 0 and low == 5:
        offset = int.from_bytes(code[position : position + 4], "little", signed=True)
        following = position + 4 + immediate
        return start + following + offset, following, "an address in the code"
    if low == 4:  # a byte of scale and index follows; only "no index" is a plain pointer
        if code[position : position + 1] not in (b"\x24", b"\x64"):
            return None
        position += 1
    size = (0, 1, 4)[mod]
    offset = int.from_bytes(code[position : position + size], "little", signed=True)
    base = _X86[low + (8 if rex & 1 else 0)]
    if base not in registers:
        return None
    return (
        registers[base] + offset & 0xFFFFFFFFFFFFFFFF,
        position + size + immediate,
        f"register {names.get(base, base)}",
    )


def _loads_arm(code: bytes, registers: Mapping[int, int]) -> Iterator[Spin]:
    """Loads by ldr x, [x] or ldar x, [x], then within three instructions tst x, x (Arm ARM, C6.2)."""
    words = [int.from_bytes(code[at : at + 4], "little") for at in range(0, len(code) - 3, 4)]
    for place, word in enumerate(words):
        if word & 0xFFC00000 == 0xF9400000:
            offset = (word >> 10 & 0xFFF) * 8
        elif word & 0xFFFFFC00 == 0xC8DFFC00:
            offset = 0
        else:
            continue
        base, loaded = word >> 5 & 31, word & 31
        for test in words[place + 1 : place + 4]:
            pair = (test >> 5 & 31, test >> 16 & 31)
            if test & 0xFFE0FC1F == 0xEA00001F and loaded in pair and base in registers:
                mask = registers.get(pair[1] if pair[0] == loaded else pair[0], 0)
                yield Spin(registers[base] + offset, mask, f"register x{base}")
