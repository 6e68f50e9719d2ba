"""Addresses of sockets: ``struct sockaddr_storage``, as the kernel's headers lay it out."""

from __future__ import annotations

from forensics.absence import Absence
from forensics.haproxy.structs import TypedMemory
from forensics.record import record

_UNIX, _INET, _INET6 = 1, 2, 10
#: What HAProxy itself calls sockets of abstract names, and those without a name (3.1; seen with 3.2.26 and 3.4.7).
_ABSTRACT = 51
#: The longest form: struct sockaddr_un.
_SIZE = 110


@record
class SocketAddress:
    """``family`` is ``ipv4``, ``ipv6``, ``unix`` or "" for any other; ``host`` an address or a path."""

    family: str
    host: str
    port: int


def read_address(space: TypedMemory, address: int) -> SocketAddress | Absence:
    """The address that stands at ``address``."""
    if not address:
        return Absence("socket address", "HAProxy did not ask the kernel for it (the pointer is NULL)")
    data = space.memory.read(address, _SIZE)
    if isinstance(data, Absence):
        data = space.memory.read(address, 28)
    return data if isinstance(data, Absence) else parse_address(data)


def parse_address(data: bytes) -> SocketAddress:
    """The address in these bytes, at least 28 of them."""
    family = int.from_bytes(data[:2], "little")
    port = int.from_bytes(data[2:4], "big")
    if family == _INET:
        return SocketAddress("ipv4", ".".join(map(str, data[4:8])), port)
    if family == _INET6:
        from ipaddress import IPv6Address

        return SocketAddress("ipv6", str(IPv6Address(data[8:24])), port)
    if family in (_UNIX, _ABSTRACT):
        # An abstract name begins with a NUL.
        path = data[3:].split(b"\0", 1)[0] if data[2:3] == b"\0" else data[2:].split(b"\0", 1)[0]
        return SocketAddress("unix", ("@" if data[2:3] == b"\0" and path else "") + path.decode("utf-8", "replace"), 0)
    return SocketAddress("", "", 0)
