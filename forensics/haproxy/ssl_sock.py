"""What the TLS transport knows of a connection: ``struct ssl_sock_ctx`` (ssl_sock-t.h). Its keys are not read."""

from __future__ import annotations

from forensics.absence import Absence
from forensics.haproxy.leads import Leads, number, text
from forensics.haproxy.structs import TypedMemory
from forensics.haproxy.subscription import Subscription, read_subscription
from forensics.record import record


@record
class SslSock:
    """``state`` of the transport, ``error`` of the TLS library (2.5), the transport below, and early data in bytes."""

    connection: int
    state: int
    error: int | Absence
    transport: str
    transport_context: int
    events: int
    subscription: Subscription | Absence
    early_sent: int
    early_received: int


def read_ssl_sock(space: TypedMemory, address: int, leads: Leads) -> SslSock | Absence:
    """The ``struct ssl_sock_ctx`` at ``address``."""
    struct = space.at("ssl_sock_ctx", address)
    if isinstance(struct, Absence):
        return struct
    below = leads.follow(struct, "xprt", "xprt_ops")
    return SslSock(
        number(struct, "conn"),
        number(struct, "xprt_st"),
        struct.number("error_code"),
        "" if isinstance(below, Absence) else text(below, "name", 8),
        number(struct, "xprt_ctx"),
        number(struct, "wait_event.events"),
        read_subscription(struct, leads),
        number(struct, "sent_early_data"),
        number(struct, "early_buf.data"),
    )
