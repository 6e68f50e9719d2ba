"""The two sides of a stream.

``struct stconn`` with its ``sedesc`` since 2.6 (stconn-t.h), before that ``struct stream_interface`` with its
``conn_stream`` (stream_interface-t.h, connection-t.h).
"""

from __future__ import annotations

from forensics.absence import Absence
from forensics.haproxy.appctx import Appctx, read_appctx
from forensics.haproxy.channel import Buffer, read_buffer
from forensics.haproxy.clock import Moment
from forensics.haproxy.connection import Connection, read_connection
from forensics.haproxy.leads import Leads, number, text
from forensics.haproxy.obj_type import read_object
from forensics.haproxy.structs import Struct
from forensics.haproxy.term_events import read_events
from forensics.record import record

#: What a stream endpoint is (SE_FL_T_MUX, SE_FL_T_APPLET; the same since 2.6).
_MUX, _APPLET = 0x1, 0x2
_NO_SEDESC = Absence("sedesc", "up to 2.5 there is a conn_stream instead")


@record
class Iobuf:
    """What the other side forwarded without its buffer (``struct iobuf``, 2.9): ``pipe`` is bytes in a kernel pipe."""

    flags: int
    pipe: int
    buffer: Buffer


@record
class Side:
    """One side of a stream.

    ``state`` is its name without prefix (``EST``), ``events`` what it waits for. ``endpoint`` says what it is tied
    to: CONN, APPCTX or NONE since 2.6, the type of the object before that; ``endpoint_flags`` are those of the
    ``sedesc`` or of the ``conn_stream``. ``received`` and ``sent`` are bytes (3.3), the logs are those of
    term_events (3.2). Ticks and timeouts (ms) that the build does not have are absent.
    """

    address: int
    state: str
    state_value: int
    flags: int
    events: int
    endpoint: str
    endpoint_address: int
    endpoint_flags: int
    connection: Connection | Absence
    appctx: Appctx | Absence
    data_layer: str
    mux_context: int
    expire: int | Absence
    error_type: int | Absence
    timeout: int | Absence
    last_read: int | Absence
    first_blocked: int | Absence
    iobuf: Iobuf | Absence
    received: int | Absence
    sent: int | Absence
    events_log: str | Absence
    endpoint_events: str | Absence


def read_stconn(struct: Struct, moment: Moment, leads: Leads) -> Side:
    """The side in a ``struct stconn``."""
    descriptor = leads.follow(struct, "sedesc", "sedesc")
    flags = 0 if isinstance(descriptor, Absence) else number(descriptor, "flags")
    endpoint = "CONN" if flags & _MUX else "APPCTX" if flags & _APPLET else "NONE"
    operations = leads.follow(struct, "app_ops", "sc_app_ops")
    value = number(struct, "state")
    return Side(
        struct.address,
        struct.space.enumeration("sc_state").get(value, str(value)).removeprefix("SC_ST_"),
        value,
        number(struct, "flags"),
        number(struct, "wait_event.events"),
        endpoint,
        0 if isinstance(descriptor, Absence) else number(descriptor, "se"),
        flags,
        _connection(descriptor, endpoint, leads),
        _appctx(descriptor, endpoint, moment, leads),
        _layer(struct, operations),
        0,
        _NO_SEDESC,
        _NO_SEDESC,
        struct.number("ioto"),
        _NO_SEDESC if isinstance(descriptor, Absence) else descriptor.number("lra"),
        _NO_SEDESC if isinstance(descriptor, Absence) else descriptor.number("fsb"),
        _iobuf(descriptor),
        struct.number("bytes_in"),
        struct.number("bytes_out"),
        read_events(struct),
        _NO_SEDESC if isinstance(descriptor, Absence) else read_events(descriptor),
    )


def _layer(struct: Struct, operations: Struct | Absence) -> str:
    """The name of the layer above; "" where sides have none (3.4)."""
    if not struct.has("app_ops"):
        return ""
    if isinstance(operations, Absence):
        return "?" if number(struct, "app_ops") else "NONE"
    return text(operations, "name", 8)


def _connection(descriptor: Struct | Absence, endpoint: str, leads: Leads) -> Connection | Absence:
    if isinstance(descriptor, Absence) or endpoint != "CONN":
        return Absence("connection", "this side has none")
    found = leads.follow(descriptor, "conn", "connection")
    return found if isinstance(found, Absence) else read_connection(found, leads)


def _appctx(descriptor: Struct | Absence, endpoint: str, moment: Moment, leads: Leads) -> Appctx | Absence:
    if isinstance(descriptor, Absence) or endpoint != "APPCTX":
        return Absence("appctx", "this side has none")
    found = leads.follow(descriptor, "se", "appctx")
    return found if isinstance(found, Absence) else read_appctx(found, moment, leads)


def _iobuf(descriptor: Struct | Absence) -> Iobuf | Absence:
    iobuf = _NO_SEDESC if isinstance(descriptor, Absence) else descriptor.inner("iobuf")
    if isinstance(iobuf, Absence):
        return iobuf
    buffer, pipe = iobuf.follow("buf", "buffer"), iobuf.follow("pipe", "pipe")
    return Iobuf(
        number(iobuf, "flags"),
        0 if isinstance(pipe, Absence) else number(pipe, "data"),
        Buffer(0, 0, 0, 0, 0) if isinstance(buffer, Absence) else read_buffer(buffer),
    )


def read_stream_interface(struct: Struct, moment: Moment, leads: Leads) -> Side:
    """The side in a ``struct stream_interface`` (up to 2.5)."""
    space = struct.space
    end = read_object(space, number(struct, "end"))
    tied, applet = end.struct(space, "CS"), end.struct(space, "APPCTX")
    value = number(struct, "state")
    connection = tied if isinstance(tied, Absence) else leads.follow(tied, "conn", "connection")
    layer = tied if isinstance(tied, Absence) else leads.follow(tied, "data_cb", "data_cb")
    return Side(
        struct.address,
        space.enumeration("si_state").get(value, str(value)).removeprefix("SI_ST_"),
        value,
        number(struct, "flags"),
        number(struct, "wait_event.events"),
        end.kind or "!INVAL!",
        end.address,
        0 if isinstance(tied, Absence) else number(tied, "flags"),
        connection if isinstance(connection, Absence) else read_connection(connection, leads),
        applet if isinstance(applet, Absence) else read_appctx(applet, moment, leads),
        "NONE" if isinstance(layer, Absence) else text(layer, "name", 8),
        0 if isinstance(tied, Absence) else number(tied, "ctx"),
        struct.number("exp"),
        struct.number("err_type"),
        *([_NO_SEDESC] * 8),
    )
