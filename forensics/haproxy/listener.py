"""Listeners: ``struct listener`` (listener-t.h), since 2.3 with their socket in ``struct receiver``."""

from __future__ import annotations

from forensics.absence import Absence
from forensics.haproxy.leads import Leads, number, text
from forensics.haproxy.sockaddr import SocketAddress, parse_address
from forensics.haproxy.structs import Struct
from forensics.record import record

#: As listener_state_str() prints them.
_STATES = {"READY": "RDY"}


@record
class Listener:
    """A listening socket: ``identifier`` is its luid, ``state`` three letters, ``connections`` those it has now."""

    address: int
    identifier: int
    name: str
    state: str
    protocol: str
    fd: int
    connections: int
    frontend: str
    bound: SocketAddress | Absence


def read_listener(struct: Struct, leads: Leads) -> Listener:
    """The listener in ``struct``."""
    protocol = leads.follow(struct, "rx.proto" if struct.has("rx.proto") else "proto", "protocol")
    bind = leads.follow(struct, "bind_conf", "bind_conf")
    frontend = bind if isinstance(bind, Absence) else leads.follow(bind, "frontend", "proxy")
    return Listener(
        struct.address,
        number(struct, "luid"),
        text(struct, "name"),
        _state(struct),
        "" if isinstance(protocol, Absence) else text(protocol, "name"),
        number(struct, "rx.fd", "fd"),
        number(struct, "nbconn"),
        "" if isinstance(frontend, Absence) else text(frontend, "id"),
        _bound(struct),
    )


def _state(struct: Struct) -> str:
    value = number(struct, "state")
    name = struct.space.enumeration("li_state").get(value, "").removeprefix("LI_")
    return _STATES.get(name, name[:3]) or (f"{value}" if not struct.space.enumeration("li_state") else "INVALID")


def _bound(struct: Struct) -> SocketAddress | Absence:
    path = struct.first("rx.addr", "addr")
    field = path if isinstance(path, Absence) else struct.field(path)
    if isinstance(field, Absence):
        return field
    data = struct.data[field.offset : field.offset + field.size]
    return parse_address(data) if len(data) >= 28 else Absence("listener.addr", "the structure ends before")
