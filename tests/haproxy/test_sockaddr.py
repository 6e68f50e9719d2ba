"""Addresses of sockets as the kernel lays them out."""

from __future__ import annotations

import socket

import pytest

from forensics.haproxy.sockaddr import SocketAddress, parse_address

V4 = socket.AF_INET.to_bytes(2, "little") + (8080).to_bytes(2, "big") + bytes([192, 0, 2, 7])
V6 = (
    socket.AF_INET6.to_bytes(2, "little") + (443).to_bytes(2, "big") + bytes(4)
    + socket.inet_pton(socket.AF_INET6, "2001:db8::1")
)  # fmt: skip
UNIX = socket.AF_UNIX.to_bytes(2, "little")


@pytest.mark.parametrize(
    ("data", "address"),
    [
        (V4, SocketAddress("ipv4", "192.0.2.7", 8080)),
        (V6, SocketAddress("ipv6", "2001:db8::1", 443)),
        (UNIX + b"/run/web\0rest", SocketAddress("unix", "/run/web", 0)),
        (UNIX + b"\0hidden\0", SocketAddress("unix", "@hidden", 0)),
        (UNIX, SocketAddress("unix", "", 0)),
        (b"\xff\xff", SocketAddress("", "", 0)),
        (b"", SocketAddress("", "", 0)),
    ],
)
def test_addresses_of_every_family(data: bytes, address: SocketAddress) -> None:
    assert parse_address(data.ljust(110, b"\0")) == address
