"""What `show sess all` adds to HAProxy's lines: flags by name, the last rule, who woke the task, the request."""

from __future__ import annotations

from collections.abc import Iterator

from forensics.absence import Absence
from forensics.haproxy.channel import Channel
from forensics.haproxy.flags import Branch, named_bits, names_of
from forensics.haproxy.rule import Rule
from forensics.haproxy.stconn import Side
from forensics.haproxy.stream import Stream
from forensics.haproxy.structs import TypedMemory
from forensics.show.secrets import Secrets


def flag_lines(stream: Stream, space: TypedMemory, secrets: Secrets, branch: Branch | None) -> Iterator[str]:
    """The lines; each begins with ``  + ``."""
    for name, names in words_of(stream, space, branch).items():
        yield f"  + {name}: {' '.join(names)}"
    if isinstance(stream.last_rule, Rule):
        rule = stream.last_rule
        place = f" {rule.file}:{rule.line}" if rule.file else ""
        yield f"  + last {rule.kind}:{f' {rule.keyword}' if rule.keyword else ''}{place}"
    if not isinstance(stream.task, Absence) and stream.task.waker:
        yield f"  + task last woken by: {stream.task.waker}"
    if not isinstance(stream.transaction, Absence) and stream.transaction.uri:
        yield f"  + request: {secrets.text('uri', stream.transaction.uri)}"
    if stream.unique_id:
        yield f"  + unique id: {secrets.text('id', stream.unique_id)}"


def words_of(stream: Stream, space: TypedMemory, branch: Branch | None) -> dict[str, tuple[str, ...]]:
    """The flag words of a stream by name, those with names only."""
    found = {"stream flags": names_of("SF", stream.flags, branch)}
    if isinstance(stream.connect_error, int):
        found["connection error"] = names_of("ET", stream.connect_error, branch)
    if isinstance(stream.events_log, str) and stream.events_log:
        found["termination events"] = (stream.events_log,)
    if not isinstance(stream.task, Absence):
        found["task state"] = names_of("TASK", stream.task.state, branch)
    if not isinstance(stream.transaction, Absence):
        found["txn flags"] = names_of("TX", stream.transaction.flags, branch)
    for name, side in (("front", stream.front), ("back", stream.back)):
        if isinstance(side, Side):
            found |= _side(name, side, space, branch)
    for name, channel in (("req", stream.request), ("res", stream.response)):
        if isinstance(channel, Channel):
            found[f"{name} flags"] = names_of("CF", channel.flags, branch)
            found[f"{name} analysers"] = names_of("AN", channel.analysers, branch)
    return {name: names for name, names in found.items() if names}


def _side(name: str, side: Side, space: TypedMemory, branch: Branch | None) -> dict[str, tuple[str, ...]]:
    found = {}
    if isinstance(side.expire, int):
        found[f"{name} flags"] = names_of("SI_FL", side.flags, branch)
        found[f"{name} conn_stream flags"] = names_of("CS_FL", side.endpoint_flags, branch)
    else:
        found[f"{name} flags"] = named_bits(space.enumeration("sc_flags"), side.flags, "SC_FL_")
        found[f"{name} endpoint flags"] = named_bits(space.enumeration("se_flags"), side.endpoint_flags, "SE_FL_")
    if not isinstance(side.connection, Absence):
        found[f"{name} connection flags"] = names_of("CO_FL", side.connection.flags, branch)
    logs = [one for one in (side.events_log, side.endpoint_events) if isinstance(one, str) and one]
    if logs:
        found[f"{name} termination events"] = tuple(logs)
    return found
