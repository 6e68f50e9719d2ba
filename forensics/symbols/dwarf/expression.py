"""Running DWARF expressions in a frame (DWARF 5, 2.5), those of GNU included."""

from __future__ import annotations

import struct
from collections.abc import Callable

from forensics.absence import Absence
from forensics.elf.encoding import read_sleb128, read_uleb128
from forensics.symbols.dwarf.arithmetic import BINARY, UNARY, Number, converted, generic
from forensics.symbols.dwarf.entry import Entry, read_entry
from forensics.symbols.dwarf.location import (
    OPTIMIZED_OUT,
    SYNTHETIC,
    FrameContext,
    Piece,
    Unavailable,
    register_value,
    unreadable,
)
from forensics.symbols.dwarf.types import AT_BYTE_SIZE, AT_ENCODING, FLOAT, SIGNED, SIGNED_CHAR

#: Expressions of compilers take some ten steps; a branch in a corrupt one may loop.
_STEPS = 2000
#: Pieces of one variable.
_PIECES = 256


def locate(code: bytes, entry: Entry, context: FrameContext) -> tuple[Piece, ...]:
    """The pieces of the variable that ``code`` describes; ``entry`` is whose attribute it is.

    Raises Unavailable. Damage of the expression raises it too.
    """
    try:
        return _Machine(code, entry, context).run()
    except (IndexError, ValueError, KeyError, struct.error, OverflowError, ZeroDivisionError):
        raise Unavailable("<error: the DWARF expression is damaged>") from None


def number_of(code: bytes, entry: Entry, context: FrameContext) -> int:
    """What ``code`` computes, as a number: an address or a value. Raises Unavailable."""
    pieces = locate(code, entry, context)
    if len(pieces) != 1 or pieces[0].kind not in ("memory", "value", "register"):
        raise Unavailable
    if pieces[0].kind == "register":
        return register_value(context, pieces[0].number)
    return pieces[0].number


_CONSTANTS = {
    0x08: struct.Struct("<B"), 0x09: struct.Struct("<b"), 0x0A: struct.Struct("<H"), 0x0B: struct.Struct("<h"),
    0x0C: struct.Struct("<I"), 0x0D: struct.Struct("<i"), 0x0E: struct.Struct("<Q"), 0x0F: struct.Struct("<q"),
}  # fmt: skip


