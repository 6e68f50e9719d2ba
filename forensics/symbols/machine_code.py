"""The instructions of each processor that matter to assertions; what is known of them stands in ``code_*``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, cast

from forensics.elf.constants import EM_AARCH64, EM_X86_64


class MachineCode(Protocol):
    """What must be known of a processor's instructions."""

    def loads(self, code: bytes, base: int, fixed: bool) -> Iterator[tuple[int, int, int]]:
        """Address of each load of an address, the address after it, and what is loaded."""

    def counts(self, code: bytes, base: int) -> Iterator[tuple[int, int]]:
        """Address of each addition to a number that threads share, and the number's address."""

    def jumps(self, code: bytes, base: int, short: range) -> Iterator[tuple[int, int]]:
        """Address and target of what may be jumps; short ones at the positions ``short`` only."""

    def crash(self, code: bytes, low: int, high: int) -> int:
        """The position of the first crash between two positions, -1 for none."""

    def is_trap(self, code: bytes) -> bool:
        """Whether ``code`` begins with the illegal instruction that HAProxy crashes with (2.8 on)."""

    def is_store(self, code: bytes) -> bool:
        """Whether ``code`` begins with a store of zero, as HAProxy crashes with a store to address 1 (up to 2.7)."""


def machine_code(machine: int) -> MachineCode | None:
    """The reader of instructions for e_machine; None for a processor that is not known."""
    if machine == EM_X86_64:
        from forensics.symbols import code_x86

        return cast(MachineCode, code_x86)
    if machine == EM_AARCH64:
        from forensics.symbols import code_arm

        return cast(MachineCode, code_arm)
    return None
