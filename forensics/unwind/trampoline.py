"""The code that a signal handler returns to, recognised by its instructions where no table describes it.

The kernel's vdso of arm64 has no call frame information for it since Linux 5.8 (87676cfca141), musl never had;
what it restores lies on the stack in a layout that the kernel keeps for good.
"""

from __future__ import annotations

from forensics.elf.encoding import sleb128
from forensics.unwind.architecture import AARCH64, Architecture
from forensics.unwind.rule import Rule, UnwindRow

#: mov $15, %rax; syscall: rt_sigreturn (asm/unistd_64.h).
_X86_64 = b"\x48\xc7\xc0\x0f\x00\x00\x00\x0f\x05"
#: mov x8, #139; svc #0: rt_sigreturn (asm-generic/unistd.h).
_AARCH64 = b"\x68\x11\x80\xd2\x01\x00\x00\xd4"

#: Bytes needed to tell.
CODE_SIZE = len(_X86_64)


def _saved(register: int, offset: int) -> Rule:
    """The rule of a register that lies ``offset`` bytes above the stack pointer ``register``."""
    return ("expression", (bytes((0x70 + register,)) + sleb128(offset)).hex())


def _row(sp: int, places: dict[int, int], pc: int) -> UnwindRow:
    """A row that reads each register of ``places`` above the stack pointer; ``sp`` and ``pc`` are among them."""
    cfa = bytes((0x70 + sp,)) + sleb128(places[sp]) + b"\x06"
    rules = {register: _saved(sp, offset) for register, offset in places.items() if register != sp}
    return UnwindRow(("expression", cfa.hex(), 0), rules, pc, True)


def _x86_64() -> UnwindRow:
    """When the handler has returned, rsp points to the ucontext: gregs (asm/sigcontext.h) begin at 40."""
    order = (8, 9, 10, 11, 12, 13, 14, 15, 5, 4, 6, 3, 1, 0, 2, 7, 16)
    return _row(7, {register: 40 + 8 * place for place, register in enumerate(order)}, 16)


def _aarch64() -> UnwindRow:
    """Sp points to the rt_sigframe: 128 bytes of siginfo, then the ucontext, whose sigcontext stands at 176.

    A fault address precedes x0-x30, sp and pc (arm64's asm/sigcontext.h, asm/ucontext.h).
    """
    first = 128 + 176 + 8
    return _row(31, {register: first + 8 * register for register in range(33)}, 32)


def trampoline_row(architecture: Architecture, code: bytes) -> UnwindRow | None:
    """How to unwind from ``code``, the next instructions, if they end a signal handler."""
    if architecture.name == AARCH64.name:
        return _aarch64() if code.startswith(_AARCH64) else None
    return _x86_64() if code.startswith(_X86_64) else None
