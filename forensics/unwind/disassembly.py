"""One instruction in words: its text, and the memory that it reads and writes. The door of capstone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from forensics.absence import Absence
from forensics.record import record
from forensics.unwind.architecture import Architecture

#: The longest instruction of x86-64.
LONGEST = 15
_MASK = 0xFFFFFFFFFFFFFFFF

SINCE_2_8 = "it does nothing but end the program, which is how HAProxy stops itself since 2.8"
UP_TO_2_7 = "a write to address 1, which is how HAProxy stops itself up to 2.7"

#: Instructions with which programs end themselves: first bytes, name, meaning. HAProxy's are those of
#: ha_crash_now() (include/haproxy/bug.h), which compilers write for __builtin_trap().
DELIBERATE = {
    "x86-64": (
        (b"\x0f\x0b", "ud2", SINCE_2_8),
        (b"\xc6\x04\x25\x01\x00\x00\x00\x00", "movb $0x0, 0x1", UP_TO_2_7),
    ),
    # The number in `brk` is of no meaning to the processor; gcc takes 1000, clang 1 (Arm ARM, C6.2).
    "aarch64": (
        (b"\x00\x00\x00\x00", "udf #0", SINCE_2_8),
        (b"\x00\x7d\x20\xd4", "brk #0x3e8", SINCE_2_8),
        (b"\x20\x00\x20\xd4", "brk #1", SINCE_2_8),
    ),
}

#: x86: what these do to the stack without an operand that says so, relative to the stack pointer.
_PUSHES, _POPS = ("push", "call"), ("pop", "ret", "leave")


@record
class Access:
    """Memory that an instruction touches: ``operand`` as written, ``address`` None when a register is not known.

    ``size`` is in bytes, 0 where the instruction does not tell.
    """

    operand: str
    address: int | None
    size: int
    reads: bool
    writes: bool


@record
class Instruction:
    """One decoded instruction; ``text`` in AT&T form on x86-64, as gdb prints it."""

    address: int
    code: bytes
    text: str
    accesses: tuple[Access, ...] = ()


def deliberate(code: bytes, architecture: Architecture) -> tuple[bytes, str, str] | None:
    """Bytes, name and meaning of an instruction that only ends the program; needs no decoder."""
    return next((one for one in DELIBERATE.get(architecture.name, ()) if code.startswith(one[0])), None)


def decode(
    code: bytes, address: int, architecture: Architecture, registers: Mapping[int, int], segment_base: int = 0
) -> Instruction | Absence:
    """The instruction at the start of ``code``; ``segment_base`` is that of %fs, for thread-local variables."""
    import capstone

    try:
        engine = _engine(capstone, architecture.name)
        found = next(engine.disasm(code[:LONGEST], address, 1), None) if engine else None
    except capstone.CsError as error:
        return Absence("instruction", f"it cannot be decoded ({error})")
    if found is None:
        return Absence("instruction", f"`{code[:4].hex(' ')}` begins no instruction of {architecture.name}")
    text = f"{found.mnemonic} {found.op_str}".strip()
    if architecture.name == "x86-64":
        accesses = _x86_accesses(capstone, found, _by_name(architecture, registers), segment_base)
    else:
        accesses = _arm_accesses(capstone, found, _by_name(architecture, registers))
    return Instruction(address, bytes(found.bytes), text, tuple(accesses))


def _engine(capstone: Any, name: str) -> Any:
    if name == "x86-64":
        engine = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
        engine.syntax = capstone.CS_OPT_SYNTAX_ATT
    elif name == "aarch64":
        # It was renamed in capstone 6.
        engine = capstone.Cs(getattr(capstone, "CS_ARCH_AARCH64", None) or capstone.CS_ARCH_ARM64, 0)
    else:
        return None
    engine.detail = True
    return engine


#: The value of a register by its name in the decoder, None when it is not known.
_Values = Callable[[str], int | None]


def _by_name(architecture: Architecture, registers: Mapping[int, int]) -> _Values:
    numbers = {name: number for number, name in architecture.names.items()}
    aliases = {"fp": "x29", "lr": "x30"}

    def value(name: str) -> int | None:
        if name in ("xzr", "wzr"):
            return 0
        found = registers.get(numbers.get(aliases.get(name, name), -1))
        if found is not None:
            return found
        wide = f"x{name[1:]}" if name.startswith("w") else f"r{name[1:]}" if name.startswith("e") else ""
        wider = registers.get(numbers.get(wide, -1))
        return None if wider is None else wider & 0xFFFFFFFF

    return value


def _x86_accesses(capstone: Any, found: Any, value: _Values, segment_base: int) -> list[Access]:
    accesses = []
    for operand in found.operands:
        if operand.type != capstone.CS_OP_MEM or found.mnemonic.startswith(("lea", "nop")):
            continue
        memory = operand.mem
        base = _x86_base(found, memory, value)
        index = value(found.reg_name(memory.index)) if memory.index else 0
        address = None if base is None or index is None else base + index * memory.scale + memory.disp & _MASK
        if memory.segment and address is not None:
            address = address + segment_base & _MASK
        reads, writes = bool(operand.access & 1), bool(operand.access & 2)
        if found.mnemonic.startswith(("call", "jmp")):
            reads, writes = True, False
        accesses.append(Access(_x86_operand(found, memory), address, operand.size, reads, writes))
    stack = value("rsp")
    if stack is not None and found.mnemonic.startswith(_PUSHES):
        accesses.append(Access("the stack", stack - 8 & _MASK, 8, reads=False, writes=True))
    elif stack is not None and found.mnemonic.startswith(_POPS):
        accesses.append(Access("the stack", stack, 8, reads=True, writes=False))
    return accesses


def _x86_base(found: Any, memory: Any, value: _Values) -> int | None:
    if not memory.base:
        return 0
    name = found.reg_name(memory.base)
    return found.address + found.size if name == "rip" else value(name)


def _x86_operand(found: Any, memory: Any) -> str:
    """``0x18(%rax,%rcx,8)``."""
    segment = f"%{found.reg_name(memory.segment)}:" if memory.segment else ""
    displacement = f"{'-' if memory.disp < 0 else ''}{abs(memory.disp):#x}" if memory.disp or not memory.base else ""
    base = f"%{found.reg_name(memory.base)}" if memory.base else ""
    index = f",%{found.reg_name(memory.index)},{memory.scale}" if memory.index else ""
    inside = f"({base}{index})" if base or index else ""
    return f"{segment}{displacement}{inside}"


def _arm_accesses(capstone: Any, found: Any, value: _Values) -> list[Access]:
    accesses = []
    for operand in found.operands:
        if operand.type != capstone.CS_OP_MEM or found.mnemonic.startswith("prfm"):
            continue
        memory = operand.mem
        base = value(found.reg_name(memory.base)) if memory.base else 0
        index = value(found.reg_name(memory.index)) if memory.index else 0
        shift = operand.shift.value if memory.index else 0
        # With post-indexing the displacement is added afterwards, and is then no part of the operand's text.
        post = "]," in found.op_str.replace(" ", "")
        offset = 0 if post else memory.disp
        address = None if base is None or index is None else base + (index << shift) + offset & _MASK
        writes = found.mnemonic.startswith("st") or _is_atomic(found.mnemonic)
        reads = not found.mnemonic.startswith("st")
        start = found.op_str.find("[")
        text = found.op_str[start : found.op_str.find("]", start) + 1]
        accesses.append(Access(text, address, _arm_size(found), reads, writes))
    return accesses


_ATOMIC = ("cas", "swp", "ldadd", "ldclr", "ldeor", "ldset", "ldsmax", "ldsmin", "ldumax", "ldumin")


def _is_atomic(mnemonic: str) -> bool:
    """The single instructions of ARMv8.1 that read and write at once: cas, swp, ldadd, ldclr, ldset, ldeor ..."""
    return mnemonic.startswith(_ATOMIC)


def _arm_size(found: Any) -> int:
    """Bytes moved: by the suffix of the mnemonic, else by the width of the first register, twice for a pair."""
    name = found.mnemonic.split(".")[0]
    first = found.op_str.split(",")[0].strip().lstrip("{").strip()
    if name.startswith(("stxr", "stlxr", "stxp", "stlxp")):
        first = found.op_str.split(",")[1].strip()
    if name.endswith("b"):
        return 1
    if name.endswith("h"):
        return 2
    if name.endswith("sw"):
        return 4
    width = {"w": 4, "s": 4, "x": 8, "d": 8, "q": 16}.get(first[:1], 0)
    return width * 2 if name in ("ldp", "stp", "ldnp", "stnp", "ldxp", "ldaxp", "stxp", "stlxp") else width
