"""The registers of a thread where it went wrong, and the instruction there with the memory it touched."""

from __future__ import annotations

from forensics.absence import Absence
from forensics.record import record
from forensics.unwind.address_space import AddressSpace
from forensics.unwind.backtrace import SIGNAL_HANDLER, Process
from forensics.unwind.disassembly import UP_TO_2_7, Access, Instruction, decode, deliberate
from forensics.unwind.frame import Frame, ThreadStack

_READ = 16
#: Place of fs_base among the words of pr_reg on x86-64 (linux/user_64.h).
_FS_BASE = 21


@record
class Register:
    """One register: ``note`` says what it points to, "" for a number."""

    name: str
    value: int
    note: str


@record
class MemoryTouch:
    """What an access of the instruction meant: ``note`` says what lies there, ``value`` what the core holds there."""

    access: Access
    note: str
    value: int | None


@record
class InstructionState:
    """The instruction at the pc of frame ``frame``. ``note`` says when it is a deliberate end."""

    frame: int
    address: int
    code: bytes
    text: str
    touches: tuple[MemoryTouch, ...] = ()
    note: str = ""


def interrupted_frame(stack: ThreadStack) -> Frame | None:
    """The frame whose code was running: the innermost, or the one below the last signal handler."""
    handlers = [place for place, frame in enumerate(stack.frames) if frame.function == SIGNAL_HANDLER]
    below = stack.frames[handlers[-1] + 1 :] if handlers else stack.frames
    return next(iter(below), None)


def registers_of(space: AddressSpace, frame: Frame) -> tuple[Register, ...]:
    """The general registers in the order of the processor's manual, those that are known."""
    names = space.process.architecture.names
    values = [(name, frame.registers[number]) for number, name in names.items() if number in frame.registers]
    return tuple(Register(name, value, space.describe(value)) for name, value in values)


def plain_instruction(process: Process, frame: Frame) -> InstructionState | Absence:
    """The bytes at the frame's pc, and their name if they are a deliberate end: costs nothing."""
    code = code_at(process, frame.pc)
    if isinstance(code, Absence):
        return code
    known = deliberate(code, process.architecture)
    if known is not None:
        return InstructionState(frame.index, frame.pc, known[0], known[1], (), known[2])
    return InstructionState(frame.index, frame.pc, code[: 4 if process.architecture.name == "aarch64" else 8], "")


def decoded_instruction(space: AddressSpace, stack: ThreadStack, frame: Frame) -> InstructionState | Absence:
    """The instruction at the frame's pc with its operands."""
    process = space.process
    code = code_at(process, frame.pc)
    if isinstance(code, Absence):
        return code
    words = next((one.registers for one in process.core.threads if one.lwp == stack.lwp), ())
    base = words[_FS_BASE] if process.architecture.name == "x86-64" and len(words) > _FS_BASE else 0
    found = decode(code, frame.pc, process.architecture, frame.registers, base)
    if not isinstance(found, Instruction):
        return found
    touches = tuple(_touch(space, one) for one in found.accesses)
    known = deliberate(code, process.architecture)
    note = known[2] if known else UP_TO_2_7 if any(one.address == 1 and one.writes for one in found.accesses) else ""
    return InstructionState(frame.index, frame.pc, found.code, found.text, touches, note)


def _touch(space: AddressSpace, access: Access) -> MemoryTouch:
    if access.address is None:
        return MemoryTouch(access, "a register of the address is not known", None)
    note = space.describe(access.address)
    if not note and not space.is_mapped(access.address):
        note = "not mapped"
    data = space.process.core.memory.read(access.address, access.size) if 0 < access.size <= 8 else None
    return MemoryTouch(access, note, int.from_bytes(data, "little") if isinstance(data, bytes) else None)


def code_at(process: Process, pc: int) -> bytes | Absence:
    """The bytes of the instruction at ``pc``, up to 16: of the proven file, else of the core."""
    module = process.module_at(pc)
    why = "neither the core nor a file at hand holds it"
    missing = Absence(f"code at {pc:#x}", why, "the executable, with `--exe`")
    if not isinstance(module, Absence):
        symbols = process.symbols(module)
        image = symbols.files.image
        for size in (_READ, 8, 4, 2) if image is not None else ():
            found = image.read(pc - module.base, size) if image is not None else missing
            if isinstance(found, bytes):
                return found
        kept = symbols.code(pc - module.base)
        if isinstance(kept, bytes):
            return kept
    for size in (_READ, 8, 4, 2):
        found = process.core.memory.read(pc, size)
        if isinstance(found, bytes):
            return found
    return missing
