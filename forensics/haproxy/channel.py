"""Channels of a stream: ``struct channel`` (channel-t.h), their buffers, and the HTX message in them (htx-t.h)."""

from __future__ import annotations

from forensics.absence import Absence
from forensics.haproxy.leads import number
from forensics.haproxy.structs import Struct, TypedMemory
from forensics.record import record

_32 = 0xFFFFFFFF


@record
class Buffer:
    """``struct buffer`` (buf-t.h): ``data`` bytes from ``head`` on, of ``size`` at ``area`` (0: none is allocated)."""

    address: int
    size: int
    area: int
    data: int
    head: int


@record
class Htx:
    """An HTX message: ``used`` blocks with ``data`` bytes; ``wraps`` tells whether they pass the end."""

    address: int
    flags: int
    size: int
    data: int
    used: int
    wraps: bool
    extra: int | Absence


@record
class Channel:
    """One direction of a stream. ``output`` bytes of the buffer are to be sent, the others were not analysed yet.

    Ticks: ``analyse_exp``, and up to 2.7 ``read_exp`` and ``write_exp``. ``pipe`` is the bytes in a kernel pipe
    (up to 2.8). ``total`` counts bytes that came in (up to 3.2).
    """

    address: int
    flags: int
    analysers: int
    buffer: Buffer
    output: int
    to_forward: int
    total: int | Absence
    analyse_exp: int
    read_exp: int | Absence
    write_exp: int | Absence
    pipe: int | Absence
    htx: Htx | Absence

    @property
    def input(self) -> int:
        """Bytes that were received and not analysed (ci_data), as the unsigned int that HAProxy prints."""
        return (self.buffer.data - self.output) & _32

    @property
    def input_offset(self) -> int:
        """Where they begin in the buffer (ci_head_ofs)."""
        place = self.buffer.head + self.output
        return (place - self.buffer.size if place >= self.buffer.size else place) & _32 if self.buffer.size else 0


def read_buffer(struct: Struct) -> Buffer:
    """The buffer in ``struct``."""
    return Buffer(
        struct.address, number(struct, "size"), number(struct, "area"), number(struct, "data"), number(struct, "head")
    )


def read_channel(struct: Struct, *, htx: bool) -> Channel:
    """The channel in ``struct``; ``htx`` says whether its buffer holds HTX."""
    inner = struct.inner("buf")
    buffer = Buffer(struct.address, 0, 0, 0, 0) if isinstance(inner, Absence) else read_buffer(inner)
    return Channel(
        struct.address,
        number(struct, "flags"),
        number(struct, "analysers"),
        buffer,
        number(struct, "output"),
        number(struct, "to_forward"),
        struct.number("total"),
        number(struct, "analyse_exp") & _32,
        _tick(struct, "rex"),
        _tick(struct, "wex"),
        _pipe(struct),
        read_htx(struct.space, buffer) if htx else Absence("htx", "the stream is no HTX stream"),
    )


def _tick(struct: Struct, path: str) -> int | Absence:
    found = struct.number(path)
    return found & _32 if isinstance(found, int) else found


def _pipe(struct: Struct) -> int | Absence:
    if not struct.has("pipe"):
        return Absence("channel.pipe", "this build's channels have none")
    pipe = struct.follow("pipe", "pipe")
    return 0 if isinstance(pipe, Absence) else number(pipe, "data")


def read_htx(space: TypedMemory, buffer: Buffer) -> Htx | Absence:
    """The HTX message in a buffer: HAProxy takes ``htx_empty`` for a buffer that is not allocated (htxbuf)."""
    struct = space.at("htx", buffer.area) if buffer.size else space.object("htx_empty", "htx")
    if isinstance(struct, Absence):
        return struct
    if buffer.size and not buffer.data:
        extra = 0 if struct.has("extra") else struct.number("extra")
        return Htx(struct.address, 0, buffer.size - struct.layout.size, 0, 0, False, extra)
    head, tail = number(struct, "head"), number(struct, "tail")
    return Htx(
        struct.address,
        number(struct, "flags"),
        number(struct, "size"),
        number(struct, "data"),
        tail + 1 - head if head != -1 else 0,
        tail < head,
        struct.number("extra"),
    )
