"""The tables of call frame information: from a pc to its row.

.eh_frame_hdr and .eh_frame (LSB Core, 10.6), .debug_frame (DWARF 5, 6.4).
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import Protocol

from forensics.absence import Absence
from forensics.elf.encoding import OMIT, read_pointer, read_sleb128, read_uleb128
from forensics.record import record
from forensics.unwind.instructions import run_instructions
from forensics.unwind.rule import UnwindRow

#: The search table: pairs of 32-bit offsets from the start of .eh_frame_hdr.
_TABLE = 0x3B
_PAIR = struct.Struct("<ii")

#: Bytes of one entry: those of the largest functions take some hundred.
_LARGEST_ENTRY = 1 << 20


class Bytes(Protocol):
    """Bytes that are asked for in slices: a section, or pages of a core that are read when they are needed."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> bytes: ...


class MappedBytes:
    """The bytes from ``address`` on, as ``read`` gives them; none where it gives an Absence."""

    def __init__(self, read: Callable[[int, int], bytes | Absence], address: int) -> None:
        self._read = read
        self._address = address

    def __len__(self) -> int:
        """Nobody knows."""
        return 0

    def __getitem__(self, part: slice, /) -> bytes:
        """The bytes of a slice, fewer at the end of what is there."""
        found = self._read(self._address + part.start, part.stop - part.start)
        if isinstance(found, Absence) and part.stop - part.start == _HEAD:
            found = self._read(self._address + part.start, 4)
        return found if isinstance(found, bytes) else b""


#: The length of an entry in its longest form.
_HEAD = 12


@record
class Cie:
    """A Common Information Entry: what its FDEs share."""

    code_alignment: int
    data_alignment: int
    return_register: int
    pointer_encoding: int
    augmented: bool
    signal: bool
    instructions: bytes


@record
class Fde:
    """A Frame Description Entry: the code from ``start`` (``size`` bytes) and its instructions."""

    cie: Cie
    start: int
    size: int
    instructions: bytes


