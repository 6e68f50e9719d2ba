"""Where code begins and ends, from the call frame table: it is in every executable, stripped or not.

Compilers write one Frame Description Entry for each piece of code that they keep together: a
function, or a fragment of one (``.cold``, ``.part``). So the entry of an address bounds what may
be said about it, also where no symbol does (LSB Core, 10.6: .eh_frame and .eh_frame_hdr).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from forensics.absence import Absence
from forensics.elf.constants import PT_GNU_EH_FRAME
from forensics.elf.encoding import OMIT, read_pointer, read_uleb128
from forensics.record import record

if TYPE_CHECKING:
    from forensics.elf.image import ElfImage

#: The search table of the GNU linker: pairs of 32-bit offsets from the start of .eh_frame_hdr.
_TABLE = 0x3B
_PAIR = struct.Struct("<ii")

#: Bytes that hold the head of any entry: lengths, pointers, an augmentation of some letters.
_HEAD = 96
#: The largest header that is read (bytes): a million functions.
_MAX_HEADER = 8 << 20
#: The same for .eh_frame, where it must be read whole.
_MAX_FRAMES = 32 << 20

#: Bytes at an address of the image.
Reader = Callable[[int, int], bytes | Absence]


@record
class Fragment:
    """The code from ``start`` up to ``end`` (addresses of the image): a function, or a piece of one."""

    start: int
    end: int

    def holds(self, address: int) -> bool:
        """Whether ``address`` lies within."""
        return self.start <= address < self.end


class FragmentTable:
    """The fragments of one image; the header is searched, an entry is read when it is asked for."""

    def __init__(self, header: bytes, header_address: int, read: Reader) -> None:
        """``header`` holds .eh_frame_hdr, ``read`` gives bytes of the image by address."""
        self._header = header
        self._base = header_address
        self._read = read
        self._encodings: dict[int, int] = {}
        self._count, self._table = _open_table(header, header_address)

    def __len__(self) -> int:
        return self._count

    def find(self, address: int) -> Fragment | Absence:
        """The fragment that holds ``address``."""
        missing = Absence(f"boundaries of the code at {address:#x}", "no call frame entry describes it")
        index = self._index(address)
        fragment = self.at(index) if index >= 0 else missing
        return fragment if isinstance(fragment, Fragment) and fragment.holds(address) else missing

    def begins_within(self, low: int, high: int) -> bool:
        """Whether some fragment begins in (low, high]."""
        index = self._index(high)
        return index >= 0 and self._start(index) > low

    def next_start(self, address: int) -> int:
        """Where the first fragment behind ``address`` begins; the highest address for none."""
        index = self._index(address) + 1
        return self._start(index) if index < self._count else (1 << 64) - 1

    def at(self, index: int) -> Fragment | Absence:
        """The fragment with this number, in the order of addresses; bounded by the start of the next one."""
        damaged = Absence(f"call frame entry {index}", "it is damaged")
        if not 0 <= index < self._count:
            return damaged
        place = self._base + _PAIR.unpack_from(self._header, self._table + index * _PAIR.size)[1]
        try:
            start, size = self._entry(place)
        except (IndexError, ValueError, struct.error):
            return damaged
        if start != self._start(index) or not size:
            return damaged
        end = start + size
        return Fragment(start, min(end, self._start(index + 1)) if index + 1 < self._count else end)

    def _index(self, address: int) -> int:
        """The last entry that begins at ``address`` or before, -1 for none."""
        low, high = 0, self._count
        while low < high:
            middle = (low + high) // 2
            if self._start(middle) <= address:
                low = middle + 1
            else:
                high = middle
        return low - 1

    def _start(self, index: int) -> int:
        return int(self._base + _PAIR.unpack_from(self._header, self._table + index * _PAIR.size)[0])

    def _entry(self, place: int) -> tuple[int, int]:
        """Start and size that the entry at ``place`` describes."""
        data = self._bytes(place)
        position = _after_length(data)
        cie = place + position - struct.unpack_from("<I", data, position)[0]
        if cie not in self._encodings:
            self._encodings[cie] = _pointer_encoding(self._bytes(cie), cie)
        encoding = self._encodings[cie]
        start, position = read_pointer(data, position + 4, encoding, place)
        size, _position = read_pointer(data, position, encoding & 0x0F, place)
        return start, size

    def _bytes(self, address: int) -> bytes:
        data: bytes | Absence = Absence("call frame entry", "no bytes")
        size = _HEAD
        while not isinstance(data, bytes) and size >= 16:
            data, size = self._read(address, size), size // 2
        if isinstance(data, bytes):
            return data
        raise ValueError("outside the image")


def _open_table(header: bytes, address: int) -> tuple[int, int]:
    """Number of entries and where they begin; (0, 0) for a header that cannot be used."""
    try:
        if header[0] != 1 or header[3] != _TABLE or header[2] == OMIT:
            return 0, 0
        _frames, position = read_pointer(header, 4, header[1], address, address)
        count, position = read_pointer(header, position, header[2], address, address)
    except (IndexError, ValueError, struct.error):
        return 0, 0
    return max(0, min(count, (len(header) - position) // _PAIR.size)), position


def _after_length(data: bytes) -> int:
    """The position behind the length of an entry."""
    length = struct.unpack_from("<I", data)[0]
    if length == 0:
        raise ValueError("terminator")
    return 12 if length == 0xFFFFFFFF else 4


def _pointer_encoding(data: bytes, address: int) -> int:
    """How the entries of the CIE in ``data`` write addresses (DW_EH_PE_*)."""
    position = _after_length(data)
    version = data[position + 4]
    names_end = data.index(b"\0", position + 5)
    augmentation = data[position + 5 : names_end]
    if not augmentation.startswith(b"z"):
        return 0
    _code, position = read_uleb128(data, names_end + 1)
    while data[position] & 0x80:  # the data alignment, a signed LEB128 that is of no use here
        position += 1
    position += 1
    _register, position = (0, position + 1) if version == 1 else read_uleb128(data, position)
    _size, position = read_uleb128(data, position)
    for letter in augmentation[1:]:
        if letter == ord("R"):
            return data[position]
        if letter == ord("P"):
            _routine, position = read_pointer(data, position + 1, data[position] & 0x7F, address)
        elif letter == ord("L"):
            position += 1
    return 0


class _ListedFragments(FragmentTable):
    """The fragments of an image without a search table, from all entries of .eh_frame."""

    def __init__(self, frames: bytes, frames_address: int, read: Reader) -> None:
        super().__init__(b"", 0, read)
        self._listed = sorted(self._all(frames, frames_address))
        self._count = len(self._listed)

    def _all(self, frames: bytes, address: int) -> Iterator[tuple[int, int]]:
        """Start and size of each entry, as far as they can be read."""
        offset = 0
        while offset + 12 <= len(frames):
            try:
                position = _after_length(frames[offset : offset + 12])
                length = int.from_bytes(frames[offset + position - (8 if position == 12 else 4) :][:4], "little")
                if any(frames[offset + position : offset + position + 4]):  # 0 marks a CIE
                    yield self._entry(address + offset)
            except (IndexError, ValueError, struct.error):
                return
            offset += position + length

    def _start(self, index: int) -> int:
        return self._listed[index][0]

    def at(self, index: int) -> Fragment | Absence:
        if not 0 <= index < self._count or not self._listed[index][1]:
            return Absence(f"call frame entry {index}", "it is damaged")
        start, size = self._listed[index]
        return Fragment(start, start + size)


def fragments_of(image: ElfImage) -> FragmentTable | Absence:
    """The fragments of an image; an Absence where it has no call frame table."""
    for segment in image.segments:
        if segment.type == PT_GNU_EH_FRAME:
            header = image.source.read(segment.offset, min(segment.file_size, _MAX_HEADER))
            table = FragmentTable(header, segment.address, image.read)
            if len(table):
                return table
    # Statically linked programs may come without the search table.
    section, frames = image.sections.get(".eh_frame"), image.section(".eh_frame")
    if section is not None and isinstance(frames, bytes):
        listed = _ListedFragments(frames[:_MAX_FRAMES], section.address, image.read)
        if len(listed):
            return listed
    return Absence(f"boundaries of the functions of {image.path}", "it has no call frame table (.eh_frame)")


def fragments_in(header: bytes, header_address: int, frames: bytes, frames_address: int) -> FragmentTable:
    """The fragments of a build whose tables were kept: .eh_frame_hdr and .eh_frame, each with its address."""

    def read(address: int, size: int) -> bytes | Absence:
        offset = address - frames_address
        data = frames[offset : offset + size] if 0 <= offset < len(frames) else b""
        return data or Absence(f"call frames at {address:#x}", "the kept tables hold no such bytes")

    return FragmentTable(header, header_address, read)
