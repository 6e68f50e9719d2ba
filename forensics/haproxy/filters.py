"""The filters of a stream: ``struct strm_flt`` and ``struct filter`` (filters-t.h)."""

from __future__ import annotations

from forensics.absence import Absence
from forensics.haproxy.leads import number, text
from forensics.haproxy.structs import Struct
from forensics.haproxy.walks import Walk, iter_list
from forensics.record import record

#: STRM_FLT_FL_HAS_FILTERS.
_HAS_FILTERS = 0x1
#: Filters of one stream that are visited; a proxy has a handful.
_MOST = 100


@record
class Filter:
    """One filter; ``name`` is its id, ``before`` and ``after`` are analysers, ``calls`` are counted since 3.2."""

    address: int
    name: str
    flags: int
    before: int
    after: int
    calls: int | Absence


@record
class Filters:
    """All filters in their order; those that a direction waits for, if any."""

    all: tuple[Filter, ...] = ()
    request: Filter | None = None
    response: Filter | None = None


def read_filters(stream: Struct) -> Filters:
    """The filters of a ``struct stream``."""
    inner = stream.inner("strm_flt")
    if isinstance(inner, Absence) or not number(inner, "flags") & _HAS_FILTERS:
        return Filters()
    space, head = stream.space, inner.address_of("filters")
    layout = space.layout("filter")
    if isinstance(head, Absence) or isinstance(layout, Absence) or "list" not in layout.fields:
        return Filters()
    found = []
    for address in iter_list(space.memory, head, Walk(), _MOST):
        struct = space.at("filter", address - layout.fields["list"].offset)
        if isinstance(struct, Struct):
            found.append(_filter(struct))
    return Filters(tuple(found), _current(inner, 0), _current(inner, 1))


def _current(inner: Struct, direction: int) -> Filter | None:
    struct = inner.follow("current", "filter", direction)
    return None if isinstance(struct, Absence) else _filter(struct)


def _filter(struct: Struct) -> Filter:
    config = struct.follow("config", "flt_conf")
    name = "" if isinstance(config, Absence) else text(config, "id")
    return Filter(
        struct.address,
        name,
        number(struct, "flags"),
        number(struct, "pre_analyzers"),
        number(struct, "post_analyzers"),
        struct.number("calls"),
    )
