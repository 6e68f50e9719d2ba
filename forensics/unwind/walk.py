"""Walking a stack: from the registers of a thread to the return addresses of its callers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from forensics.absence import Absence
from forensics.memory.process import Memory, Segment
from forensics.record import field, record
from forensics.unwind.architecture import Architecture
from forensics.unwind.expression import evaluate
from forensics.unwind.rule import SAME, Rule, UnwindRow
from forensics.unwind.trampoline import CODE_SIZE, trampoline_row

if TYPE_CHECKING:
    from forensics.unwind.call import CodeReader
    from forensics.unwind.search import Surroundings

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

#: Subjects of an Absence after which searching the stack is worth while, and after which it is not.
_LOST, _OUTERMOST = "lost register", "outermost frame"

#: Times that one walk searches the stack.
_MOST_SEARCHES = 32


def walk(
    registers: dict[int, int],
    architecture: Architecture,
    memory: Memory,
    find_row: RowFinder,
    is_last: Callable[[int], bool] = lambda _address: False,
    code: CodeReader | None = None,
    function_at: Callable[[int], tuple[str, int]] = lambda _address: ("", 0),
) -> Walk:
    """Unwind one thread.

    ``registers`` are those of the innermost frame. ``is_last`` tells the code of
    ``main()``, below which nothing of HAProxy runs (gdb ends there as well). ``code`` reads
    instructions, by default those that the core holds; ``function_at`` gives name and start of the
    function at an address, ("", 0) where no symbol tells.
    """
    steps: list[Step] = []
    walker = _Walker(dict(registers), architecture, memory, find_row, is_last, code or memory.read, function_at)
    for step in walker:
        steps.append(step)
        if len(steps) >= MAX_FRAMES:
            return Walk(tuple(steps), f"more than {MAX_FRAMES} frames")
    return Walk(tuple(steps), walker.stop)


class _Walker:
    """The state of one walk; iterating yields its steps.

    ``doubt`` is set where registers were guessed: what a table makes of them must prove itself by a call.
    """

    def __init__(
        self,
        registers: dict[int, int],
        architecture: Architecture,
        memory: Memory,
        find_row: RowFinder,
        is_last: Callable[[int], bool],
        code: CodeReader,
        function_at: Callable[[int], tuple[str, int]],
    ) -> None:
        self.registers = registers
        self.architecture = architecture
        self.memory = memory
        self.find_row = find_row
        self.is_last = is_last
        self.code = code
        self.function_at = function_at
        self.stop = ""
        self.doubt = False
        self.searches = 0
        self.switches: set[tuple[int, int]] = set()

    def __iter__(self) -> Iterator[Step]:
        trust, interrupted, pc_of, sp_of = "context", True, self.architecture.pc, self.architecture.sp
        while True:
            pc, sp = self.registers.get(pc_of, 0), self.registers.get(sp_of, 0)
            if pc == 0 and not interrupted:
                self.stop = "the return address is 0: the outermost frame"
                return
            lookup = pc if interrupted else pc - 1
            row = self.find_row(lookup)
            if isinstance(row, Absence):
                row = self._trampoline(pc) or row
            signal = isinstance(row, UnwindRow) and row.signal
            if signal and not interrupted:
                # A return address into the trampoline is its first instruction: no call precedes it.
                lookup = pc
            yield Step(pc, lookup, sp, trust, signal, registers=self.registers)
            if self.is_last(lookup):
                self.stop = "main() reached"
                return
            if signal and (pc, sp) in self.switches:
                self.stop = "the frames of signal handlers lead back to themselves: the stack is damaged"
                return
            if signal:
                self.switches.add((pc, sp))
            trust = self._advance(row, pc, sp, signal=signal, interrupted=interrupted)
            if self.stop:
                return
            interrupted = signal

    def _trampoline(self, pc: int) -> UnwindRow | None:
        code = self.code(pc, CODE_SIZE)
        if isinstance(code, Absence):
            code = self.code(pc, 8)
        return None if isinstance(code, Absence) else trampoline_row(self.architecture, code)

    def _advance(self, row: UnwindRow | Absence, pc: int, sp: int, *, signal: bool, interrupted: bool) -> str:
        """Replace the registers by the caller's; the trust of what was found."""
        trust = "cfi"
        if isinstance(row, UnwindRow):
            found = self._by_row(row)
            if isinstance(found, dict) and not signal:
                found = self._checked(found, pc, sp, interrupted=interrupted)
            if isinstance(found, Absence) and (found.subject == _LOST or (self.doubt and found.subject != _OUTERMOST)):
                found, trust = self._search(found, pc, sp, interrupted=False)
        else:
            found, trust = self._search(row, pc, sp, interrupted=interrupted)
        if isinstance(found, Absence):
            self.stop = found.reason
            return trust
        if signal:
            self.doubt = False
        self.registers = found
        return trust

    def _checked(self, found: dict[int, int], pc: int, sp: int, *, interrupted: bool) -> dict[int, int] | Absence:
        """``found`` unless it cannot be a caller."""
        above = found.get(self.architecture.sp, 0)
        # Where a call pushes nothing, a function without a frame shares the stack pointer of its caller.
        shares = interrupted and self.architecture.link >= 0 and above == sp and found.get(self.architecture.pc) != pc
        if above <= sp and not shares:
            return Absence("caller", "the stack does not grow any more: the frame is damaged")
        caller = found[self.architecture.pc]
        if self.doubt and not self._surroundings().believed(caller):
            return Absence("caller", "what was found by searching the stack leads nowhere")
        return found

    def _surroundings(self) -> Surroundings:
        from forensics.unwind.search import Surroundings

        return Surroundings(self.architecture, self.memory, self.code, self.function_at)

    def _search(self, why: Absence, pc: int, sp: int, *, interrupted: bool) -> tuple[dict[int, int] | Absence, str]:
        """The caller without the help of a table, and how it was found."""
        from forensics.unwind.search import by_code, by_frame_pointer, by_scan

        around = self._surroundings()
        if interrupted:
            found = self._by_call_to_nowhere(around, pc, sp) or by_code(around, self.registers)
            if found is not None:
                return found, "cfi"
        found = by_frame_pointer(around, self.registers)
        if found is not None and found[self.architecture.sp] > sp:
            # Where calls push nothing, the stack pointer of the caller is a guess.
            self.doubt = self.architecture.link >= 0
            return found, "frame_pointer"
        self.searches += 1
        found = by_scan(around, self.registers) if self.searches <= _MOST_SEARCHES else None
        if found is not None and found[self.architecture.sp] > sp:
            self.doubt = True
            return found, "scan"
        nothing = "neither a frame pointer nor a return address on the stack leads on"
        return Absence("caller", f"{why.reason}, and {nothing}"), "scan"

    def _by_row(self, row: UnwindRow) -> dict[int, int] | Absence:
        cfa = self._cfa(row)
        if isinstance(cfa, Absence):
            return cfa
        rules, back = row.rules, row.return_register
        if rules.get(back, SAME)[0] == "undefined":
            return Absence(_OUTERMOST, "the outermost frame: it has no caller")
        found = self.registers.copy()
        found[self.architecture.sp] = cfa
        for register, rule in rules.items():
            value = self._value(rule, cfa, register)
            if isinstance(value, Absence):
                if register == back:
                    return Absence("caller", f"the return address cannot be read: {value.reason}")
                found.pop(register, None)
            else:
                found[register] = value
        if back not in found:
            return Absence(_LOST, f"register {back}, which holds the return address, was lost")
        found[self.architecture.pc] = found[back] & self.architecture.code_mask
        return found

    def _cfa(self, row: UnwindRow) -> int | Absence:
        kind, what, offset = row.cfa
        if kind == "expression":
            return evaluate(bytes.fromhex(str(what)), self.registers, self.memory, [])
        base = self.registers.get(int(what))
        if base is None:
            return Absence(_LOST, f"register {what}, which holds the frame's address, was lost")
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

    def _by_call_to_nowhere(self, around: Surroundings, pc: int, sp: int) -> dict[int, int] | None:
        """The caller of code that cannot run (a null or wild pointer): only the call itself left something."""
        segment = self.memory.find(pc)
        if isinstance(segment, Segment) and segment.executable:
            return None
        if self.architecture.link >= 0:
            caller: int | Absence = self.registers.get(self.architecture.link, 0) & self.architecture.code_mask
            above = sp
        else:
            caller, above = self.memory.word(sp), sp + 8
        if not isinstance(caller, int) or not around.believed(caller):
            return None
        return self.registers | {self.architecture.sp: above, self.architecture.pc: caller}
