"""The tables of .eh_frame_hdr and .eh_frame: from a pc to its row (LSB Core, 10.6; DWARF 5, 6.4)."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator

from forensics.absence import Absence
from forensics.elf.encoding import OMIT, read_pointer, read_sleb128, read_uleb128
from forensics.record import record
from forensics.unwind.instructions import run_instructions
from forensics.unwind.rule import UnwindRow

#: The search table: pairs of 32-bit offsets from the start of .eh_frame_hdr.
_TABLE = 0x3B
_PAIR = struct.Struct("<ii")


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
    with its virtual address.
    """

    def __init__(self, header: bytes, header_address: int, frames: bytes, frames_address: int) -> None:
        self._frames = frames
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
        """The entries of .eh_frame in order, as far as they can be read."""
        offset = 0
        while offset + 8 <= len(self._frames):
            try:
                length, position = _length(self._frames, offset)
                if struct.unpack_from("<I", self._frames, position)[0]:  # 0 marks a CIE
                    yield self._read_fde(offset)
            except (IndexError, ValueError, struct.error):
                return
            offset = position + length

    def _read_fde(self, offset: int) -> Fde:
        data = self._frames
        if offset < 0:
            raise ValueError("before the section")
        length, position = _length(data, offset)
        end = position + length
        cie = self._cie(position - struct.unpack_from("<I", data, position)[0])
        address = self._frames_address
        start, position = read_pointer(data, position + 4, cie.pointer_encoding, address)
        size, position = read_pointer(data, position, cie.pointer_encoding & 0x0F, address)
        if cie.augmented:
            skipped, position = read_uleb128(data, position)
            position += skipped
        return Fde(cie, start, size, data[position:end])

    def _cie(self, offset: int) -> Cie:
        cie = self._cies.get(offset)
        if cie is None:
            cie = self._cies[offset] = self._read_cie(offset)
        return cie

    def _read_cie(self, offset: int) -> Cie:
        data = self._frames
        if offset < 0:
            raise ValueError("before the section")
        length, position = _length(data, offset)
        end = position + length
        version = data[position + 4]
        names_end = data.index(b"\0", position + 5, end)
        augmentation = data[position + 5 : names_end]
        code, position = read_uleb128(data, names_end + 1)
        alignment, position = read_sleb128(data, position)
        register, position = (data[position], position + 1) if version == 1 else read_uleb128(data, position)
        encoding = 0
        if augmentation.startswith(b"z"):
            size, position = read_uleb128(data, position)
            encoding = self._pointer_encoding(augmentation, position)
            position += size
        return Cie(
            code, alignment, register, encoding, augmentation.startswith(b"z"), b"S" in augmentation, data[position:end]
        )

    def _pointer_encoding(self, augmentation: bytes, position: int) -> int:
        """The encoding that the `R` of an augmentation string announces."""
        data = self._frames
        for letter in augmentation[1:]:
            if letter == ord("R"):
                return data[position]
            if letter == ord("P"):
                _routine, position = read_pointer(data, position + 1, data[position] & 0x7F, self._frames_address)
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


def _length(data: bytes, offset: int) -> tuple[int, int]:
    length = struct.unpack_from("<I", data, offset)[0]
    if length == 0xFFFFFFFF:
        return struct.unpack_from("<Q", data, offset + 4)[0], offset + 12
    if length == 0:
        raise ValueError("terminator")
    return length, offset + 4
