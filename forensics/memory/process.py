"""The memory of a process: segments that answer ``read(address, size)``."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Iterator

from forensics.absence import Absence
from forensics.memory.random_access import RandomAccess
from forensics.record import record

#: Bytes read around an address; words of one stack then cost one system call.
_CHUNK = 1 << 14

#: Chunks kept: bounds resident memory whatever the size of the core.
_CHUNKS = 512


@record
class Segment:
    """A PT_LOAD of a core: ``size`` bytes of address space, ``file_size`` of them dumped at ``offset``."""

    address: int
    size: int
    offset: int
    file_size: int
    executable: bool
    writable: bool

    @property
    def end(self) -> int:
        """The first address after the segment."""
        return self.address + self.size


class Memory:
    """What a core holds of its process's address space."""

    def __init__(self, source: RandomAccess, segments: Iterable[Segment]) -> None:
        self._source = source
        self.segments = tuple(sorted(segments, key=lambda segment: segment.address))
        self._starts = [segment.address for segment in self.segments]
        self._chunks: OrderedDict[int, bytes] = OrderedDict()

    def find(self, address: int) -> Segment | Absence:
        """The segment that holds ``address``."""
        index = bisect_right(self._starts, address) - 1
        if index >= 0 and address < self.segments[index].end:
            return self.segments[index]
        return Absence(f"memory at {address:#x}", "the process had nothing mapped there")

    def segments_from(self, address: int) -> Iterator[Segment]:
        """The segments by address, beginning with the one that holds ``address``, or the next one."""
        index = max(bisect_right(self._starts, address) - 1, 0)
        if index < len(self.segments) and self.segments[index].end <= address:
            index += 1
        while index < len(self.segments):
            yield self.segments[index]
            index += 1

    def read(self, address: int, size: int, *, alone: bool = False) -> bytes | Absence:
        """Exactly ``size`` bytes at ``address``, or why they are not there.

        Reads do not cross from one segment into the next: no object of a
        process does. ``alone`` is for a single look at many places: what lies
        around them is then neither read nor kept.
        """
        segment = self.find(address)
        if isinstance(segment, Absence):
            return segment
        start = address - segment.address
        if start + size > segment.file_size:
            return Absence(
                f"memory at {address:#x}",
                "the core does not hold these bytes",
                "the executable and libraries for code; for data, a core written with a larger `coredump_filter`",
            )
        offset = segment.offset + start
        data = self._source.read(offset, size) if alone else self._cached(offset, size)
        if len(data) < size:
            return Absence(f"memory at {address:#x}", "the core file ends before these bytes", "the complete core")
        return data

    def _cached(self, offset: int, size: int) -> bytes:
        number, start = divmod(offset, _CHUNK)
        if start + size > _CHUNK:
            return self._source.read(offset, size)
        chunk = self._chunks.get(number)
        if chunk is None:
            chunk = self._source.read(number * _CHUNK, _CHUNK)
            self._chunks[number] = chunk
            if len(self._chunks) > _CHUNKS:
                self._chunks.popitem(last=False)
        return chunk[start : start + size]

    def word(self, address: int) -> int | Absence:
        """The little-endian 64-bit word at ``address``."""
        data = self.read(address, 8)
        return data if isinstance(data, Absence) else int.from_bytes(data, "little")

    def string(self, address: int, limit: int = 256) -> str | Absence:
        """The NUL-terminated string at ``address``, at most ``limit`` bytes of it."""
        segment = self.find(address)
        if isinstance(segment, Absence):
            return segment
        available = min(limit, segment.address + segment.file_size - address)
        data = self.read(address, max(available, 1))
        return data if isinstance(data, Absence) else data.split(b"\0", 1)[0].decode("utf-8", "replace")
