"""Which threads wait, for which lock, and which of them want to be alone: read from the stacks."""

from __future__ import annotations

import re
from collections.abc import Iterator

from forensics.absence import Absence
from forensics.haproxy.locks.spin import Spin, find_spin, guess_spin
from forensics.haproxy.state import State
from forensics.names import plain_name
from forensics.record import record
from forensics.unwind.frame import Frame, ThreadStack
from forensics.unwind.machine_state import interrupted_frame

#: Functions that wait for a lock (plock.h, thread.h).
_WAITERS = re.compile(
    r"_*pl_(?:wait_|take_|lorw_)\w*$|_*(?:ha_)?(?:spin_lock|rwlock_(?:wr|rd|sk)lock)\w*$|__RWLOCK_\w+|__SPIN_LOCK$"
)
#: A thread that waits until all others are harmless (src/thread.c).
_ISOLATING = re.compile(r"thread_isolate(?:_full)?$")
#: A thread that waits until another one is no longer alone.
_HELD_BACK = re.compile(r"thread_harmless_till_end$|thread_harmless_end(?:_sig)?$|thread_sync_release$")
#: What a spinning thread calls to let others run.
_YIELDS = re.compile(r"(?:__)?(?:GI_)?_*sched_yield$|ha_thread_relax$")
#: Threads whose arguments are looked at, which takes 20 ms each.
_MOST_ASKED = 16
_POINTER = re.compile(r"0x[0-9a-f]{2,16}")
#: The spinning code stands within the first frames below a signal handler.
_INNERMOST = 4


@record
class Wait:
    """One thread that waits for a lock.

    ``function`` is the innermost function that is not part of the waiting, ``frame`` the index of the frame that
    spins. ``spin`` is absent where the stack says that it waits, but not for what.
    """

    lwp: int
    number: int
    function: str
    frame: int
    spin: Spin | Absence

    @property
    def words(self) -> str:
        """``thread 2 (LWP 6934) waits to write or seek, in stktable_touch_with_exp()``."""
        wants = f"to {self.spin.wants}" if isinstance(self.spin, Spin) and self.spin.mask > 3 else "for it"
        where = f"{self.function}()" if self.function else "code without a name"
        return f"thread {self.number} (LWP {self.lwp}) waits {wants}, in {where}"


def iter_waits(state: State) -> Iterator[Wait]:
    """The threads that wait for a lock, in the order of the core."""
    numbers, asked = state.numbers, 0
    for stack in state.stacks:
        frames, number = running_frames(stack), numbers.get(stack.lwp, stack.number)
        for place, frame in enumerate(frames[:_INNERMOST]):
            found = find_spin(state.process, frame.pc, _registers(frames, place))
            if isinstance(found, Spin) or _waits_by_name(frame):
                found = found or guess_spin(state.process, _registers(frames, place))
                if isinstance(found, Absence) and asked < _MOST_ASKED:
                    asked += 1
                    found = _by_argument(state, stack, frames[place : place + _INNERMOST])
                yield Wait(stack.lwp, number, _wanting(frames[place:]), frame.index, found)
                break
            if not frame.inlined and not _YIELDS.match(plain_name(frame.function)):
                break


def running_frames(stack: ThreadStack) -> tuple[Frame, ...]:
    """The frames of the code that ran when the last signal came; all of them where none did."""
    first = interrupted_frame(stack)
    return tuple(one for one in stack.frames if first is not None and one.index >= first.index)


def _waits_by_name(frame: Frame) -> bool:
    return bool(_WAITERS.match(plain_name(frame.function)))


def _by_argument(state: State, stack: ThreadStack, frames: tuple[Frame, ...]) -> Spin | Absence:
    """The argument ``lock`` of the function that waits, from DWARF: for a lock that was released just then."""
    from forensics.unwind.address_space import AddressSpace
    from forensics.unwind.variables import variables_of

    variables = variables_of(AddressSpace(state.process), stack, strings=False)
    for frame in frames:
        if not _waits_by_name(frame) or frame.index >= len(variables):
            break
        for one in variables[frame.index].arguments:
            value = _POINTER.search(one.value) or _POINTER.search(one.entry_value)
            if one.name in ("lock", "l") and value:
                return Spin(int(value[0], 16), 0, f"argument {one.name}")
    return Absence(f"lock that LWP {stack.lwp} waits for", "neither its registers nor DWARF tell")


def _registers(frames: tuple[Frame, ...], place: int) -> dict[int, int]:
    """The registers of a frame; those that its callees may change are the innermost frame's.

    sched_yield() changes none of them but for its result and what the kernel clobbers (rax, rcx, r11).
    """
    own = frames[place].registers
    return dict(frames[0].registers) | dict(own) if place else dict(own)


def _wanting(frames: tuple[Frame, ...]) -> str:
    """The function that wants the lock, "" where it has no name."""
    for place, frame in enumerate(frames):
        name = plain_name(frame.function)
        # The waiting function is static: without debug symbols it has no name itself.
        if (name or place) and not _WAITERS.match(name) and not _YIELDS.match(name):
            return name
    return ""


def isolating(stack: ThreadStack) -> str:
    """``isolating`` for a thread that wants to be alone, ``held back`` for one that waits for such a one, else ""."""
    for frame in running_frames(stack)[:_INNERMOST]:
        name = plain_name(frame.function)
        if _ISOLATING.match(name):
            return "isolating"
        if _HELD_BACK.match(name):
            return "held back"
    return ""
