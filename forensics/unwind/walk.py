"""Walking a stack: from the registers of a thread to the return addresses of its callers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field

from forensics.absence import Absence
from forensics.memory.process import Memory, Segment
from forensics.record import record
from forensics.unwind.architecture import Architecture
from forensics.unwind.expression import evaluate
from forensics.unwind.rule import Rule, UnwindRow

#: HAProxy's own stacks are some 15 frames deep, Lua's some 200. A damaged one must end somewhere.
MAX_FRAMES = 512

_MASK = 0xFFFFFFFFFFFFFFFF


@record
class Step:
    """One physical frame: ``pc`` as found, ``lookup`` where to look it up.

    ``lookup`` is ``pc`` for code that was interrupted and ``pc`` - 1 for a return
    address, which may be the first byte after a call that never returns.
    ``signal`` marks the trampoline of a signal handler, ``tail`` a
    function that left no frame since it jumped to the next one. ``registers`` maps
    DWARF numbers to the values in this frame, as far as they are known: those of the
    callers are as call frame information restores them.
    """

    pc: int
    lookup: int
    sp: int
    trust: str
    signal: bool
    tail: bool = False
    registers: Mapping[int, int] = field(default_factory=dict, compare=False, repr=False)


@record
class Walk:
    """The frames of one thread and why there are no more."""

    steps: tuple[Step, ...]
    stop: str


#: Gives the row for an address of the process.
RowFinder = Callable[[int], UnwindRow | Absence]


def walk(
    registers: dict[int, int],
    architecture: Architecture,
    memory: Memory,
    find_row: RowFinder,
    is_last: Callable[[int], bool] = lambda _address: False,
) -> Walk:
    """Unwind one thread.

    ``registers`` are those of the innermost frame. ``is_last`` tells the code of
    ``main()``, below which nothing of HAProxy runs (gdb ends there as well).
    """
    steps: list[Step] = []
    walker = _Walker(dict(registers), architecture, memory, find_row, is_last)
    for step in walker:
        steps.append(step)
        if len(steps) >= MAX_FRAMES:
            return Walk(tuple(steps), f"more than {MAX_FRAMES} frames")
    return Walk(tuple(steps), walker.stop)


class _Walker:
    """The state of one walk; iterating yields its steps."""

    def __init__(
        self,
        registers: dict[int, int],
        architecture: Architecture,
        memory: Memory,
        find_row: RowFinder,
        is_last: Callable[[int], bool],
    ) -> None:
        self.registers = registers
        self.architecture = architecture
        self.memory = memory
        self.find_row = find_row
        self.is_last = is_last
        self.stop = ""

    def __iter__(self) -> Iterator[Step]:
        trust, interrupted = "context", True
        while True:
            pc, sp = self.registers.get(self.architecture.pc, 0), self.registers.get(self.architecture.sp, 0)
            if pc == 0 and not interrupted:
                self.stop = "the return address is 0: the outermost frame"
                return
            lookup = pc if interrupted else pc - 1
            row = self.find_row(lookup)
            signal = isinstance(row, UnwindRow) and row.signal
            if signal and not interrupted:
                # A return address into the trampoline is its first instruction: no call precedes it.
                lookup = pc
            yield Step(pc, lookup, sp, trust, signal, registers=self.registers)
            if self.is_last(lookup):
                self.stop = "main() reached"
                return
            trust = self._advance(row, pc, sp, first=trust == "context")
            if self.stop:
                return
            interrupted = signal

    def _advance(self, row: UnwindRow | Absence, pc: int, sp: int, *, first: bool) -> str:
        """Replace the registers by the caller's; the trust of what was found."""
        if isinstance(row, UnwindRow):
            found = self._by_row(row)
            trust = "cfi"
        else:
            called = self._by_call_to_nowhere(pc, sp) if first else None
            found, trust = called or self._by_frame_pointer(row), "cfi" if called else "frame_pointer"
        if isinstance(found, Absence):
            self.stop = found.reason
            return trust
        signal = isinstance(row, UnwindRow) and row.signal
        if found.get(self.architecture.sp, 0) <= sp and not signal:
            self.stop = "the stack does not grow any more: the frame is damaged"
            return trust
        self.registers = found
        return trust

    def _by_row(self, row: UnwindRow) -> dict[int, int] | Absence:
        cfa = self._cfa(row)
        if isinstance(cfa, Absence):
            return cfa
        if row.rules.get(row.return_register, ("", 0))[0] == "undefined":
            return Absence("caller", "the outermost frame: it has no caller")
        found = dict(self.registers)
        found[self.architecture.sp] = cfa
        for register, rule in row.rules.items():
            value = self._value(rule, cfa, register)
            if isinstance(value, Absence):
                if register == row.return_register:
                    return Absence("caller", f"the return address cannot be read: {value.reason}")
                found.pop(register, None)
            else:
                found[register] = value
        if row.return_register not in found:
            return Absence("caller", f"register {row.return_register}, which holds the return address, was lost")
        found[self.architecture.pc] = found[row.return_register]
        return found

    def _cfa(self, row: UnwindRow) -> int | Absence:
        kind, what, offset = row.cfa
        if kind == "expression":
            return evaluate(bytes.fromhex(str(what)), self.registers, self.memory, [])
        base = self.registers.get(int(what))
        if base is None:
            return Absence("frame", f"register {what}, which holds the frame's address, was lost")
        return base + offset & _MASK

    def _value(self, rule: Rule, cfa: int, register: int) -> int | Absence:
        kind, operand = rule
        if kind == "offset":
            return self.memory.word(cfa + int(operand) & _MASK)
        if kind == "same":
            return self.registers.get(register, Absence("register", "it was lost"))
        if kind == "value":
            return cfa + int(operand) & _MASK
        if kind == "register":
            return self.registers.get(int(operand), Absence("register", "it was lost"))
        if kind in ("expression", "value_expression"):
            value = evaluate(bytes.fromhex(str(operand)), self.registers, self.memory, [cfa])
            return self.memory.word(value) if kind == "expression" and isinstance(value, int) else value
        return Absence("register", "the caller's value was not kept")

    def _by_call_to_nowhere(self, pc: int, sp: int) -> dict[int, int] | None:
        """The caller of code that cannot run (a null or wild pointer): only the call itself touched the stack."""
        segment = self.memory.find(pc)
        if isinstance(segment, Segment) and segment.executable:
            return None
        caller = self.memory.word(sp)
        target = self.memory.find(caller) if isinstance(caller, int) else None
        if not isinstance(caller, int) or not isinstance(target, Segment) or not target.executable:
            return None
        return self.registers | {self.architecture.sp: sp + 8, self.architecture.pc: caller}

    def _by_frame_pointer(self, why: Absence) -> dict[int, int] | Absence:
        """The caller by the saved frame pointer, believed only if it leads up the stack into code."""
        frame = self.registers.get(self.architecture.fp, 0)
        sp = self.registers.get(self.architecture.sp, 0)
        saved, caller = self.memory.word(frame), self.memory.word(frame + 8)
        reason = Absence("caller", f"{why.reason}, and no frame pointer leads on")
        if isinstance(saved, Absence) or isinstance(caller, Absence):
            return reason
        segment = self.memory.find(caller)
        if not sp <= frame < saved or frame - sp > 1 << 20 or isinstance(segment, Absence) or not segment.executable:
            return reason
        return {self.architecture.fp: saved, self.architecture.sp: frame + 16, self.architecture.pc: caller}
