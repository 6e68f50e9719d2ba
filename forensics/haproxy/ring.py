"""Rings of messages: what HAProxy said while it started, and what sinks of events and traces hold (ring-t.h).

A ring is a circular area that begins with one byte, the number of readers there, and goes on with messages: the
length as a variable-length integer, the text, and again such a byte. The grammar is that of all releases from 2.2 on;
where head and tail are kept is not.
"""

from __future__ import annotations

from collections.abc import Iterator

from forensics.absence import Absence
from forensics.haproxy.structs import Struct, TypedMemory
from forensics.record import open_record, record

#: A ring larger than this is not read, in bytes. Those of HAProxy itself have 64 KiB and 1 MiB.
LARGEST = 64 << 20
#: The same where the build's layout is not known, and any pointer may be tried.
_LARGEST_UNKNOWN = 4 << 20
#: Bytes of one message that are handed out. HAProxy's own are cut at tune.bufsize, 16 KiB usually.
LONGEST = 64 << 10

#: Bit 63 of ``tail`` is a lock (RING_TAIL_LOCK).
_TAIL = (1 << 63) - 1
#: The number of readers that says that the message behind it is still being written (RING_WRITING_SIZE).
_BEING_WRITTEN = 255
#: Where the members of struct ring_storage (3.0 and later) lie: each has a line of the cache for itself.
_SIZE, _TAIL_AT, _HEAD_AT, _AREA = 0, 64, 128, 192


@record
class _Place:
    """Where the bytes lie: ``used`` of them, beginning at ``head`` in ``size`` bytes at ``area``."""

    area: int
    size: int
    head: int
    used: int


@open_record
class Ring:
    """The bytes of a ring in their order; ``damage`` says why its last messages could not be read."""

    address: int
    size: int
    data: bytes
    damage: Absence | None = None

    def messages(self) -> Iterator[str]:
        """The messages, oldest first."""
        at = 0
        while at + 1 < len(self.data):
            if self.data[at] == _BEING_WRITTEN:
                self.damage = self._damaged("a message was being written when the process died")
                return
            parsed = _varint(self.data, at + 1)
            if parsed is None or parsed[0] + parsed[1] >= len(self.data):
                self.damage = self._damaged(f"byte {at} of its content begins no message that fits")
                return
            length, start = parsed
            yield self.data[start : start + min(length, LONGEST)].decode("utf-8", "replace")
            at = start + length

    def _damaged(self, reason: str) -> Absence:
        return Absence(f"ring at {self.address:#x}", reason)

    def is_whole(self) -> bool:
        """Whether the content is messages up to its end; there is always a byte for readers."""
        if not self.data:
            return False
        for _message in self.messages():
            pass
        return self.damage is None


def read_ring(space: TypedMemory, address: int) -> Ring | Absence:
    """The ring at ``address``.

    Without the build's layout the two shapes that there are, each of which has its members in the same place in all
    builds, are tried: a content that is messages to its end proves one.
    """
    ring = space.at("ring", address)
    if isinstance(ring, Struct):
        return _content(space, address, _by_layout(ring))
    if space.has_struct("ring"):
        return ring
    for place in (_since_3_0(space, address), _up_to_2_9(space, address)):
        if isinstance(place, Absence) or place.size > _LARGEST_UNKNOWN:
            continue
        found = _content(space, address, place)
        if isinstance(found, Ring) and found.is_whole():
            return found
    return Absence(f"ring at {address:#x}", "it has no shape that is known", "the debug symbols of this build")


def _by_layout(ring: Struct) -> _Place | Absence:
    """``storage`` since 3.0, a ``struct buffer`` named ``buf`` before."""
    if not ring.has("storage"):
        members = [ring.number(f"buf.{name}") for name in ("area", "size", "head", "data")]
        return _place(members)
    storage = ring.follow("storage", "ring_storage")
    if isinstance(storage, Absence):
        return storage
    size, tail, head = (storage.number(name) for name in ("size", "tail", "head"))
    return _circular(storage.address_of("area"), size, tail, head)


def _since_3_0(space: TypedMemory, address: int) -> _Place | Absence:
    storage = space.memory.word(address)
    data = storage if isinstance(storage, Absence) else space.memory.read(storage, _AREA)
    if isinstance(data, Absence) or isinstance(storage, Absence):
        return data if isinstance(data, Absence) else Absence("ring", "no storage")
    size, tail, head = (int.from_bytes(data[at : at + 8], "little") for at in (_SIZE, _TAIL_AT, _HEAD_AT))
    return _circular(storage + _AREA, size, tail, head)


def _up_to_2_9(space: TypedMemory, address: int) -> _Place | Absence:
    """The ring begins with a struct buffer: size, area, data, head."""
    size, area, data, head = (space.memory.word(address + 8 * index) for index in range(4))
    return _place([area, size, head, data])


def _circular(area: int | Absence, size: int | Absence, tail: int | Absence, head: int | Absence) -> _Place | Absence:
    """With head and tail: what lies from one to the other, around the end."""
    if isinstance(size, Absence) or isinstance(tail, Absence) or isinstance(head, Absence):
        return Absence("ring", "struct ring_storage of this build has other members")
    return _place([area, size, head, ((tail & _TAIL) - head) % size if size else 0])


def _place(members: list[int | Absence]) -> _Place | Absence:
    """A place whose numbers can be right."""
    known = [one for one in members if not isinstance(one, Absence)]
    if len(known) < len(members):
        return next(one for one in members if isinstance(one, Absence))
    area, size, head, used = known
    if not 0 < size <= LARGEST or head >= size or used > size:
        return Absence("ring", f"its numbers cannot be right: {size} bytes, {used} used from {head} on")
    return _Place(area, size, head, used)


def _content(space: TypedMemory, address: int, place: _Place | Absence) -> Ring | Absence:
    if isinstance(place, Absence):
        return Absence(f"ring at {address:#x}", place.reason, place.remedy)
    data = space.memory.read(place.area, place.size)
    if isinstance(data, Absence):
        return Absence(f"ring at {address:#x}", data.reason, data.remedy)
    return Ring(address, place.size, (data[place.head :] + data[: place.head])[: place.used])


def _varint(data: bytes, at: int) -> tuple[int, int] | None:
    """The integer at ``at`` and where it ends (intencode of src/tools.c); None for one that does not end.

    A first byte below 0xF0 is the value; else 4 bits of it, and 7 of each byte that follows, low ones first.
    """
    if at >= len(data):
        return None
    value = data[at]
    if value < 0xF0:
        return value, at + 1
    for index in range(1, 10):
        if at + index >= len(data):
            return None
        value += data[at + index] << (4 + 7 * (index - 1))
        if data[at + index] < 0x80:
            return value, at + index + 1
    return None
