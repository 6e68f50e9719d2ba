"""What the unwinder must know of a processor: registers and their places in pr_reg."""

from __future__ import annotations

from forensics.elf.constants import EM_X86_64
from forensics.record import record


@record
class Architecture:
    """One processor.

    ``order`` lists, for each word of pr_reg (linux/user_64.h), the DWARF number
    of that register, -1 for those that DWARF does not number. ``pc``, ``sp`` and
    ``fp`` are DWARF numbers; ``names`` are for reports.
    """

    name: str
    order: tuple[int, ...]
    pc: int
    sp: int
    fp: int
    names: dict[int, str]

    def registers(self, words: tuple[int, ...]) -> dict[int, int]:
        """DWARF numbers and values from the words of pr_reg."""
        return {number: word for number, word in zip(self.order, words, strict=False) if number >= 0}


# r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp; System V ABI, figure 3.36.
X86_64 = Architecture(
    "x86-64",
    (15, 14, 13, 12, 6, 3, 11, 10, 9, 8, 0, 2, 1, 4, 5, -1, 16, -1, -1, 7),
    pc=16,
    sp=7,
    fp=6,
    names={0: "rax", 1: "rdx", 2: "rcx", 3: "rbx", 4: "rsi", 5: "rdi", 6: "rbp", 7: "rsp", 16: "rip"}
    | {number: f"r{number}" for number in range(8, 16)},
)

#: Processors that can be unwound, by e_machine. aarch64 takes an entry here (x0-x30, sp, pc).
ARCHITECTURES = {EM_X86_64: X86_64}
