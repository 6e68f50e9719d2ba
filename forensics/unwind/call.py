"""Whether an address is one that a call would leave: the instruction before it must be a call."""

from __future__ import annotations

from collections.abc import Callable

from forensics.absence import Absence
from forensics.memory.process import Memory
from forensics.record import record
from forensics.unwind.architecture import Architecture

#: Bytes of code at an address of the process.
CodeReader = Callable[[int, int], bytes | Absence]


@record
class Call:
    """A call instruction; ``target`` is 0 for one through a register or through memory."""

    target: int


_INDIRECT = Call(0)

#: call *reg and call *memory: 0xff with 2 in the middle of the next byte (Intel SDM, CALL), by the length of the
#: whole instruction: what the upper two and the lower three bits of that byte may be.
_MODRM: tuple[tuple[int, Callable[[int, int], bool]], ...] = (
    (2, lambda mod, rm: mod == 3 or (mod == 0 and rm not in (4, 5))),
    (3, lambda mod, rm: (mod == 1 and rm != 4) or (mod == 0 and rm == 4)),
    (4, lambda mod, rm: mod == 1 and rm == 4),
    (6, lambda mod, rm: (mod == 2 and rm != 4) or (mod == 0 and rm == 5)),
    (7, lambda mod, rm: mod in (0, 2) and rm == 4),
)  # fmt: skip


def call_before(architecture: Architecture, address: int, code: CodeReader, memory: Memory) -> Call | Absence | None:
    """The call that ends at ``address``, None when there is none; the Absence when its code is not at hand."""
    if architecture.link >= 0:
        data = code(address - 4, 4)
        return data if isinstance(data, Absence) else _branch_with_link(int.from_bytes(data, "little"), address - 4)
    data = code(address - 7, 7)
    if isinstance(data, Absence):
        return data
    if data[2] == 0xE8:
        target = address + int.from_bytes(data[3:], "little", signed=True)
        if is_code(memory, target):
            return Call(target)
    return _INDIRECT if _ends_with_indirect_call(data) else None


def is_code(memory: Memory, address: int) -> bool:
    """Whether ``address`` lies in an executable mapping."""
    segment = memory.find(address)
    return not isinstance(segment, Absence) and segment.executable


def _branch_with_link(word: int, address: int) -> Call | None:
    """bl; blr and its authenticated forms blraa, blrab, blraaz, blrabz (Arm ARM, C6.2)."""
    if word >> 26 == 0b100101:
        offset = word & 0x3FFFFFF
        return Call(address + 4 * (offset - (offset >> 25 << 26)))
    return _INDIRECT if word & 0xFEFFF000 == 0xD63F0000 else None


def _ends_with_indirect_call(data: bytes) -> bool:
    for length, fits in _MODRM:
        if data[-length] == 0xFF:
            following = data[1 - length]
            if following >> 3 & 7 == 2 and fits(following >> 6, following & 7):
                return True
    return False
