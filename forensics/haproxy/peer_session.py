"""The session that a peer talks through: its applet, the connection behind it, and where it goes to."""

from __future__ import annotations

from forensics.absence import Absence
from forensics.haproxy.leads import number, text
from forensics.haproxy.obj_type import type_name
from forensics.haproxy.sockaddr import SocketAddress, read_address
from forensics.haproxy.structs import Struct, TypedMemory
from forensics.record import record

#: Members of struct appctx and what they lead to, newest first: ``sedesc->sc`` (2.6), ``owner`` (a conn_stream in
#: 2.4-dev to 2.5, a stream_interface before).
_SIDES = ("scf", "csf"), ("scb", "csb")
#: SC_ST_* and SI_ST_* by number (stconn-t.h, stream_interface-t.h), where they are not declared.
_STATES = ("INI", "REQ", "QUE", "TAR", "ASS", "CON", "CER", "RDY", "EST", "DIS", "CLO")


@record
class PeerSession:
    """One session.

    ``calls`` are those of the applet's task; ``state`` is that of the other side (``EST``), "" where the build does not
    tell; ``transport`` the name of the connection's (``RAW``), "" for a session that goes out.
    """

    address: int
    st0: int
    st1: int
    calls: int
    state: str
    transport: str
    source: tuple[str, int]
    destination: tuple[str, int]


def read_session(space: TypedMemory, peer: Struct) -> PeerSession | Absence:
    """The session of a ``struct peer``; an Absence where it has none."""
    appctx = peer.follow("appctx", "appctx")
    if isinstance(appctx, Absence):
        return appctx
    task = appctx.follow("t", "task")
    side = _side(appctx)
    stream = _stream(side) if isinstance(side, Struct) else side
    connection = _connection(stream) if isinstance(stream, Struct) else stream
    known = isinstance(connection, Struct)
    return PeerSession(
        address=appctx.address,
        st0=number(appctx, "st0"),
        st1=number(appctx, "st1"),
        calls=number(task, "calls") if isinstance(task, Struct) else 0,
        state=_state(stream, side) if isinstance(stream, Struct) and isinstance(side, Struct) else "",
        transport=_transport(connection) if isinstance(connection, Struct) else "",
        source=_address_behind(space, connection, "src") if known and isinstance(connection, Struct) else ("", 0),
        destination=_address_behind(space, connection, "dst") if known and isinstance(connection, Struct) else ("", 0),
    )


def _side(appctx: Struct) -> Struct | Absence:
    """The applet's side of the stream: a stconn since 2.6, a stream interface before."""
    descriptor = appctx.first("sedesc", "endp")
    if isinstance(descriptor, str):
        end = appctx.follow(descriptor)
        member = end.first("sc", "cs") if isinstance(end, Struct) else end
        return end.follow(member) if isinstance(end, Struct) and isinstance(member, str) else _none()
    return appctx.follow("owner", "stream_interface")


def _none() -> Absence:
    return Absence("session of the peer", "the structures of this build lead to none")


def _stream(side: Struct) -> Struct | Absence:
    """The stream: what ``app`` leads to is its member ``obj_type``; a stream interface lies within it."""
    space = side.space
    layout = space.layout("stream")
    if isinstance(layout, Absence):
        return layout
    if side.layout.name == "stream_interface":
        member = layout.fields.get("si")
        index = 1 if number(side, "flags") & 0x10 else 0  # SI_FL_ISBACK (stream_interface-t.h)
        if member is None:
            return _none()
        return space.at("stream", side.address - member.offset - index * member.size)
    app, kind = side.number("app"), layout.fields.get("obj_type")
    if not isinstance(app, int) or not app or kind is None:
        return _none()
    return space.at("stream", app - kind.offset)


def _state(stream: Struct, side: Struct) -> str:
    """The state of the opposite side, as its enumeration calls it without the prefix."""
    if side.layout.name == "stream_interface":
        both = [stream.inner("si", index) for index in range(2)]
        names = stream.space.enumeration("si_state")
    else:
        both = [stream.follow(name) for names in _SIDES if isinstance(name := stream.first(*names), str)]
        names = stream.space.enumeration("sc_state") or stream.space.enumeration("cs_state")
    other = next((one for one in both if isinstance(one, Struct) and one.address != side.address), None)
    if other is None:
        return ""
    names = names or dict(enumerate(_STATES))
    return names.get(number(other, "state"), "").split("_ST_", 1)[-1]


def _connection(stream: Struct) -> Struct | Absence:
    """What the session came from, if it is a connection (strm_orig())."""
    session = stream.follow("sess", "session")
    origin = session.follow("origin", "connection") if isinstance(session, Struct) else session
    if isinstance(origin, Absence):
        return origin
    return origin if type_name(stream.space, number(origin, "obj_type")) == "CONN" else _none()


def _transport(connection: Struct) -> str:
    operations = connection.follow("xprt", "xprt_ops")
    return text(operations, "name", 16).rstrip() if isinstance(operations, Struct) else ""


def _address_behind(space: TypedMemory, one: Struct, path: str) -> tuple[str, int]:
    """Address and port that a pointer to a ``struct sockaddr_storage`` leads to; ("", 0) for none."""
    return _shown(read_address(space, number(one, path)))


def _shown(found: SocketAddress | Absence) -> tuple[str, int]:
    """As the command shows it: of a Unix socket only that it is one."""
    if isinstance(found, Absence):
        return "", 0
    return ("unix", 0) if found.family == "unix" else (found.host, found.port)


def peer_address(space: TypedMemory, peer: Struct) -> tuple[str, int]:
    """Where a peer is reached: its server's address and port (3.0), its own ``addr`` before."""
    own = peer.address_of("addr")
    if isinstance(own, int):
        return _shown(read_address(space, own))
    server = peer.follow("srv", "server")
    if isinstance(server, Absence):
        return "", 0
    place = server.address_of("addr")
    return _shown(read_address(space, place if isinstance(place, int) else 0))[0], number(server, "svc_port")
