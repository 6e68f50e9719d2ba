"""Where a variable is and what it holds: the pieces that an expression names, and their bytes (DWARF 5, 2.6.1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from forensics.absence import Absence
from forensics.record import record

#: Entry values within entry values, and frame bases within frame bases.
DEPTH = 8

OPTIMIZED_OUT = "<optimized out>"
SYNTHETIC = "<synthetic pointer>"

#: Reads bytes of the process: address and size.
Reader = Callable[[int, int], bytes | Absence]


class Unavailable(Exception):
    """The value cannot be told; ``text`` is what stands in its place."""

    def __init__(self, text: str = OPTIMIZED_OUT) -> None:
        super().__init__(text)
        self.text = text


def unreadable(address: int) -> Unavailable:
    """Memory that is not there, in gdb's words."""
    return Unavailable(f"<error: Cannot access memory at address {address:#x}>")


@dataclass(slots=True)
class FrameContext:
    """What an expression can ask of its frame.

    ``registers`` maps DWARF numbers to values, as far as they are known; ``bias`` is added to
    the image's addresses; ``cfa`` is None where call frame information lacks. ``frame_base``
    evaluates DW_AT_frame_base. ``at_entry`` gives what an expression of one register was worth
    when the function was entered, ``parameter`` the same for a parameter by its entry's offset; both raise Unavailable.
    """

    registers: Mapping[int, int]
    read: Reader
    bias: int
    cfa: int | None
    frame_base: Callable[[], int]
    at_entry: Callable[[bytes], int]
    parameter: Callable[[int], int]


@record
class Piece:
    """A part of a variable: ``kind`` is memory (an address), register (its number), value, bytes or lost.

    ``bits`` is its width, 0 for all of it; ``skip`` the bits left out before it in its place.
    """

    kind: str
    number: int = 0
    data: bytes = b""
    text: str = ""
    bits: int = 0
    skip: int = 0


@record
class Content:
    """The bytes of a value.

    ``lost`` lists (first byte, end, what stands there instead); ``address`` is None outside of memory.
    """

    data: bytes
    lost: tuple[tuple[int, int, str], ...] = ()
    address: int | None = None

    def part(self, start: int, size: int) -> Content:
        """The bytes of a member or an element."""
        lost = tuple((first - start, end - start, text) for first, end, text in self.lost)
        address = None if self.address is None else self.address + start
        return Content(self.data[start : start + size], lost, address)

    def missing(self, size: int) -> str:
        """What to print for ``size`` bytes at the start that are not all there, "" when they are."""
        found = next((text for first, end, text in self.lost if first < size and end > 0), "")
        return found or ("" if len(self.data) >= size else OPTIMIZED_OUT)


def fetch(pieces: tuple[Piece, ...], size: int, context: FrameContext) -> Content:
    """The ``size`` bytes of a variable that lies in ``pieces``. Raises Unavailable for one that is not there at all."""
    if len(pieces) == 1 and not pieces[0].bits:
        data = _bytes_of(pieces[0], size, context)
        return Content(data, (), pieces[0].number if pieces[0].kind == "memory" else None)
    value, at, lost = 0, 0, []
    for piece in pieces:
        width = piece.bits
        try:
            raw = int.from_bytes(_bytes_of(piece, (piece.skip + width + 7) // 8, context), "little")
            value |= (raw >> piece.skip & (1 << width) - 1) << at
        except Unavailable as error:
            lost.append((at // 8, (at + width + 7) // 8, error.text))
        at += width
    if at < size * 8:
        lost.append((at // 8, size, OPTIMIZED_OUT))
    if lost and sum(end - first for first, end, _text in lost) >= size:
        raise Unavailable(lost[0][2])
    return Content((value & (1 << size * 8) - 1).to_bytes(size, "little"), tuple(lost))


def _bytes_of(piece: Piece, size: int, context: FrameContext) -> bytes:
    if piece.kind == "memory":
        data = context.read(piece.number, size)
        if isinstance(data, Absence):
            raise unreadable(piece.number)
        return data
    if piece.kind == "lost":
        raise Unavailable(piece.text)
    if piece.kind == "bytes":
        return piece.data[:size].ljust(size, b"\0")
    number = register_value(context, piece.number) if piece.kind == "register" else piece.number
    return (number & (1 << size * 8) - 1).to_bytes(size, "little")


def register_value(context: FrameContext, number: int) -> int:
    """A register of the frame. Raises Unavailable for one that is not known."""
    value = context.registers.get(number)
    if value is None:
        raise Unavailable(f"<register {number} is not known here>")
    return value
