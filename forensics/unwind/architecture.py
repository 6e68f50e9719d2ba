"""What the unwinder must know of a processor: registers, and their places in pr_reg."""

from __future__ import annotations

from forensics.elf.constants import (
    EM_386,
    EM_AARCH64,
    EM_ARM,
    EM_LOONGARCH,
    EM_PPC64,
    EM_RISCV,
    EM_S390,
    EM_X86_64,
    MACHINES,
)
from forensics.record import field, record

_WORD = 0xFFFFFFFFFFFFFFFF


@record
class Architecture:
    """One processor.

    ``order`` lists, for each word of pr_reg, the DWARF number of that register, -1 for those
    that DWARF does not number. ``pc``, ``sp`` and ``fp`` are such numbers (``pc`` one of our own
    where DWARF has none; -1: not known), ``link`` is the register in which a call leaves the return address
    (-1: a call pushes it). ``code_mask`` keeps the bits of a return address that are its address.
    ``unwindable`` says whether stacks of it are walked; ``names`` are for reports.
    """

    name: str
    order: tuple[int, ...] = ()
    pc: int = -1
    sp: int = -1
    fp: int = -1
    names: dict[int, str] = field(default_factory=dict)
    link: int = -1
    code_mask: int = _WORD
    unwindable: bool = False

    def registers(self, words: tuple[int, ...]) -> dict[int, int]:
        """DWARF numbers and values from the words of pr_reg."""
        return {number: word for number, word in zip(self.order, words, strict=False) if number >= 0}

    def with_code_mask(self, mask: int) -> Architecture:
        """The same processor with another ``code_mask``."""
        return Architecture(
            self.name, self.order, self.pc, self.sp, self.fp, self.names, self.link, mask, self.unwindable
        )


# r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp (linux/user_64.h);
# System V ABI, figure 3.36.
X86_64 = Architecture(
    "x86-64",
    (15, 14, 13, 12, 6, 3, 11, 10, 9, 8, 0, 2, 1, 4, 5, -1, 16, -1, -1, 7),
    pc=16,
    sp=7,
    fp=6,
    names={0: "rax", 1: "rdx", 2: "rcx", 3: "rbx", 4: "rsi", 5: "rdi", 6: "rbp", 7: "rsp", 16: "rip"}
    | {number: f"r{number}" for number in range(8, 16)},
    unwindable=True,
)

# x0-x30 sp pc pstate (struct user_pt_regs of arm64's asm/ptrace.h); DWARF for the Arm 64-bit Architecture, 4.1.
# Addresses of user space have 48 bits; above them stand the authentication code and the tag of a pointer.
AARCH64 = Architecture(
    "aarch64",
    (*range(33), -1),
    pc=32,
    sp=31,
    fp=29,
    names={number: f"x{number}" for number in range(31)} | {31: "sp", 32: "pc"},
    link=30,
    code_mask=(1 << 48) - 1,
    unwindable=True,
)

# ebx ecx edx esi edi ebp eax ds es fs gs orig_eax eip cs eflags esp (linux/user_32.h); System V ABI of i386, 2.14.
I386 = Architecture(
    "32-bit x86",
    (3, 1, 2, 6, 7, 5, 0, -1, -1, -1, -1, -1, 8, -1, -1, 4),
    pc=8,
    sp=4,
    fp=5,
    names=dict(enumerate(("eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "eip"))),
)

# r0-r15 cpsr orig_r0 (arm's asm/ptrace.h); DWARF for the Arm Architecture, 4.1.
ARM = Architecture(
    "32-bit ARM",
    tuple(range(16)),
    pc=15,
    sp=13,
    fp=11,
    names={number: f"r{number}" for number in range(13)} | {13: "sp", 14: "lr", 15: "pc"},
    link=14,
)

# pc x1-x31 (riscv's asm/ptrace.h).
RISCV = Architecture(
    "RISC-V",
    (32, *range(1, 32)),
    pc=32,
    sp=2,
    fp=8,
    names={number: f"x{number}" for number in range(1, 32)} | {1: "ra", 2: "sp", 32: "pc"},
    link=1,
)

# r0-r31 nip msr orig_r3 ctr link (powerpc's asm/ptrace.h).
PPC64 = Architecture(
    "64-bit PowerPC",
    (*range(32), 64, -1, -1, -1, 65),
    pc=64,
    sp=1,
    fp=31,
    names={number: f"r{number}" for number in range(32)} | {64: "nip", 65: "lr"},
    link=65,
)

# psw mask and address, r0-r15 (s390's asm/ptrace.h); ELF ABI s390x supplement, 1.6.
S390X = Architecture(
    "S/390",
    (64, 65, *range(16)),
    pc=65,
    sp=15,
    fp=11,
    names={number: f"r{number}" for number in range(16)} | {64: "pswm", 65: "pswa"},
    link=14,
)

# r0-r31 orig_a0 era badv (loongarch's asm/ptrace.h).
LOONGARCH = Architecture(
    "LoongArch",
    (*range(32), -1, 32),
    pc=32,
    sp=3,
    fp=22,
    names={number: f"r{number}" for number in range(32)} | {1: "ra", 3: "sp", 32: "pc"},
    link=1,
)

#: Processors by e_machine. Of those that are not unwindable, cores are read, and stacks are not.
ARCHITECTURES = {
    EM_X86_64: X86_64,
    EM_AARCH64: AARCH64,
    EM_386: I386,
    EM_ARM: ARM,
    EM_RISCV: RISCV,
    EM_PPC64: PPC64,
    EM_S390: S390X,
    EM_LOONGARCH: LOONGARCH,
}


def architecture_for(machine: int, *, bits: int = 64, big_endian: bool = False) -> Architecture:
    """The processor of a core; one without registers when nothing is known of it.

    Only 64-bit little-endian processes are unwound: x32 and big-endian ones share a machine number with them.
    """
    found = ARCHITECTURES.get(machine)
    if found is None:
        return Architecture(MACHINES.get(machine, f"machine {machine}"))
    if found.unwindable and (bits != 64 or big_endian):
        return Architecture(f"{found.name} ({bits}-bit{', big-endian' if big_endian else ''})")
    return found
