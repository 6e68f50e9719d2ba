"""Whether a stack is the same few functions over and over: what fills stacks until they overflow."""

from __future__ import annotations

from forensics.absence import Absence
from forensics.names import plain_name
from forensics.record import record
from forensics.unwind.frame import ThreadStack

#: Functions that call each other in turn, at most; rounds and frames from which on it is a recursion.
_LONGEST, _ROUNDS, _FRAMES = 16, 4, 24


@record
class Recursion:
    """``functions`` are those of one round, innermost first; ``frames`` counts those of all rounds."""

    functions: tuple[str, ...]
    frames: int

    @property
    def words(self) -> str:
        """The recursion as a phrase."""
        names = list(dict.fromkeys(name or "?" for name in self.functions))
        if len(names) == 1:
            return (
                f"{names[0]}() called itself again and again"
                if names[0] != "?"
                else "a function called itself again and again"
            )
        return f"{', '.join(f'{name}()' for name in names)} called each other again and again"

    @property
    def evidence(self) -> str:
        """What shows it."""
        return f"{self.frames} frames in which {len(self.functions)} repeat"


def find_recursion(stack: ThreadStack) -> Recursion | Absence:
    """The shortest round of functions that the innermost frames repeat."""
    # One function without a name is told from another one by where it was called.
    keys = [plain_name(frame.function) or f"{frame.pc:x}" for frame in stack.frames if not frame.inlined]
    for start in range(min(len(keys), 4)):
        for length in range(1, min(_LONGEST, len(keys) // _ROUNDS) + 1):
            count = _repeated(keys, start, length)
            if count >= max(_ROUNDS * length, _FRAMES):
                names = [plain_name(frame.function) for frame in stack.frames if not frame.inlined]
                return Recursion(tuple(names[start : start + length]), count)
    return Absence("recursion", "no functions repeat on the stack")


def _repeated(keys: list[str], start: int, length: int) -> int:
    """How many entries from ``start`` on repeat with this period."""
    place = start
    while place + length < len(keys) and keys[place] == keys[place + length]:
        place += 1
    return place - start + length if place > start else 0