class _Machine:
    """One evaluation: the stack of DWARF, and the pieces found so far."""

    def __init__(self, code: bytes, entry: Entry, context: FrameContext) -> None:
        self.code = code
        self.entry = entry
        self.context = context
        self.position = 0
        self.stack: list[Number] = []
        self.pieces: list[Piece] = []
        #: The piece that an operation such as DW_OP_reg0 named, until DW_OP_piece or the end takes it.
        self.named: Piece | None = None

    def run(self) -> tuple[Piece, ...]:
        """Run to the end."""
        if not self.code:
            raise Unavailable
        steps = 0
        while self.position < len(self.code):
            steps += 1
            if steps > _STEPS or len(self.stack) > _STEPS or len(self.pieces) > _PIECES:
                raise Unavailable("<error: the DWARF expression does not end>")
            opcode = self.code[self.position]
            self.position += 1
            self._step(opcode)
        if not self.pieces:
            return (self._whole(),)
        return tuple(self.pieces)

    def _whole(self) -> Piece:
        return self.named or Piece("memory", self.stack[-1].raw)

    def _step(self, opcode: int) -> None:
        if 0x30 <= opcode <= 0x4F:
            self._push(opcode - 0x30)
        elif 0x50 <= opcode <= 0x6F:
            self.named = Piece("register", opcode - 0x50)
        elif 0x70 <= opcode <= 0x8F:
            self._push(register_value(self.context, opcode - 0x70) + self._sleb())
        elif opcode in _CONSTANTS:
            form = _CONSTANTS[opcode]
            self._push(form.unpack_from(self.code, self.position)[0])
            self.position += form.size
        elif opcode in BINARY:
            right, left = self.stack.pop(), self.stack.pop()
            self.stack.append(BINARY[opcode](left, right))
        elif opcode in UNARY:
            self.stack.append(UNARY[opcode](self.stack.pop()))
        else:
            operation = _OPERATIONS.get(opcode)
            if operation is None:
                raise Unavailable(f"<error: DWARF operation {opcode:#x} is not supported>")
            operation(self)

    def _push(self, value: int) -> None:
        self.stack.append(generic(value))

    def _uleb(self) -> int:
        value, self.position = read_uleb128(self.code, self.position)
        return value

    def _sleb(self) -> int:
        value, self.position = read_sleb128(self.code, self.position)
        return value

    def _fixed(self, size: int) -> int:
        data = self.code[self.position : self.position + size]
        if len(data) < size:
            raise IndexError("operand")
        self.position += size
        return int.from_bytes(data, "little")

    # ---- stack ----

    def dup(self) -> None:
        self.stack.append(self.stack[-1])

    def drop(self) -> None:
        self.stack.pop()

    def over(self) -> None:
        self.stack.append(self.stack[-2])

    def pick(self) -> None:
        self.stack.append(self.stack[-1 - self._fixed(1)])

    def swap(self) -> None:
        self.stack[-1], self.stack[-2] = self.stack[-2], self.stack[-1]

    def rotate(self) -> None:
        self.stack[-1], self.stack[-2], self.stack[-3] = self.stack[-2], self.stack[-3], self.stack[-1]

    def constu(self) -> None:
        self._push(self._uleb())

    def consts(self) -> None:
        self._push(self._sleb())

    def plus_constant(self) -> None:
        top = self.stack.pop()
        self.stack.append(top.replaced(top.raw + self._uleb()))

    def branch(self) -> None:
        offset = struct.unpack_from("<h", self.code, self.position)[0]
        self.position += 2
        if self.stack.pop().raw:
            self._jump(offset)

    def skip(self) -> None:
        offset = struct.unpack_from("<h", self.code, self.position)[0]
        self.position += 2
        self._jump(offset)

    def _jump(self, offset: int) -> None:
        self.position += offset
        if not 0 <= self.position <= len(self.code):
            raise IndexError("branch")

    def nothing(self) -> None:
        """DW_OP_nop and DW_OP_GNU_uninit, which only warns of what follows."""

    # ---- the frame and its memory ----

    def address(self) -> None:
        self._push(self._fixed(8) + self.context.bias)

    def indexed_address(self) -> None:
        self._push(self.entry.info_address(self._uleb()) + self.context.bias)

    def indexed_constant(self) -> None:
        self._push(self.entry.info_address(self._uleb()))

    def frame_base(self) -> None:
        self._push(self.context.frame_base() + self._sleb())

    def base_register(self) -> None:
        register = self._uleb()
        self._push(register_value(self.context, register) + self._sleb())

    def frame_address(self) -> None:
        if self.context.cfa is None:
            raise Unavailable("<error: the frame's address is not known>")
        self._push(self.context.cfa)

    def dereference(self) -> None:
        self._load(8)

    def dereference_size(self) -> None:
        self._load(min(self._fixed(1), 8))

    def dereference_type(self) -> None:
        size = min(self._fixed(1), 8)
        kind = self._base_type(self._uleb())
        self._load(size)
        self.stack.append(converted(self.stack.pop(), *kind))

    def _load(self, size: int) -> None:
        address = self.stack.pop().raw
        data = self.context.read(address, size)
        if isinstance(data, Absence):
            raise unreadable(address)
        self._push(int.from_bytes(data, "little"))

    def at_entry(self) -> None:
        size = self._uleb()
        code = self.code[self.position : self.position + size]
        self.position += size
        self._push(self.context.at_entry(code))

    def parameter(self) -> None:
        """DW_OP_GNU_parameter_ref: what the caller passed for a parameter that has no place of its own any more."""
        self._push(self.context.parameter(self.entry.unit.offset + self._fixed(4)))

    # ---- typed values (DWARF 5, 2.5.1.1) ----

    def _base_type(self, offset: int, *, moved: bool = False) -> tuple[int, bool | None]:
        """Size and sign of the base type at ``offset`` of the unit; 0 is the generic type.

        Floating point is only ``moved``, never computed with.
        """
        if offset == 0:
            return 8, None
        found = read_entry(self.entry.info, self.entry.unit, self.entry.unit.offset + offset)
        encoding, size = found.number(AT_ENCODING, 0), found.number(AT_BYTE_SIZE, 0)
        if (encoding == FLOAT and not moved) or not 1 <= size <= 16:
            raise Unavailable("<error: arithmetic on floating point is not supported>")
        return size, encoding in (SIGNED, SIGNED_CHAR)

    def convert(self) -> None:
        self.stack.append(converted(self.stack.pop(), *self._base_type(self._uleb())))

    def register_of_type(self) -> None:
        value = register_value(self.context, self._uleb())
        size, signed = self._base_type(self._uleb(), moved=True)
        self.stack.append(Number(value & (1 << 8 * size) - 1, size, signed))

    def constant_of_type(self) -> None:
        size, signed = self._base_type(self._uleb(), moved=True)
        self.stack.append(Number(self._fixed(self._fixed(1)), size, signed))

    # ---- places ----

    def register(self) -> None:
        self.named = Piece("register", self._uleb())

    def stack_value(self) -> None:
        self.named = Piece("value", self.stack[-1].raw)

    def implicit_value(self) -> None:
        size = self._uleb()
        self.named = Piece("bytes", 0, self.code[self.position : self.position + size])
        self.position += size

    def implicit_pointer(self) -> None:
        self._fixed(self.entry.unit.offset_size)
        self._sleb()
        self.named = Piece("lost", 0, b"", SYNTHETIC)

    def piece(self) -> None:
        self._add(self._uleb() * 8, 0)

    def bit_piece(self) -> None:
        bits = self._uleb()
        self._add(bits, self._uleb())

    def _add(self, bits: int, skip: int) -> None:
        if not 0 < bits <= 1 << 20 or skip > 1 << 20:
            raise ValueError("piece")
        if self.named is None and not self.stack:
            found = Piece("lost", 0, b"", OPTIMIZED_OUT)
        else:
            found = self._whole()
            self.stack.clear()
        self.named = None
        self.pieces.append(Piece(found.kind, found.number, found.data, found.text, bits, skip))

    def thread_local(self) -> None:
        raise Unavailable("<error: thread-local variables are not supported>")


