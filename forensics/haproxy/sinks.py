"""Where events and traces go: list ``sink_list`` of struct sink (sink-t.h), and the log of how the process started."""

from __future__ import annotations

from collections.abc import Iterator

from forensics.absence import Absence
from forensics.haproxy.ring import Ring, read_ring
from forensics.haproxy.structs import Struct, TypedMemory
from forensics.haproxy.walks import Walk, iter_list
from forensics.record import record

#: Sinks are HAProxy's own and those of the configuration: some ten.
_MOST = 10_000
#: enum sink_type: not yet set up, to a file descriptor, in memory.
KINDS = ("init", "fd", "buffer")


@record
class Sink:
    """One sink: ``kind`` of ``KINDS``, how many events it ``dropped``, and its ring's address (0: it has none)."""

    name: str
    description: str
    kind: str
    dropped: int
    ring: int


def iter_sinks(space: TypedMemory, walk: Walk) -> Iterator[Sink | Absence]:
    """All sinks, in the order of the list."""
    head, layout = space.variable("sink_list"), space.layout("sink")
    if isinstance(head, Absence):
        yield head
        return
    if isinstance(layout, Absence):
        yield layout
        return
    link = layout.fields.get("sink_list")
    if link is None:
        yield Absence("sinks", "struct sink has no member sink_list")
        return
    for address in iter_list(space.memory, head, walk, _MOST):
        sink = space.at("sink", address - link.offset)
        yield sink if isinstance(sink, Absence) else _sink(sink)


def _sink(sink: Struct) -> Sink | Absence:
    kind, dropped, ring = (sink.number(path) for path in ("type", "ctx.dropped", "ctx.ring"))
    if isinstance(kind, Absence) or isinstance(dropped, Absence) or isinstance(ring, Absence):
        return Absence(f"sink at {sink.address:#x}", "struct sink of this build has other members")
    name, description = sink.text("name", 256), sink.text("desc", 256)
    if isinstance(name, Absence):
        return Absence(f"sink at {sink.address:#x}", f"its name cannot be read: {name.reason}", name.remedy)
    described = description if isinstance(description, str) else ""
    return Sink(name, described, KINDS[kind] if kind < len(KINDS) else "?", dropped, ring)


def read_startup_logs(space: TypedMemory) -> Ring | Absence:
    """What the process said while it started (``startup_logs``, static up to 2.6; src/errors.c, before src/log.c)."""
    target = space.word("startup_logs")
    if isinstance(target, Absence):
        return Absence("startup logs", target.reason, target.remedy)
    return read_ring(space, target) if target else Absence("startup logs", "the process said nothing while it started")
