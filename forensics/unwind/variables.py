"""Arguments and locals of the frames of one thread, as far as DWARF tells where they are.

The registers of each frame are those that call frame information restored. A variable that was
optimised out, or that lies in memory which the core does not hold, has the words that gdb uses
instead of a value.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise
from time import monotonic

from forensics.absence import Absence
from forensics.elf.module import Module
from forensics.record import record
from forensics.symbols.dwarf.call_sites import AT_CALL_TARGET, AT_GNU_CALL_SITE_TARGET, call_site
from forensics.symbols.dwarf.entry import Entry
from forensics.symbols.dwarf.expression import locate, number_of
from forensics.symbols.dwarf.functions import Function
from forensics.symbols.dwarf.locate import DAMAGE, DwarfLines
from forensics.symbols.dwarf.location import (
    DEPTH,
    OPTIMIZED_OUT,
    Content,
    FrameContext,
    Unavailable,
    fetch,
)
from forensics.symbols.dwarf.location_lists import AT_FRAME_BASE, AT_LOCATION, expression_at
from forensics.symbols.dwarf.types import AT_CONST_VALUE, Type, block_of, type_of
from forensics.symbols.dwarf.values import ValueWriter
from forensics.symbols.dwarf.variables import Declaration, declarations_at
from forensics.unwind.address_space import AddressSpace
from forensics.unwind.entry_values import call_site_at, value_at_entry, value_of_parameter
from forensics.unwind.expression import evaluate
from forensics.unwind.frame import Frame, ThreadStack
from forensics.unwind.rule import UnwindRow

_MASK = 0xFFFFFFFFFFFFFFFF
#: The largest variable that is read, in bytes; HAProxy's largest on a stack has 16 KiB.
_WIDEST = 1 << 20
#: The stack of a HAProxy takes 20 ms; made-up DWARF could take hours.
_SECONDS = 20
#: Functions that one leads to by jumping alone; in HAProxy some ten.
_MOST_JUMPS = 200


@record
class Variable:
    """One argument or local. ``value`` is text in gdb's form.

    ``entry_value`` is what an argument was worth when the function was entered, "" where the caller does not
    tell. ``scalar`` is False for structures, unions and arrays; ``known`` for what has a value.
    """

    name: str
    value: str
    entry_value: str
    parameter: bool
    scalar: bool
    known: bool


@record
class FrameVariables:
    """The variables of one frame; ``missing`` says why there can be none."""

    variables: tuple[Variable, ...]
    missing: Absence | None = None

    @property
    def arguments(self) -> tuple[Variable, ...]:
        """The arguments in the order of the source."""
        return tuple(one for one in self.variables if one.parameter)

    @property
    def locals(self) -> tuple[Variable, ...]:
        """The locals, the innermost block's first."""
        return tuple(one for one in self.variables if not one.parameter)


def variables_of(space: AddressSpace, stack: ThreadStack, *, strings: bool) -> tuple[FrameVariables, ...]:
    """The variables of each frame of ``stack``; ``strings`` shows the contents of strings and bytes."""
    deadline = monotonic() + _SECONDS
    steps = list(_steps(stack.frames))
    places = [_Place(space, step[-1]) for step in steps]
    for place, caller in pairwise(places):
        place.caller = caller
    return tuple(
        found
        for place, frames in zip(places, steps, strict=True)
        for found in _variables_of_step(space, place, frames, strings, deadline)
    )


def _steps(frames: Sequence[Frame]) -> Iterator[list[Frame]]:
    """The frames of each physical one, innermost first."""
    group: list[Frame] = []
    for frame in frames:
        group.append(frame)
        if not frame.inlined:
            yield group
            group = []
    if group:
        yield group


def _variables_of_step(
    space: AddressSpace, place: _Place, frames: list[Frame], strings: bool, deadline: float
) -> Iterator[FrameVariables]:
    writer = ValueWriter(place.read, space.symbol, None if strings else lambda at: space.constant(at, 1) is not None)
    for position, _frame in enumerate(frames):
        if isinstance(place.chain, Absence):
            yield FrameVariables((), place.chain)
            continue
        if monotonic() > deadline:
            yield FrameVariables((), Absence("variables", f"reading them took longer than {_SECONDS} s"))
            continue
        try:
            function, found = place.chain[::-1][position], []
            for one in declarations_at(function.entry, place.pc):
                if monotonic() > deadline:
                    break
                found.append(place.variable(function, one, writer))
            yield FrameVariables(tuple(found))
        except DAMAGE as error:
            yield FrameVariables((), Absence("variables", f"the DWARF of this function is damaged ({error})"))


