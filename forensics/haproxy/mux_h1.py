"""HTTP/1 connections and streams of the mux: ``struct h1c`` and ``struct h1s`` (src/mux_h1.c)."""

from __future__ import annotations

from forensics.absence import Absence
from forensics.haproxy.channel import Buffer, read_buffer
from forensics.haproxy.leads import Leads, number
from forensics.haproxy.mux_endpoint import Endpoint, read_endpoint
from forensics.haproxy.structs import Struct, TypedMemory
from forensics.haproxy.subscription import Subscription, read_subscription
from forensics.haproxy.term_events import read_events
from forensics.record import record

_NO_BUFFER = Buffer(0, 0, 0, 0, 0)


@record
class H1Stream:
    """One request and its answer; ``method`` is ``enum http_meth_t``, states of the parser without prefix."""

    address: int
    connection: int
    flags: int
    method: int
    status: int
    request_state: str
    response_state: str
    endpoint: Endpoint
    subscription: Subscription | Absence


@record
class H1Connection:
    """A connection with its buffers; ``expire`` is the tick of its ``task``."""

    address: int
    flags: int
    events: int
    input: Buffer
    output: Buffer
    task: int
    expire: int
    stream: int
    events_log: str | Absence
    glitches: int | Absence


def read_h1c(space: TypedMemory, address: int) -> H1Connection | Absence:
    """The ``struct h1c`` at ``address``."""
    struct = space.at("h1c", address)
    if isinstance(struct, Absence):
        return struct
    task = struct.follow("task", "task")
    return H1Connection(
        address,
        number(struct, "flags"),
        number(struct, "wait_event.events"),
        buffer_of(struct, "ibuf"),
        buffer_of(struct, "obuf"),
        number(struct, "task"),
        0 if isinstance(task, Absence) else number(task, "expire") & 0xFFFFFFFF,
        number(struct, "h1s"),
        read_events(struct),
        struct.number("glitches"),
    )


def read_h1s(space: TypedMemory, address: int, leads: Leads) -> H1Stream | Absence:
    """The ``struct h1s`` at ``address``."""
    struct = space.at("h1s", address)
    if isinstance(struct, Absence):
        return struct
    return H1Stream(
        address,
        number(struct, "h1c"),
        number(struct, "flags"),
        number(struct, "meth"),
        number(struct, "status"),
        _state(struct, "req.state"),
        _state(struct, "res.state"),
        read_endpoint(struct, leads),
        read_subscription(struct, leads),
    )


def buffer_of(struct: Struct, path: str, index: int = 0) -> Buffer:
    """A buffer that is a member; an empty one where this build has no such member."""
    inner = struct.inner(path, index)
    return _NO_BUFFER if isinstance(inner, Absence) else read_buffer(inner)


def _state(struct: Struct, path: str) -> str:
    """``enum h1m_state`` as h1m_state_str() prints it."""
    return struct.space.enumeration("h1m_state").get(number(struct, path), "MSG_??????").removeprefix("H1_")
