"""Where events and traces go: list ``sink_list`` of struct sink (sink-t.h), and the log of how the process started."""

from __future__ import annotations

from collections.abc import Iterator

from forensics.absence import Absence
from forensics.haproxy.ring import Ring, read_ring
from forensics.haproxy.structs import Struct, TypedMemory
from forensics.haproxy.walks import Walk, iter_list
from forensics.record import record
from forensics.symbols.layout import Layout

#: Sinks are HAProxy's own and those of the configuration: some ten.
_MOST = 10_000
#: Without a layout each costs a search.
_MOST_UNKNOWN = 64
#: Where a sink has its name, and bytes of it that are searched for its ring; those of 2.2 to 3.0 have some 120.
_NAME, _END = 16, 160
#: The smallest ring that is believed without a layout, in bytes.
_SMALLEST = 1024
#: enum sink_type: not yet set up, to a file descriptor, in memory.
KINDS = ("init", "fd", "buffer")


@record
class Sink:
    """One sink: ``kind`` of ``KINDS``, how many events it ``dropped``, and its ring's address (0: it has none).

    Without the build's layout nobody knows how many were dropped, and ``kind`` is "" where no ring was found.
    """

    name: str
    description: str
    kind: str
    dropped: int | Absence
    ring: int


def iter_sinks(space: TypedMemory, walk: Walk) -> Iterator[Sink | Absence]:
    """All sinks, in the order of the list."""
    head, layout = space.variable("sink_list"), space.layout("sink")
    if isinstance(head, Absence):
        yield Absence("sinks", head.reason, head.remedy)
        return
    link = layout.fields.get("sink_list") if isinstance(layout, Layout) else None
    for address in iter_list(space.memory, head, walk, _MOST if link else _MOST_UNKNOWN):
        # The link is the first member in all releases.
        sink = space.at("sink", address - (link.offset if link else 0))
        yield _sink(sink) if isinstance(sink, Struct) else _by_content(space, address)


def _by_content(space: TypedMemory, address: int) -> Sink | Absence:
    """A sink without its layout: name and description follow the link, and one of the words behind leads to a ring.

    So in 2.2 to 3.4; that a word leads to a ring is proven by the ring's content.
    """
    words = [space.memory.word(address + at) for at in range(_NAME, _END, 8)]
    name, description = (space.text(one, 256) if isinstance(one, int) else one for one in words[:2])
    if not isinstance(name, str) or not isinstance(description, str) or not name.isprintable():
        return Absence(f"sink at {address:#x}", "it has no shape that is known", "the debug symbols of this build")
    rings = (word for word in words[2:] if isinstance(word, int) and word and not word & 7)
    ring = next((word for word in rings if _is_ring(space, word)), 0)
    return Sink(name, description, KINDS[2] if ring else "", Absence("dropped", "the layout is not known"), ring)


def _is_ring(space: TypedMemory, address: int) -> bool:
    found = read_ring(space, address)
    return isinstance(found, Ring) and found.size >= _SMALLEST


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