class CallFrameTable:
    """Call frame information of one image; addresses are the image's own.

    ``header`` and ``frames`` are the bytes of .eh_frame_hdr and .eh_frame, each
    with its virtual address; or those of .debug_frame (``debug``), which has no header.
    """

    def __init__(
        self, header: bytes, header_address: int, frames: Bytes, frames_address: int, *, debug: bool = False
    ) -> None:
        self._frames = frames
        self._debug = debug
        self._frames_address = frames_address
        self._cies: dict[int, Cie] = {}
        self._header = header
        self._base = header_address
        self._count, self._table = self._open_table(header, header_address)
        self._scanned: list[Fde] | None = None

    @staticmethod
    def _open_table(header: bytes, address: int) -> tuple[int, int]:
        """Number of entries and where they begin; (0, 0) for a header that cannot be used."""
        try:
            if header[0] != 1 or header[3] != _TABLE or header[2] == OMIT:
                return 0, 0
            _frames, position = read_pointer(header, 4, header[1], address, address)
            count, position = read_pointer(header, position, header[2], address, address)
        except (IndexError, ValueError, struct.error):
            return 0, 0
        return min(count, (len(header) - position) // _PAIR.size), position

    def find_fde(self, pc: int) -> Fde | Absence:
        """The entry whose code holds ``pc``."""
        if not self._header:
            return self._find_by_scan(pc)
        low, high = 0, self._count
        while low < high:
            middle = (low + high) // 2
            if self._base + _PAIR.unpack_from(self._header, self._table + middle * 8)[0] <= pc:
                low = middle + 1
            else:
                high = middle
        missing = Absence(f"call frame information for {pc:#x}", "the image has none for this code")
        if low == 0:
            return missing
        offset = self._base + _PAIR.unpack_from(self._header, self._table + (low - 1) * 8)[1] - self._frames_address
        try:
            fde = self._read_fde(offset)
        except (IndexError, ValueError, struct.error):
            return Absence(f"call frame information for {pc:#x}", "it is damaged")
        return fde if fde.start <= pc < fde.start + fde.size else missing

    def _find_by_scan(self, pc: int) -> Fde | Absence:
        """Without a search table: all entries are read once."""
        if self._scanned is None:
            self._scanned = sorted(self._all_fdes(), key=lambda fde: fde.start)
        index = bisect_right(self._scanned, pc, key=lambda fde: fde.start) - 1
        if index >= 0 and pc < self._scanned[index].start + self._scanned[index].size:
            return self._scanned[index]
        return Absence(f"call frame information for {pc:#x}", "the image has none for this code")

    def _all_fdes(self) -> Iterator[Fde]:
        """The entries in order, as far as they can be read."""
        offset = 0
        while offset + 8 <= len(self._frames):
            try:
                data, position = self._entry(offset)
                if not self._is_cie(data, position):
                    yield self._read_fde(offset)
            except (IndexError, ValueError, struct.error):
                return
            offset += len(data)

    def _entry(self, offset: int) -> tuple[bytes, int]:
        """A whole CIE or FDE, and where in it the identification stands."""
        if offset < 0:
            raise ValueError("before the section")
        length, position = _length(self._frames[offset : offset + _HEAD])
        if length > _LARGEST_ENTRY:
            raise ValueError("an entry of megabytes")
        data = self._frames[offset : offset + position + length]
        if len(data) < position + length:
            raise ValueError("it is cut off")
        return data, position

    def _is_cie(self, data: bytes, position: int) -> bool:
        """Whether an entry is a CIE: marked by 0 in .eh_frame, by all ones in .debug_frame."""
        if not self._debug:
            return data[position : position + 4] == bytes(4)
        width = _width(position)
        return data[position : position + width] == b"\xff" * width

    def _read_fde(self, offset: int) -> Fde:
        data, position = self._entry(offset)
        if self._debug:
            width = _width(position)
            cie = self._cie(int.from_bytes(data[position : position + width], "little"))
            position += width
        else:
            cie = self._cie(offset + position - struct.unpack_from("<I", data, position)[0])
            position += 4
        address = self._frames_address + offset
        start, position = read_pointer(data, position, cie.pointer_encoding, address)
        size, position = read_pointer(data, position, cie.pointer_encoding & 0x0F, address)
        if cie.augmented:
            skipped, position = read_uleb128(data, position)
            position += skipped
        return Fde(cie, start, size, data[position:])

    def _cie(self, offset: int) -> Cie:
        cie = self._cies.get(offset)
        if cie is None:
            cie = self._cies[offset] = self._read_cie(offset)
        return cie

    def _read_cie(self, offset: int) -> Cie:
        data, position = self._entry(offset)
        position += _width(position) if self._debug else 4
        version = data[position]
        names_end = data.index(b"\0", position + 1)
        augmentation = data[position + 1 : names_end]
        position = names_end + 1
        if version >= 4:
            if data[position : position + 2] != b"\x08\x00":  # address_size, segment_selector_size
                raise ValueError("addresses of another size")
            position += 2
        code, position = read_uleb128(data, position)
        alignment, position = read_sleb128(data, position)
        register, position = (data[position], position + 1) if version == 1 else read_uleb128(data, position)
        encoding = 0
        if augmentation.startswith(b"z"):
            size, position = read_uleb128(data, position)
            encoding = self._pointer_encoding(augmentation, data, position, offset)
            position += size
        return Cie(
            code, alignment, register, encoding, augmentation.startswith(b"z"), b"S" in augmentation, data[position:]
        )

    def _pointer_encoding(self, augmentation: bytes, data: bytes, position: int, offset: int) -> int:
        """The encoding that the `R` of an augmentation string announces.

        `S` (a signal's frame), `B` (return addresses signed with the second key) and `G` (memory tags; both of
        aarch64) have no operand.
        """
        for letter in augmentation[1:]:
            if letter == ord("R"):
                return data[position]
            if letter == ord("P"):
                address = self._frames_address + offset
                _routine, position = read_pointer(data, position + 1, data[position] & 0x7F, address)
            elif letter == ord("L"):
                position += 1
        return 0

    def row(self, pc: int) -> UnwindRow | Absence:
        """How to unwind from ``pc``."""
        fde = self.find_fde(pc)
        if isinstance(fde, Absence):
            return fde
        try:
            return run_instructions(fde.cie, fde.start, fde.instructions, pc)
        except (IndexError, ValueError, struct.error, KeyError):
            return Absence(f"call frame information for {pc:#x}", "its instructions are damaged or unknown")


def _length(head: bytes) -> tuple[int, int]:
    """The length of an entry without this field itself, and the size of the field."""
    length = struct.unpack_from("<I", head)[0]
    if length == 0xFFFFFFFF:
        return struct.unpack_from("<Q", head, 4)[0], 12
    if length == 0:
        raise ValueError("terminator")
    return length, 4


def _width(position: int) -> int:
    """Bytes of an offset in .debug_frame, by the size of the length before it."""
    return 8 if position == 12 else 4
