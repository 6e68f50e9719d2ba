"""The HTTP transaction of a stream: ``struct http_txn`` (http_ana-t.h)."""

from __future__ import annotations

from forensics.absence import Absence
from forensics.haproxy.leads import number, text
from forensics.haproxy.structs import Struct
from forensics.record import record

#: ``enum http_meth_t`` (http-t.h), the same from 2.2 to 3.0.
METHODS = ("OPTIONS", "GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "CONNECT", "OTHER")


@record
class Transaction:
    """``method`` and ``status`` as numbers (-1: no answer yet); states of messages without prefix (``MSG_DONE``).

    ``uri`` is the first line of the request, kept for logs only ("" where it is not).
    """

    address: int
    flags: int
    method: int
    status: int
    request_state: str
    response_state: str
    request_flags: int
    response_flags: int
    uri: str


def read_transaction(struct: Struct) -> Transaction:
    """The transaction in ``struct``."""
    return Transaction(
        struct.address,
        number(struct, "flags"),
        number(struct, "meth"),
        number(struct, "status"),
        message_state(struct, "req.msg_state"),
        message_state(struct, "rsp.msg_state"),
        number(struct, "req.flags"),
        number(struct, "rsp.flags"),
        text(struct, "uri", 8192),
    )


def message_state(struct: Struct, path: str) -> str:
    """An ``enum h1_state`` as h1_msg_state_str() prints it; its number where the enumeration is not known."""
    value = struct.number(path)
    if isinstance(value, Absence):
        return "MSG_??????"
    names = struct.space.enumeration("h1_state")
    return names.get(value, "MSG_??????").removeprefix("HTTP_") if names else str(value)