_OPERATIONS: dict[int, Callable[[_Machine], None]] = {
    0x03: _Machine.address, 0x06: _Machine.dereference, 0x10: _Machine.constu, 0x11: _Machine.consts,
    0x12: _Machine.dup, 0x13: _Machine.drop, 0x14: _Machine.over, 0x15: _Machine.pick, 0x16: _Machine.swap,
    0x17: _Machine.rotate, 0x23: _Machine.plus_constant, 0x28: _Machine.branch, 0x2F: _Machine.skip,
    0x90: _Machine.register, 0x91: _Machine.frame_base, 0x92: _Machine.base_register, 0x93: _Machine.piece,
    0x94: _Machine.dereference_size, 0x96: _Machine.nothing, 0x9B: _Machine.thread_local,
    0x9C: _Machine.frame_address, 0x9D: _Machine.bit_piece, 0x9E: _Machine.implicit_value,
    0x9F: _Machine.stack_value, 0xA0: _Machine.implicit_pointer, 0xA1: _Machine.indexed_address,
    0xA2: _Machine.indexed_constant, 0xA3: _Machine.at_entry, 0xA4: _Machine.constant_of_type,
    0xA5: _Machine.register_of_type, 0xA6: _Machine.dereference_type, 0xA8: _Machine.convert,
    # What gcc wrote before DWARF 5.
    0xE0: _Machine.thread_local, 0xF0: _Machine.nothing, 0xF2: _Machine.implicit_pointer, 0xF3: _Machine.at_entry,
    0xF4: _Machine.constant_of_type, 0xF5: _Machine.register_of_type, 0xF6: _Machine.dereference_type,
    0xF7: _Machine.convert, 0xFA: _Machine.parameter, 0xFB: _Machine.indexed_address, 0xFC: _Machine.indexed_constant,
}  # fmt: skip
