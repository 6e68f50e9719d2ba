"""HAProxy's lists of its own objects, whatever their shape in a release: proxies, servers, listeners, peers, tables.

What comes is what the links lead to: whether it says of itself that it is of that kind is for the reader to check.
"""

from __future__ import annotations

from collections.abc import Iterator

from forensics.absence import Absence
from forensics.haproxy.chains import chained, listed
from forensics.haproxy.leads import number
from forensics.haproxy.structs import Struct, TypedMemory
from forensics.haproxy.walks import MOST, Walk

#: Threads whose lists of streams are looked for if their number is not known.
_MOST_THREADS = 4096


def find_proxies(space: TypedMemory, walk: Walk, most: int = MOST) -> Iterator[Struct] | Absence:
    """All proxies: the list ``main_proxies`` since 3.5-dev4, a chain from ``proxies_list`` before that."""
    layout, head = space.layout("proxy"), space.variable("main_proxies")
    if isinstance(layout, Absence):
        return layout
    if isinstance(head, int) and "el" in layout.fields:
        return listed(space, "proxy", head, walk, most, "el")
    first = space.word("proxies_list")
    return first if isinstance(first, Absence) else chained(space, "proxy", first, walk, most)


def find_servers(proxy: Struct, walk: Walk, most: int = MOST) -> Iterator[Struct] | Absence:
    """The servers of a proxy: the list ``servers`` since 3.5-dev4, a chain from ``srv`` before that."""
    layout, head = proxy.space.layout("server"), proxy.address_of("servers")
    if isinstance(head, int) and not isinstance(layout, Absence) and "el_px" in layout.fields:
        return listed(proxy.space, "server", head, walk, most, "el_px")
    return chained(proxy.space, "server", number(proxy, "srv"), walk, most)


def find_listeners(proxy: Struct, walk: Walk, most: int = MOST) -> Iterator[Struct] | Absence:
    """The listeners of a frontend (``conf.listeners``, elements ``by_fe``)."""
    head = proxy.address_of("conf.listeners")
    return head if isinstance(head, Absence) else listed(proxy.space, "listener", head, walk, most, "by_fe")


def find_sections(space: TypedMemory, walk: Walk, most: int = MOST) -> Iterator[Struct] | Absence:
    """The sections ``peers``, from ``cfg_peers`` on; those that no table uses are removed when the process starts."""
    first = space.word("cfg_peers")
    return first if isinstance(first, Absence) else chained(space, "peers", first, walk, most)


def find_peers(section: Struct, walk: Walk, most: int = MOST) -> Iterator[Struct] | Absence:
    """The peers of a section, the local one among them (``remote``, peers-t.h)."""
    return chained(section.space, "peer", number(section, "remote"), walk, most)


def find_tables(space: TypedMemory, walk: Walk, most: int = MOST) -> Iterator[Struct] | Absence:
    """The stick-tables (``stktables_list``)."""
    first = space.word("stktables_list")
    return first if isinstance(first, Absence) else chained(space, "stktable", first, walk, most)


def iter_stream_heads(space: TypedMemory) -> Iterator[int]:
    """The heads of the lists of streams: of each thread's context (2.5), of its info (2.4), or the only one before."""
    for variable, struct in (("ha_thread_ctx", "thread_ctx"), ("ha_thread_info", "thread_info")):
        layout = space.layout(struct)
        if isinstance(layout, Absence) or "streams" not in layout.fields:
            continue
        threads = space.object("global", "global")
        most = 0 if isinstance(threads, Absence) else number(threads, "nbthread")
        for thread in space.array(variable, struct, most if 0 < most <= _MOST_THREADS else _MOST_THREADS):
            # Threads that do not exist have a list that was never initialised.
            if number(thread, "streams.n"):
                yield thread.address + layout.fields["streams"].offset
        return
    head = space.variable("streams")
    if isinstance(head, int):
        yield head
