"""Running call frame instructions up to a pc (DWARF 5, 6.4.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from forensics.elf.encoding import read_pointer, read_sleb128, read_uleb128
from forensics.unwind.rule import SAME, UNDEFINED, Rule, UnwindRow

if TYPE_CHECKING:
    from forensics.unwind.cfi import Cie

#: Compilers nest one or two; each holds a copy of all rules.
_MOST_STATES = 64

_ADVANCE, _OFFSET, _RESTORE = 0x40, 0x80, 0xC0


class _State:
    """The row that is being built."""

    def __init__(self, cie: Cie, location: int) -> None:
        self.cie = cie
        self.location = location
        self.cfa: tuple[str, int | str, int] = ("register", 0, 0)
        self.rules: dict[int, Rule] = {}
        self.initial: dict[int, Rule] = {}
        self.stack: list[tuple[tuple[str, int | str, int], dict[int, Rule]]] = []

    def restore(self, register: int) -> None:
        if register in self.initial:
            self.rules[register] = self.initial[register]
        else:
            self.rules.pop(register, None)


def run_instructions(cie: Cie, start: int, instructions: bytes, pc: int) -> UnwindRow:
    """The row for ``pc`` of the FDE that begins at ``start``.

    ValueError, IndexError or struct.error for instructions that are damaged.
    """
    state = _State(cie, start)
    _run(state, cie.instructions, pc)
    state.initial = dict(state.rules)
    _run(state, instructions, pc)
    return UnwindRow(state.cfa, state.rules, cie.return_register, cie.signal)


def _run(state: _State, code: bytes, pc: int) -> None:
    """Execute until the location passes ``pc``."""
    position, end = 0, len(code)
    while position < end:
        opcode = code[position]
        position += 1
        high, low = opcode & 0xC0, opcode & 0x3F
        if high == _ADVANCE:
            state.location += low * state.cie.code_alignment
        elif high == _OFFSET:
            value, position = read_uleb128(code, position)
            state.rules[low] = ("offset", value * state.cie.data_alignment)
        elif high == _RESTORE:
            state.restore(low)
        elif opcode in _ADVANCES:
            position = _advance(state, opcode, code, position)
        else:
            position = _extended(state, opcode, code, position)
        if state.location > pc:
            return


#: DW_CFA_advance_loc1, 2 and 4, and their widths in bytes; DW_CFA_set_loc is 1.
_ADVANCES = {1: 8, 2: 1, 3: 2, 4: 4}


def _advance(state: _State, opcode: int, code: bytes, position: int) -> int:
    if opcode == 1:
        state.location, position = read_pointer(code, position, state.cie.pointer_encoding & 0x0F, 0)
        return position
    width = _ADVANCES[opcode]
    state.location += int.from_bytes(code[position : position + width], "little") * state.cie.code_alignment
    return position + width


def _extended(state: _State, opcode: int, code: bytes, position: int) -> int:
    """The instructions whose operands follow the opcode; returns the position after them."""
    scale = state.cie.data_alignment
    if opcode in (0x0, 0x2D):  # nop; GNU_window_save (aarch64: toggles pointer authentication)
        return position
    if opcode == 0x0A:  # remember_state
        if len(state.stack) >= _MOST_STATES:
            raise ValueError("too many states are remembered")
        state.stack.append((state.cfa, dict(state.rules)))
        return position
    if opcode == 0x0B:  # restore_state
        state.cfa, state.rules = state.stack.pop()
        return position
    if opcode == 0x0E:  # def_cfa_offset
        offset, position = read_uleb128(code, position)
        state.cfa = (state.cfa[0], state.cfa[1], offset)
        return position
    if opcode == 0x13:  # def_cfa_offset_sf
        offset, position = read_sleb128(code, position)
        state.cfa = (state.cfa[0], state.cfa[1], offset * scale)
        return position
    if opcode == 0x0F:  # def_cfa_expression
        block, position = _block(code, position)
        state.cfa = ("expression", block, 0)
        return position
    if opcode == 0x2E:  # GNU_args_size
        _size, position = read_uleb128(code, position)
        return position
    return _with_register(state, opcode, code, position)


def _with_register(state: _State, opcode: int, code: bytes, position: int) -> int:
    """The instructions whose first operand is a register."""
    scale = state.cie.data_alignment
    register, position = read_uleb128(code, position)
    if opcode == 0x06:  # restore_extended
        state.restore(register)
    elif opcode == 0x07:
        state.rules[register] = UNDEFINED
    elif opcode == 0x08:
        state.rules[register] = SAME
    elif opcode == 0x0D:  # def_cfa_register
        state.cfa = ("register", register, state.cfa[2])
    elif opcode in (0x05, 0x0C, 0x14, 0x09, 0x2F):
        value, position = read_uleb128(code, position)
        if opcode == 0x0C:
            state.cfa = ("register", register, value)
        elif opcode == 0x09:
            state.rules[register] = ("register", value)
        elif opcode == 0x2F:  # GNU_negative_offset_extended
            state.rules[register] = ("offset", -value * scale)
        else:
            state.rules[register] = ("offset" if opcode == 0x05 else "value", value * scale)
    elif opcode in (0x11, 0x12, 0x15):
        value, position = read_sleb128(code, position)
        if opcode == 0x12:
            state.cfa = ("register", register, value * scale)
        else:
            state.rules[register] = ("offset" if opcode == 0x11 else "value", value * scale)
    elif opcode in (0x10, 0x16):
        block, position = _block(code, position)
        state.rules[register] = ("expression" if opcode == 0x10 else "value_expression", block)
    else:
        raise ValueError(f"call frame instruction {opcode:#x}")
    return position


def _block(code: bytes, position: int) -> tuple[str, int]:
    size, position = read_uleb128(code, position)
    if position + size > len(code):
        raise ValueError("a block reaches past the end")
    return code[position : position + size].hex(), position + size
