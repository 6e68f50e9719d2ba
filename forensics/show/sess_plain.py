"""Streams for JSON."""

from __future__ import annotations

from forensics.absence import Absence
from forensics.haproxy.channel import Channel
from forensics.haproxy.flags import Branch
from forensics.haproxy.rule import Rule
from forensics.haproxy.sockaddr import SocketAddress
from forensics.haproxy.stconn import Side
from forensics.haproxy.stream import Stream
from forensics.haproxy.structs import TypedMemory
from forensics.show.secrets import Secrets
from forensics.show.sess_flags import words_of


def plain(stream: Stream, space: TypedMemory, secrets: Secrets, branch: Branch | None) -> dict[str, object]:
    """One stream; addresses in memory as numbers, what could not be read as null."""
    task, transaction, source = stream.task, stream.transaction, stream.source
    return {
        "address": stream.address,
        "id": stream.identifier,
        "flags": stream.flags,
        "age": stream.age,
        "accepted": stream.accepted[0],
        "frontend": None if isinstance(stream.frontend, Absence) else stream.frontend.name,
        "backend": None if isinstance(stream.backend, Absence) else stream.backend.name,
        "server": None if isinstance(stream.server, Absence) else stream.server.name,
        "listener": None if isinstance(stream.listener, Absence) else stream.listener.name,
        "source": None if isinstance(source, Absence) else _address(source.source, secrets),
        "retries": stream.retries,
        "queued": bool(stream.queue_place),
        "task": None if isinstance(task, Absence) else {
            "address": task.address, "state": task.state, "calls": task.calls, "expire": task.expire,
            "queued": task.queued, "woken_by": task.waker,
        },
        "transaction": None if isinstance(transaction, Absence) else {
            "address": transaction.address, "flags": transaction.flags, "status": transaction.status,
            "request": transaction.request_state, "response": transaction.response_state,
            "uri": secrets.text("uri", transaction.uri),
        },
        "front": _side(stream.front, secrets),
        "back": _side(stream.back, secrets),
        "req": _channel(stream.request),
        "res": _channel(stream.response),
        "current_rule": _rule(stream.rule),
        "last_rule": _rule(stream.last_rule),
        "unique_id": secrets.text("id", stream.unique_id),
        "names": {name: list(names) for name, names in words_of(stream, space, branch).items()},
    }  # fmt: skip


def _address(address: SocketAddress | Absence, secrets: Secrets) -> dict[str, object] | None:
    if isinstance(address, Absence):
        return None
    return {"family": address.family, "host": secrets.host(address), "port": address.port}


def _side(side: Side | Absence, secrets: Secrets) -> dict[str, object] | None:
    if isinstance(side, Absence):
        return None
    connection, appctx = side.connection, side.appctx
    return {
        "address": side.address,
        "state": side.state,
        "flags": side.flags,
        "endpoint": side.endpoint,
        "endpoint_flags": side.endpoint_flags,
        "connection": None if isinstance(connection, Absence) else {
            "address": connection.address, "flags": connection.flags, "fd": connection.fd, "mux": connection.mux,
            "transport": connection.transport, "target": connection.target.kind,
            "source": _address(connection.source, secrets), "destination": _address(connection.destination, secrets),
        },
        "applet": None if isinstance(appctx, Absence) else {
            "address": appctx.address, "name": appctx.applet, "st0": appctx.st0, "st1": appctx.st1,
        },
    }  # fmt: skip


def _channel(channel: Channel | Absence) -> dict[str, object] | None:
    if isinstance(channel, Absence):
        return None
    return {
        "flags": channel.flags, "analysers": channel.analysers, "input": channel.input, "output": channel.output,
        "to_forward": channel.to_forward, "total": channel.total if isinstance(channel.total, int) else None,
    }  # fmt: skip


def _rule(rule: Rule | Absence) -> dict[str, object] | None:
    return None if isinstance(rule, Absence) else {"kind": rule.kind, "keyword": rule.keyword, "file": rule.file,
                                                   "line": rule.line}  # fmt: skip
