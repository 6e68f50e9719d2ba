"""DWARF expressions, as far as call frame information uses them (DWARF 5, 2.5)."""

from __future__ import annotations

import struct
from collections.abc import Callable

from forensics.absence import Absence
from forensics.elf.encoding import read_sleb128, read_uleb128
from forensics.memory.process import Memory

_MASK = 0xFFFFFFFFFFFFFFFF
_STEPS = 1000

_CONSTANTS = {
    0x08: struct.Struct("<B"), 0x09: struct.Struct("<b"), 0x0A: struct.Struct("<H"), 0x0B: struct.Struct("<h"),
    0x0C: struct.Struct("<I"), 0x0D: struct.Struct("<i"), 0x0E: struct.Struct("<Q"), 0x0F: struct.Struct("<q"),
}  # fmt: skip


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _quotient(left: int, right: int) -> int:
    """Signed division towards zero, as the processor divides."""
    return abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)


_BINARY: dict[int, Callable[[int, int], int]] = {
    0x1A: lambda left, right: left & right,
    0x1B: lambda left, right: _quotient(_signed(left), _signed(right)),
    0x1C: lambda left, right: left - right,
    0x1D: lambda left, right: left % right,
    0x1E: lambda left, right: left * right,
    0x21: lambda left, right: left | right,
    0x22: lambda left, right: left + right,
    0x24: lambda left, right: left << min(right, 64),
    0x25: lambda left, right: left >> min(right, 64),
    0x26: lambda left, right: _signed(left) >> min(right, 64),
    0x27: lambda left, right: left ^ right,
    0x29: lambda left, right: int(_signed(left) == _signed(right)),
    0x2A: lambda left, right: int(_signed(left) >= _signed(right)),
    0x2B: lambda left, right: int(_signed(left) > _signed(right)),
    0x2C: lambda left, right: int(_signed(left) <= _signed(right)),
    0x2D: lambda left, right: int(_signed(left) < _signed(right)),
    0x2E: lambda left, right: int(_signed(left) != _signed(right)),
}


def evaluate(code: bytes, registers: dict[int, int], memory: Memory, stack: list[int]) -> int | Absence:
    """The value that ``code`` leaves on top of ``stack``.

    ``registers`` maps DWARF numbers to values. An operation that is not known, a
    register that was lost or memory that is not there yields the Absence.
    """
    try:
        return _evaluate(code, registers, memory, stack)
    except (IndexError, ValueError, struct.error, ZeroDivisionError):
        return Absence("expression", "it is damaged")


def _evaluate(code: bytes, registers: dict[int, int], memory: Memory, stack: list[int]) -> int | Absence:
    position = steps = 0
    while position < len(code):
        steps += 1
        if steps > _STEPS:
            return Absence("expression", f"it takes more than {_STEPS} steps")
        opcode = code[position]
        position += 1
        if 0x30 <= opcode <= 0x4F:  # lit0..lit31
            stack.append(opcode - 0x30)
        elif 0x70 <= opcode <= 0x8F or opcode == 0x92:  # breg0..breg31, bregx
            register = opcode - 0x70
            if opcode == 0x92:
                register, position = read_uleb128(code, position)
            offset, position = read_sleb128(code, position)
            if register not in registers:
                return Absence("expression", f"register {register} is not known here")
            stack.append(registers[register] + offset & _MASK)
        elif opcode in _BINARY:
            right, left = stack.pop(), stack.pop()
            stack.append(_BINARY[opcode](left, right) & _MASK)
        elif opcode in (0x06, 0x94):  # deref, deref_size
            size = 8
            if opcode == 0x94:
                size, position = code[position], position + 1
            data = memory.read(stack.pop(), size)
            if isinstance(data, Absence):
                return data
            stack.append(int.from_bytes(data, "little"))
        else:
            position = _simple(opcode, code, position, stack)
            if position < 0:
                return Absence("expression", f"operation {opcode:#x} is not supported")
    return stack[-1]


def _simple(opcode: int, code: bytes, position: int, stack: list[int]) -> int:
    """Constants, stack shuffling and branches; the next position, or -1 for an unknown operation."""
    if opcode in _CONSTANTS:
        form = _CONSTANTS[opcode]
        stack.append(form.unpack_from(code, position)[0] & _MASK)
        return position + form.size
    if opcode in (0x10, 0x11, 0x23):  # constu, consts, plus_uconst
        value, position = (read_sleb128 if opcode == 0x11 else read_uleb128)(code, position)
        stack.append((value + (stack.pop() if opcode == 0x23 else 0)) & _MASK)
        return position
    if opcode in (0x28, 0x2F):  # bra, skip
        target = position + 2 + struct.unpack_from("<h", code, position)[0]
        taken = opcode == 0x2F or stack.pop() != 0
        return target if taken and 0 <= target <= len(code) else position + 2
    if opcode == 0x15:  # pick
        stack.append(stack[-1 - code[position]])
        return position + 1
    return position if _shuffle(opcode, stack) else -1


def _shuffle(opcode: int, stack: list[int]) -> bool:
    """The operations without operands; False for an unknown one."""
    if opcode == 0x12:
        stack.append(stack[-1])
    elif opcode == 0x13:
        stack.pop()
    elif opcode == 0x14:
        stack.append(stack[-2])
    elif opcode == 0x16:
        stack[-1], stack[-2] = stack[-2], stack[-1]
    elif opcode == 0x17:  # rot
        stack[-1], stack[-2], stack[-3] = stack[-2], stack[-3], stack[-1]
    elif opcode == 0x19:
        stack[-1] = abs(_signed(stack[-1]))
    elif opcode == 0x1F:
        stack[-1] = -stack[-1] & _MASK
    elif opcode == 0x20:
        stack[-1] = ~stack[-1] & _MASK
    else:
        return opcode == 0x96  # nop
    return True
