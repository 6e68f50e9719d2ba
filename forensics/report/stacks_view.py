"""What `backtrace` shows: the threads in order, and beside the stacks what was read for one of them or for all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from forensics.absence import Absence
from forensics.elf.core import CoreDump
from forensics.elf.notes import SignalInfo
from forensics.haproxy.occupation import CRASHED, Occupation, occupation_of
from forensics.record import field, record
from forensics.report.document import Thread
from forensics.unwind.frame import ThreadStack

# The readers of variables and of instructions are not imported for stacks alone.
if TYPE_CHECKING:
    from forensics.unwind.machine_state import InstructionState, Register
    from forensics.unwind.variables import FrameVariables


@record
class MachineState:
    """Registers and instruction of thread ``lwp`` at ``frame``; ``registers`` are empty unless asked for."""

    lwp: int
    frame: int
    instruction: InstructionState | Absence
    registers: tuple[Register, ...] = ()


@record
class StacksView:
    """Stacks as asked for.

    ``variables`` has those of each frame by LWP; ``every`` shows equal stacks one by one;
    ``scrub`` hides what may be secret in the command line.
    """

    core: CoreDump
    stacks: tuple[ThreadStack, ...]
    variables: Mapping[int, tuple[FrameVariables, ...]] = field(default_factory=dict)
    machine: MachineState | None = None
    every: bool = False
    scrub: bool = True


@record
class Group:
    """Threads with equal stacks, and what they were doing."""

    threads: tuple[Thread, ...]
    occupation: Occupation


def occupation_of_stack(stack: ThreadStack, core: CoreDump) -> Occupation:
    """What the thread was doing."""
    signal = core.signal
    if stack.crashed and signal is not None:
        return Occupation(CRASHED, f"crashed ({signal.name}{_cause(signal, core)})")
    return occupation_of([frame.function for frame in stack.frames])


def _cause(signal: SignalInfo, core: CoreDump) -> str:
    """The address of a fault, or who sent the signal."""
    if signal.address is not None and signal.name in ("SIGSEGV", "SIGBUS"):
        return f" at {signal.address:#x}"
    own = core.process.pid if core.process is not None else 0
    return f", sent by process {signal.sender}" if signal.sender and signal.sender != own else ""


def groups_of(view: StacksView) -> list[Group]:
    """Equal stacks once: the crashed one first, idle ones last, large groups before small ones."""
    found: dict[tuple[object, ...], tuple[list[Thread], Occupation]] = {}
    for stack in view.stacks:
        occupation = occupation_of_stack(stack, view.core)
        thread = Thread.of(stack, occupation.words)
        alone = stack.lwp if view.every or stack.lwp in view.variables else 0
        key = (stack.crashed, alone, *(frame.name for frame in thread.frames))
        found.setdefault(key, ([], occupation))[0].append(thread)
    groups = [Group(tuple(threads), occupation) for threads, occupation in found.values()]
    return sorted(groups, key=lambda group: (group.occupation.rank, -len(group.threads)))