class _Place:
    """One physical frame: its code, its function with the calls inlined there, and its caller."""

    def __init__(self, space: AddressSpace, frame: Frame) -> None:
        self.space = space
        self.process = process = space.process
        self.frame = frame
        self.caller: _Place | None = None
        module = process.module_at(frame.lookup)
        self.bias = 0 if isinstance(module, Absence) else module.base
        self.pc = frame.lookup - self.bias
        self._depth = 0
        self._site: Entry | Unavailable | None = None
        self.chain = self._functions(module)
        self.context = FrameContext(
            frame.registers, self.read, self.bias, self._cfa(), self._frame_base, self._at_entry, self._parameter
        )

    def _functions(self, module: Module | Absence) -> list[Function] | Absence:
        """The function of the frame and what is inlined there, outermost first."""
        if isinstance(module, Absence):
            return module
        if self.frame.status == "signal_handler":
            return Absence("variables", "this is no function, but the kernel's return from a signal handler")
        dwarf = self.process.symbols(module).dwarf
        if isinstance(dwarf, Absence):
            return dwarf
        return self._chain(dwarf)

    def _chain(self, dwarf: DwarfLines) -> list[Function] | Absence:
        missing = Absence("variables", "DWARF does not describe this function")
        try:
            function = dwarf.function_at(self.pc)
            return function.active(self.pc) if function else missing
        except DAMAGE as error:
            return Absence("variables", f"the DWARF is damaged ({error})")

    def read(self, address: int, size: int) -> bytes | Absence:
        """Memory of the process; what the core leaves out, such as constants, from the proven file."""
        if not 0 <= size <= _WIDEST:
            return Absence("memory", f"a variable of {size} bytes")
        found = self.process.core.memory.read(address, size)
        if isinstance(found, bytes):
            return found
        constant = self.space.constant(address, size)
        return found if constant is None else constant

    def _cfa(self) -> int | None:
        row = self.process.row(self.frame.lookup)
        if not isinstance(row, UnwindRow):
            return None
        kind, what, offset = row.cfa
        if kind == "expression":
            found = evaluate(bytes.fromhex(str(what)), dict(self.frame.registers), self.process.core.memory, [])
            return found if isinstance(found, int) else None
        base = self.frame.registers.get(int(what))
        return None if base is None else base + offset & _MASK

    def _frame_base(self) -> int:
        """DW_AT_frame_base of the physical function. Raises Unavailable."""
        if isinstance(self.chain, Absence) or self._depth > DEPTH:
            raise Unavailable
        entry = self.chain[0].entry
        code = expression_at(entry, AT_FRAME_BASE, self.pc)
        if not code:
            raise Unavailable
        self._depth += 1
        try:
            return number_of(code, entry, self.context)
        finally:
            self._depth -= 1

    # ---- values at the entry of the function ----

    def _call(self) -> tuple[Entry, FrameContext]:
        """The call that entered this function, in its caller; looked for once. Raises Unavailable."""
        if self._site is None:
            try:
                self._site = self._find_call()
            except Unavailable as error:
                self._site = error
        if isinstance(self._site, Unavailable) or self.caller is None:
            raise Unavailable
        return self._site, self.caller.context

    def _find_call(self) -> Entry:
        caller = self.caller
        if caller is None or isinstance(caller.chain, Absence) or isinstance(self.chain, Absence):
            raise Unavailable
        # A frame that was interrupted did not call what runs on top of it.
        if caller.frame.lookup == caller.frame.pc or self._depth > DEPTH or self._may_enter_itself():
            raise Unavailable
        site = call_site_at(caller.chain[0], caller.frame.pc - caller.bias)
        if site is None or self._target(site, caller) != self.chain[0].ranges[0][0] + self.bias:
            raise Unavailable
        return site

    def _may_enter_itself(self) -> bool:
        """Whether jumps lead from the function back to its start: what it was called with is then not what it got.

        As gdb asks (func_verify_no_selftailcall in dwarf2/loc.c): only jumps whose target is known count.
        """
        module = self.process.module_at(self.frame.lookup)
        if isinstance(module, Absence) or isinstance(self.chain, Absence):
            return True
        symbols = self.process.symbols(module)
        start = self.chain[0].ranges[0][0]
        seen, left = set[int](), [start]
        while left and len(seen) < _MOST_JUMPS:
            _entry, sites = symbols.call_sites(left.pop())
            for site in sites:
                target = site.target or (symbols.address_of(site.name) if site.name and site.tail else 0)
                if site.tail and target == start:
                    return True
                if site.tail and target and target not in seen:
                    seen.add(target)
                    left.append(target)
        return False

    def _target(self, site: Entry, caller: _Place) -> int:
        """The function that a call enters, an address of the process; 0 where nothing tells.

        It may have jumped on to another one, which then did not get what the call passed.
        """
        call = call_site(site)
        if call.target:
            return call.target + caller.bias
        if call.name:
            for place in (caller, self):
                found = place.address_of(call.name)
                if found:
                    return found
            return 0
        code = block_of(site, AT_CALL_TARGET) or block_of(site, AT_GNU_CALL_SITE_TARGET)
        return self._guarded(partial(number_of, code, site, caller.context)) if code else 0

    def address_of(self, name: str) -> int:
        """A function of the frame's module by name, 0 for none."""
        module = self.process.module_at(self.frame.lookup)
        found = 0 if isinstance(module, Absence) else self.process.symbols(module).address_of(name)
        return found + self.bias if found else 0

    def _at_entry(self, code: bytes) -> int:
        site, context = self._call()
        return self._guarded(partial(value_at_entry, code, site, context))

    def _parameter(self, offset: int) -> int:
        site, context = self._call()
        return self._guarded(partial(value_of_parameter, offset, site, context))

    def _guarded(self, compute: partial[int]) -> int:
        """Entry values of entry values: each caller goes one further, and a ring must end."""
        self._depth += 1
        try:
            return compute()
        except DAMAGE:
            raise Unavailable from None
        finally:
            self._depth -= 1

    # ---- variables ----

    def variable(self, function: Function, declared: Declaration, writer: ValueWriter) -> Variable:
        """One variable with its value."""
        kind = type_of(declared.typed)
        value, known = self._written(declared, kind, writer)
        entry_value = self._entry_value(function, declared, kind, writer) if declared.parameter else ""
        return Variable(declared.name, value, entry_value, declared.parameter, not kind.aggregate, known)

    def _written(self, declared: Declaration, kind: Type, writer: ValueWriter) -> tuple[str, bool]:
        try:
            text = writer.write(kind, self._content(declared, kind))
            return text, not text.startswith("<")
        except Unavailable as error:
            return error.text, False
        except DAMAGE:
            return "<error: the DWARF of this variable is damaged>", False

    def _content(self, declared: Declaration, kind: Type) -> Content:
        entry = declared.entry
        if AT_LOCATION in entry.values:
            code = expression_at(entry, AT_LOCATION, self.pc)
            if not code:
                raise Unavailable
            return fetch(locate(code, entry, self.context), _size(kind), self.context)
        if AT_CONST_VALUE in entry.values:
            return _constant(entry, kind)
        if AT_CONST_VALUE in declared.typed.values:
            return _constant(declared.typed, kind)
        if declared.typed is not entry and AT_LOCATION in declared.typed.values:
            code = block_of(declared.typed, AT_LOCATION)  # a static local, which its copies share
            return fetch(locate(code, declared.typed, self.context), _size(kind), self.context)
        raise Unavailable

    def _entry_value(self, function: Function, declared: Declaration, kind: Type, writer: ValueWriter) -> str:
        """What the argument was worth on entry, where its place then was one register."""
        if isinstance(self.chain, Absence) or function is not self.chain[0] or kind.aggregate or not function.ranges:
            return ""
        try:
            code = expression_at(declared.entry, AT_LOCATION, function.ranges[0][0])
            if not code or len(code) != 1 or not 0x50 <= code[0] <= 0x6F:
                return ""
            size = _size(kind)
            number = self._at_entry(code) & (1 << 8 * size) - 1
            return writer.write(kind, Content(number.to_bytes(size, "little")))
        except (Unavailable, *DAMAGE):
            return ""


def _size(kind: Type) -> int:
    if kind.size > _WIDEST:
        raise Unavailable(f"<a variable of {kind.size} bytes>")
    return kind.size or 1


def _constant(entry: Entry, kind: Type) -> Content:
    size = _size(kind)
    data = block_of(entry, AT_CONST_VALUE)
    if not data:
        text = entry.text(AT_CONST_VALUE)
        number = 0 if text else entry.number(AT_CONST_VALUE, 0)
        data = text.encode() + b"\0" if text else (number & (1 << 8 * size) - 1).to_bytes(size, "little")
    if len(data) < size:
        raise Unavailable(OPTIMIZED_OUT)
    return Content(data[:size])
