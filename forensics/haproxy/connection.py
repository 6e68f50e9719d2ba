"""Connections: ``struct connection`` (connection-t.h), the side of a stream or of a descriptor that is a socket."""

from __future__ import annotations

from forensics.absence import Absence
from forensics.haproxy.leads import Leads, number, text
from forensics.haproxy.obj_type import Object, read_object
from forensics.haproxy.sockaddr import SocketAddress, read_address
from forensics.haproxy.structs import Struct
from forensics.record import record

#: Flags of connections that decide what else can be said; the same from 2.2 (CTRL_READY), 2.5 (FDLESS) to 3.0.
CONTROL_READY, WITHOUT_FD = 0x00000100, 0x00200000


@record
class Connection:
    """A connection; ``control``, ``transport`` and ``mux`` are the names of its layers, "" for one that is not set.

    ``source`` and ``destination`` are absent until HAProxy needed them: it asks the kernel for them late.
    """

    address: int
    flags: int
    error: int
    control: str
    transport: str
    mux: str
    transport_context: int
    context: int
    target: Object
    handle: int
    source: SocketAddress | Absence
    destination: SocketAddress | Absence

    @property
    def fd(self) -> int:
        """The descriptor, -1 where there is none (conn_fd)."""
        return self.handle if self.flags & CONTROL_READY and not self.flags & WITHOUT_FD else -1

    @property
    def back(self) -> bool:
        """Whether it leads to a server: what a listener took does not (conn_is_back)."""
        return self.target.kind != "LISTENER"


def read_connection(struct: Struct, leads: Leads) -> Connection:
    """The connection in ``struct``."""
    space = struct.space
    handle = number(struct, "handle.fd")
    return Connection(
        struct.address,
        number(struct, "flags"),
        number(struct, "err_code"),
        _name(struct, "ctrl", "protocol", leads),
        _name(struct, "xprt", "xprt_ops", leads),
        _name(struct, "mux", "mux_ops", leads),
        number(struct, "xprt_ctx"),
        number(struct, "ctx"),
        read_object(space, number(struct, "target")),
        handle,
        read_address(space, number(struct, "src")),
        read_address(space, number(struct, "dst")),
    )


def _name(struct: Struct, path: str, target: str, leads: Leads) -> str:
    """The name of a layer: "" where the pointer is NULL."""
    found = leads.follow(struct, path, target)
    return "" if isinstance(found, Absence) else text(found, "name", 32)
