"""HTTP/2 connections and streams of the mux: ``struct h2c`` and ``struct h2s`` (src/mux_h2.c)."""

from __future__ import annotations

from forensics.absence import Absence
from forensics.haproxy.channel import Buffer
from forensics.haproxy.leads import Leads, number
from forensics.haproxy.mux_endpoint import Endpoint, read_endpoint
from forensics.haproxy.mux_h1 import buffer_of
from forensics.haproxy.structs import Struct, TypedMemory
from forensics.haproxy.subscription import Subscription, read_subscription
from forensics.haproxy.term_events import read_events
from forensics.haproxy.walks import Walk, iter_list, iter_tree
from forensics.record import record

#: Streams of one connection that are visited.
_MOST = 100_000
#: As h2c_st_to_str() and h2s_st_to_str() print them.
_CONNECTION_STATES = {
    "PREFACE": "PRF", "SETTINGS1": "STG", "FRAME_H": "FRH", "FRAME_P": "FRP", "FRAME_A": "FRA", "FRAME_E": "FRE",
    "ERROR": "ERR", "ERROR2": "ER2",
}  # fmt: skip
_STREAM_STATES = {
    "IDLE": "IDL", "RLOC": "RSL", "RREM": "RSR", "OPEN": "OPN", "HREM": "HCR", "HLOC": "HCL", "ERROR": "ERR",
    "CLOSED": "CLO",
}  # fmt: skip


@record
class H2Stream:
    """One stream of a connection; ``state`` has three letters."""

    address: int
    connection: int
    identifier: int
    state: str
    flags: int
    received: Buffer | Absence
    endpoint: Endpoint
    subscription: Subscription | Absence


@record
class H2Connection:
    """A connection. ``blocked`` counts streams that wait for flow control, ``sending`` those that wait to send.

    ``orphans`` are those in the tree without a stream of HAProxy's; ``last`` is the address of the tree's last one.
    ``output`` are the ring's head and tail index and size, then the buffers there.
    """

    address: int
    state: str
    error: int
    highest_id: int
    last_id: int
    flags: int
    streams: int
    tied: int
    receiving: int | Absence
    glitches: int | Absence
    events_log: str | Absence
    blocked: int
    sending: int
    in_tree: int
    orphans: int
    events: int
    demux_id: int
    mux_id: int | Absence
    demux: Buffer
    output: tuple[int, int, int, Buffer, Buffer]
    task: int
    expire: int
    last: int


def read_h2c(space: TypedMemory, address: int, leads: Leads) -> H2Connection | Absence:
    """The ``struct h2c`` at ``address``."""
    struct = space.at("h2c", address)
    if isinstance(struct, Absence):
        return struct
    task = struct.follow("task", "task")
    streams = _streams(struct, leads)
    orphans = sum(1 for one in streams if not _tied(one))
    ring = buffer_of(struct, "mbuf")
    return H2Connection(
        address,
        _state(space, "h2_cs", "H2_CS_", _CONNECTION_STATES, number(struct, "st0")),
        number(struct, "errcode"),
        number(struct, "max_id"),
        number(struct, "last_sid"),
        number(struct, "flags"),
        number(struct, "nb_streams"),
        number(struct, "nb_sc", "nb_cs"),
        struct.number("receiving_streams"),
        struct.number("glitches"),
        read_events(struct),
        _length(struct, "fctl_list"),
        _length(struct, "send_list"),
        len(streams),
        orphans,
        number(struct, "wait_event.events"),
        number(struct, "dsi"),
        struct.number("msi"),
        buffer_of(struct, "dbuf"),
        # The first buffer of the ring is none: its members hold the ring's indexes (buf.h, br_head_idx and others).
        (ring.head, ring.data, ring.size, _ring_buffer(struct, ring.head), _ring_buffer(struct, ring.data)),
        number(struct, "task"),
        0 if isinstance(task, Absence) else number(task, "expire") & 0xFFFFFFFF,
        streams[-1].address if streams else 0,
    )


def _ring_buffer(struct: Struct, index: int) -> Buffer:
    field = struct.field("mbuf")
    inside = not isinstance(field, Absence) and 0 <= index < field.count
    return buffer_of(struct, "mbuf", index) if inside else Buffer(0, 0, 0, 0, 0)


def _length(struct: Struct, path: str) -> int:
    """Elements of a list, up to where it is broken."""
    head = struct.address_of(path)
    return 0 if isinstance(head, Absence) else sum(1 for _ in iter_list(struct.space.memory, head, Walk(), _MOST))


def _streams(struct: Struct, leads: Leads) -> list[Struct]:
    """Those in the tree, by their id."""
    space, root, layout = struct.space, struct.address_of("streams_by_id"), struct.space.layout("h2s")
    if isinstance(root, Absence) or isinstance(layout, Absence) or "by_id" not in layout.fields:
        return []
    walk = Walk()
    nodes = [space.at("h2s", one - layout.fields["by_id"].offset) for one in iter_tree(space.memory, root, walk, _MOST)]
    if walk.broken is not None:
        leads.report(f"streams of h2c {struct.address:#x}", Absence(f"{walk.broken.address:#x}", walk.broken.reason))
    return [one for one in nodes if isinstance(one, Struct)]


def _tied(stream: Struct) -> bool:
    """Whether a stream of HAProxy's belongs to it."""
    if stream.has("cs"):
        return bool(number(stream, "cs"))
    descriptor = stream.follow("sd", "sedesc")
    return not isinstance(descriptor, Absence) and bool(number(descriptor, "sc"))


def read_h2s(space: TypedMemory, address: int, leads: Leads) -> H2Stream | Absence:
    """The ``struct h2s`` at ``address``."""
    struct = space.at("h2s", address)
    if isinstance(struct, Absence):
        return struct
    return H2Stream(
        address,
        number(struct, "h2c"),
        number(struct, "id"),
        _state(space, "h2_ss", "H2_SS_", _STREAM_STATES, number(struct, "st")),
        number(struct, "flags"),
        buffer_of(struct, "rxbuf") if struct.has("rxbuf") else Absence("h2s.rxbuf", "this build shares buffers (3.2)"),
        read_endpoint(struct, leads),
        read_subscription(struct, leads),
    )


def _state(space: TypedMemory, enumeration: str, prefix: str, letters: dict[str, str], value: int) -> str:
    return letters.get(space.enumeration(enumeration).get(value, "").removeprefix(prefix), "???")
