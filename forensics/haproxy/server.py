"""Servers: ``struct server`` (server-t.h), and the servers of a proxy."""

from __future__ import annotations

from collections.abc import Iterator

from forensics.absence import Absence
from forensics.haproxy.leads import number, text
from forensics.haproxy.obj_type import of_kind
from forensics.haproxy.object_lists import find_servers
from forensics.haproxy.sockaddr import SocketAddress, parse_address
from forensics.haproxy.structs import Struct
from forensics.haproxy.walks import Walk
from forensics.record import record

#: Servers of one proxy that are visited.
_MOST = 100_000


@record
class Server:
    """A server: ``identifier`` is its puid, ``backend`` the name of its proxy.

    ``sessions`` counts streams that have a connection or ask for one, ``served`` those that are no longer queued,
    ``queued`` those that wait for it; ``used`` and ``idle`` count connections. ``admin`` holds the flags of
    ``enum srv_admin`` as names.
    """

    address: int
    identifier: int
    name: str
    backend: str
    state: str
    admin: tuple[str, ...]
    sessions: int
    served: int
    queued: int
    used: int
    idle: int
    weight: int
    target: SocketAddress | Absence
    port: int


def read_server(struct: Struct) -> Server:
    """The server in ``struct``."""
    proxy = struct.follow("proxy", "proxy")
    value = number(struct, "cur_state")
    state = struct.space.enumeration("srv_state").get(value, str(value)).removeprefix("SRV_ST_").lower()
    return Server(
        struct.address,
        number(struct, "puid"),
        text(struct, "id"),
        "" if isinstance(proxy, Absence) else text(proxy, "id"),
        state,
        _admin(struct),
        number(struct, "cur_sess"),
        number(struct, "served"),
        number(struct, "queueslength", "queue.length", "nbpend"),
        number(struct, "curr_used_conns"),
        number(struct, "curr_idle_conns"),
        number(struct, "uweight"),
        _target(struct),
        number(struct, "svc_port"),
    )


def _admin(struct: Struct) -> tuple[str, ...]:
    value, names = number(struct, "cur_admin"), struct.space.enumeration("srv_admin")
    single = {bit: name for bit, name in names.items() if bit and not bit & (bit - 1)}
    return tuple(
        single.get(1 << bit, f"{1 << bit:#x}").removeprefix("SRV_ADMF_") for bit in range(8) if value >> bit & 1
    )


def _target(struct: Struct) -> SocketAddress | Absence:
    field = struct.field("addr")
    if isinstance(field, Absence):
        return field
    return parse_address(struct.data[field.offset : field.offset + max(field.size, 28)].ljust(28, b"\0"))


def iter_servers(proxy: Struct, walk: Walk) -> Iterator[Server]:
    """The servers of a proxy, as long as what comes says of itself that it is one."""
    for server in of_kind(find_servers(proxy, walk, _MOST), "SERVER", walk):
        yield read_server(server)
