"""Callers where no call frame information leads: by the running code, by frame pointers, by searching the stack.

Each believes only what a call can have left: an address in executable memory, with a call right before it
wherever the code is at hand.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from forensics.absence import Absence
from forensics.memory.process import Memory
from forensics.record import record
from forensics.unwind.architecture import Architecture
from forensics.unwind.call import Call, CodeReader, call_before, is_code
from forensics.unwind.trampoline import CODE_SIZE, trampoline_row

#: How far above the stack pointer the next return address may lie (bytes), and how many candidates are looked at.
SCAN_BYTES = 64 << 10
_MOST_CANDIDATES = 256

#: Frames of HAProxy are small; a record further up belongs to somebody else.
_LARGEST_FRAME = 1 << 20

_STARTS_X86 = (
    b"\x55",  # push %rbp
    b"\xc3", b"\xf3\xc3", b"\xf2\xc3",  # ret
    b"\xff\x25", b"\xf2\xff\x25",  # jmp through the global offset table: a stub of the linkage table
    b"\x68",  # push $number: the second half of such a stub
)  # fmt: skip
_ENDBR64 = b"\xf3\x0f\x1e\xfa"
_MOV_RBP_RSP = (b"\x48\x89\xe5", b"\x48\x8b\xec")

_RET, _RETAA, _RETAB = 0xD65F03C0, 0xD65F0BFF, 0xD65F0FFF
_PACIASP, _PACIBSP, _BTI_C = 0xD503233F, 0xD503237F, 0xD503245F
_MOV_X29_SP, _BR_X17 = 0x910003FD, 0xD61F0220


@record
class Surroundings:
    """What a caller is searched in.

    ``function_at`` gives name (without the suffix of clones) and start of the function at an address,
    ("", 0) where no symbol tells.
    """

    architecture: Architecture
    memory: Memory
    code: CodeReader
    function_at: Callable[[int], tuple[str, int]]

    def believed(self, address: int) -> bool:
        """Whether a call may have left ``address``: where its code is not at hand, that it is code must do."""
        return self._call(address) is not None

    def proven(self, address: int) -> bool:
        """Whether a call stands before ``address``."""
        return isinstance(self._call(address), Call)

    def called(self, address: int, running: int) -> bool:
        """Whether a call stands before ``address``, and one that can have led to the code at ``running``.

        A call by name leads to that function or into the linkage table, which has no symbol.
        """
        call = self._call(address)
        if not isinstance(call, Call):
            return False
        target, _start = self.function_at(call.target) if call.target else ("", 0)
        return not target or target == self.function_at(running)[0]

    def called_by_name(self, address: int, running: int) -> bool:
        """Whether the call before ``address`` is one of the very function that holds ``running``."""
        call = self._call(address)
        name = self.function_at(running)[0]
        return isinstance(call, Call) and bool(call.target and name) and self.function_at(call.target)[0] == name

    def after_handler(self, address: int) -> bool:
        """Whether ``address`` is where a signal handler returns to."""
        code = self.code(address, CODE_SIZE)
        return isinstance(code, bytes) and trampoline_row(self.architecture, code) is not None

    def _call(self, address: int) -> Call | Absence | None:
        if not is_code(self.memory, address):
            return None
        # The kernel, which calls signal handlers, leaves no call before the address that they return to.
        if self.after_handler(address):
            return Call(0)
        return call_before(self.architecture, address, self.code, self.memory)


Registers = dict[int, int]


def by_code(around: Surroundings, registers: Registers) -> Registers | None:
    """The caller of code that was interrupted where it had not made its frame yet, or given it back already."""
    return _by_code_aarch64(around, registers) if around.architecture.link >= 0 else _by_code_x86(around, registers)


def _by_code_x86(around: Surroundings, registers: Registers) -> Registers | None:
    pc, sp = registers.get(around.architecture.pc, 0), registers.get(around.architecture.sp, 0)
    code, before = around.code(pc, 8), around.code(pc - 1, 1)
    if isinstance(code, Absence):
        return None
    if code.startswith(_MOV_RBP_RSP) and before == b"\x55":
        return _returned(around, registers, sp + 8, {around.architecture.fp: sp})
    if code.removeprefix(_ENDBR64).startswith(_STARTS_X86) or code.startswith(_ENDBR64):
        return _returned(around, registers, sp, {})
    top = around.memory.word(sp)
    leaf = isinstance(top, int) and around.called_by_name(top, pc)
    return _returned(around, registers, sp, {}) if leaf else None


def _returned(around: Surroundings, registers: Registers, at: int, saved: dict[int, int]) -> Registers | None:
    """The caller whose address lies at ``at``; ``saved`` says where registers of its own lie."""
    caller = around.memory.word(at)
    if isinstance(caller, Absence) or not around.believed(caller):
        return None
    found = registers | {around.architecture.sp: at + 8, around.architecture.pc: caller}
    for register, place in saved.items():
        value = around.memory.word(place)
        if isinstance(value, int):
            found[register] = value
    return found


def _by_code_aarch64(around: Surroundings, registers: Registers) -> Registers | None:
    architecture = around.architecture
    caller = registers.get(architecture.link, 0) & architecture.code_mask
    pc = registers.get(architecture.pc, 0)
    data, before = around.code(pc, 16), around.code(pc - 4, 4)
    found = registers | {architecture.pc: caller}
    if not around.believed(caller):
        return None
    if isinstance(data, Absence):
        return found if _is_leaf(around, registers, pc, caller) else None
    words = struct.unpack("<4I", data)
    if words[0] == _MOV_X29_SP and isinstance(before, bytes) and _is_push(int.from_bytes(before, "little")):
        sp = registers.get(architecture.sp, 0)
        frame = around.memory.word(sp)
        size = (0x80 - (int.from_bytes(before, "little") >> 15 & 0x7F)) * 8
        return found | {architecture.sp: sp + size} | ({architecture.fp: frame} if isinstance(frame, int) else {})
    entry = words[0] in (_PACIASP, _PACIBSP, _BTI_C, _RET, _RETAA, _RETAB) or _is_push(words[0])
    return found if entry or _BR_X17 in words or _is_leaf(around, registers, pc, caller) else None


def _is_push(word: int) -> bool:
    """Whether it is ``stp x29, x30, [sp, #-size]!``."""
    return word & 0xFFC07FFF == 0xA9807BFD and word >> 21 & 1 == 1


def _is_leaf(around: Surroundings, registers: Registers, pc: int, caller: int) -> bool:
    """Whether the function at ``pc`` has made no frame.

    After a call of its own, x30 leads into the function itself, or at least into its module;
    with a frame, x30 was saved next to x29.
    """
    saved = around.memory.word(registers.get(around.architecture.fp, 0) + 8)
    if isinstance(saved, int) and saved & around.architecture.code_mask == caller:
        return False
    if around.memory.find(pc) != around.memory.find(caller):
        return around.proven(caller)  # whatever function was called there, it may have jumped on
    (running, _start), (calling, _start) = around.function_at(pc), around.function_at(caller - 1)
    return bool(running and calling) and running != calling and around.called(caller, pc)


def by_frame_pointer(around: Surroundings, registers: Registers) -> Registers | None:
    """The caller by the saved frame pointer, believed only if it leads up the stack into code."""
    architecture, memory = around.architecture, around.memory
    frame, sp = registers.get(architecture.fp, 0), registers.get(architecture.sp, 0)
    saved, caller = memory.word(frame), memory.word(frame + 8)
    if isinstance(saved, Absence) or isinstance(caller, Absence):
        return None
    caller &= architecture.code_mask
    # The outermost frame has no frame above it: there, only a call that is seen to stand in the code will do.
    leads_on = frame < saved if saved else around.proven(caller)
    if not sp <= frame or not leads_on or frame - sp > _LARGEST_FRAME or not around.believed(caller):
        return None
    above = _stack_above(around, frame + 16, saved, caller) if architecture.link >= 0 else frame + 16
    return {architecture.fp: saved, architecture.sp: above, architecture.pc: caller}


def _stack_above(around: Surroundings, at: int, frame: int, caller: int) -> int:
    """The stack pointer of ``caller`` on aarch64, whose record is at ``frame`` and whose callee's ended at ``at``.

    Compilers put the record at the bottom of the frame. Above a signal handler stands the kernel's
    rt_sigframe: uc_link, which is 0, at 136, the interrupted sp, pc and pstate from 560 on, its record behind it.
    """
    if not around.after_handler(caller):
        return frame or at
    for place in range(at + 15 & -16, min(frame, at + SCAN_BYTES), 16):
        link, rest = around.memory.word(place + 136), around.memory.read(place + 560, 24)
        if isinstance(link, Absence) or isinstance(rest, Absence):
            break
        sp, pc, state = struct.unpack("<3Q", rest)
        # The state of a user's process is a word whose lowest bits, the exception level, are 0.
        sound = sp % 16 == 0 and pc % 4 == 0 and state < 1 << 32 and state & 15 == 0
        if link == 0 and sound and is_code(around.memory, pc):
            return place
    return frame or at


def by_scan(around: Surroundings, registers: Registers) -> Registers | None:
    """The caller by the next word up the stack that a call can have left."""
    architecture, memory = around.architecture, around.memory
    pc, sp = registers.get(architecture.pc, 0), registers.get(architecture.sp, 0) + 7 & -8
    segment = memory.find(sp)
    if isinstance(segment, Absence):
        return None
    data = memory.read(sp, max(0, min(SCAN_BYTES, segment.address + segment.file_size - sp)) & -8)
    if isinstance(data, Absence):
        return None
    looked = 0
    for place, (word,) in enumerate(struct.iter_unpack("<Q", data)):
        caller = word & architecture.code_mask
        if caller < 0x1000 or not is_code(memory, caller):
            continue
        looked += 1
        if looked > _MOST_CANDIDATES:
            return None
        if around.called(caller, pc):
            return _after_scan(around, registers, sp + 8 * place, caller)
    return None


def _after_scan(around: Surroundings, registers: Registers, at: int, caller: int) -> Registers:
    """The registers of a caller whose address was found at ``at``: of others, only the frame pointer may still hold."""
    architecture = around.architecture
    found = {architecture.sp: at + 8, architecture.pc: caller}
    frame = registers.get(architecture.fp, 0)
    if architecture.link >= 0:
        record_frame = around.memory.word(at - 8)
        if isinstance(record_frame, int) and at < record_frame <= at + _LARGEST_FRAME:
            above = _stack_above(around, at + 8, record_frame, caller)
            return found | {architecture.fp: record_frame, architecture.sp: above}
    return found | ({architecture.fp: frame} if frame > at else {})
