"""What `backtrace` shows of a core: the stacks, and for one thread its variables, registers and instruction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from forensics.errors import UsageError
from forensics.record import record
from forensics.report.stacks_view import MachineState, StacksView
from forensics.symbols.places import Places
from forensics.unwind.address_space import AddressSpace
from forensics.unwind.frame import ThreadStack
from forensics.unwind.opened import open_core

if TYPE_CHECKING:
    from forensics.unwind.variables import FrameVariables

#: Signals that an instruction causes.
_FAULTS = ("SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGTRAP")


@record
class Wanted:
    """What to show.

    ``thread`` is HAProxy's number or an LWP, 0 for all threads; ``everywhere`` reads the variables of all
    threads instead of one's; ``scrub`` hides what strings say.
    """

    thread: int = 0
    every: bool = False
    variables: bool = False
    registers: bool = False
    everywhere: bool = False
    scrub: bool = True


def open_stacks(path: str, places: Places, wanted: Wanted) -> StacksView:
    """The stacks of the core at ``path``. InputError when it cannot be read, UsageError for a thread it lacks."""
    process, stacks = open_core(path, places)
    process.save()
    if wanted.thread:
        stacks = (_chosen(stacks, wanted.thread),)
    space = AddressSpace(process)
    examined = _examined(stacks) if stacks else None
    return StacksView(
        process.core,
        stacks,
        _variables(space, stacks, examined, wanted),
        _machine(space, examined, wanted) if examined is not None else None,
        wanted.every,
        wanted.scrub,
    )


def _chosen(stacks: tuple[ThreadStack, ...], thread: int) -> ThreadStack:
    found = [one for one in stacks if one.number == thread] or [one for one in stacks if one.lwp == thread]
    if not found:
        lwps = sorted(one.lwp for one in stacks)
        raise UsageError(
            f"the core has no thread {thread}",
            f"threads are 1 to {len(stacks)}, LWPs {lwps[0]} to {lwps[-1]}; `backtrace` without --thread lists them",
        )
    return found[0]


def _examined(stacks: tuple[ThreadStack, ...]) -> ThreadStack:
    """The thread whose registers and variables are read: the crashed one, else the first."""
    return next((one for one in stacks if one.crashed), stacks[0])


def _variables(
    space: AddressSpace, stacks: tuple[ThreadStack, ...], examined: ThreadStack | None, wanted: Wanted
) -> dict[int, tuple[FrameVariables, ...]]:
    if not (wanted.variables or wanted.everywhere) or examined is None:
        return {}
    from forensics.unwind.variables import variables_of

    chosen = stacks if wanted.everywhere else (examined,)
    return {one.lwp: variables_of(space, one, strings=not wanted.scrub) for one in chosen}


def _machine(space: AddressSpace, stack: ThreadStack, wanted: Wanted) -> MachineState | None:
    from forensics.unwind.machine_state import (
        InstructionState,
        decoded_instruction,
        interrupted_frame,
        plain_instruction,
        registers_of,
    )

    frame = interrupted_frame(stack)
    if frame is None or not (stack.crashed or wanted.registers):
        return None
    if not wanted.registers:
        found = plain_instruction(space.process, frame)
        signal = space.process.core.signal
        telling = isinstance(found, InstructionState) and (
            found.note or (signal is not None and signal.code > 0 and signal.name in _FAULTS and frame.index == 0)
        )
        return MachineState(stack.lwp, frame.index, found) if telling else None
    return MachineState(stack.lwp, frame.index, decoded_instruction(space, stack, frame), registers_of(space, frame))
