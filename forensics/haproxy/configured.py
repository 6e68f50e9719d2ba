"""How the process was configured, as its memory tells: ``struct global``, its peers, its proxies, its Lua scripts.

Values are those in force: what the configuration does not set has its default.
"""

from __future__ import annotations

from collections.abc import Iterator

from forensics.absence import Absence
from forensics.haproxy.leads import number, text
from forensics.haproxy.object_lists import find_peers, find_proxies, find_sections
from forensics.haproxy.structs import Struct, TypedMemory
from forensics.haproxy.walks import Walk
from forensics.record import record

#: MODE_MWORKER (include/haproxy/global-t.h, the same since 1.8), GTUNE_SET_DUMPABLE in tune.options (2.0 on).
_MWORKER, _DUMPABLE = 0x80, 1 << 13
#: PR_CAP_DEF and PR_CAP_INT of proxy.cap (proxy-t.h): sections defaults, and proxies that HAProxy makes for itself.
_CAP_DEFAULTS, _CAP_INTERNAL = 0x0004, 0x0008
#: Sections and peers that are walked.
_MOST_SECTIONS, _MOST_PEERS = 1000, 1000

#: Members of global.tune by the keyword that sets them (src/cfgparse-global.c and others).
_TUNE = {
    "bufsize": "tune.bufsize", "maxrewrite": "tune.maxrewrite", "maxpollevents": "tune.maxpollevents",
    "maxaccept": "tune.maxaccept", "runqueue_depth": "tune.runqueue-depth", "recv_enough": "tune.recv_enough",
    "reserved_bufs": "tune.buffers.reserve", "buf_limit": "tune.buffers.limit", "max_http_hdr": "tune.http.maxhdr",
    "requri_len": "tune.http.logurilen", "cookie_len": "tune.http.cookielen",
    "pattern_cache": "tune.pattern.cache-size", "sslcachesize": "tune.ssl.cachesize",
    "comp_maxlevel": "tune.comp.maxlevel", "pipesize": "tune.pipesize", "idle_timer": "tune.idletimer",
    "nb_stk_ctr": "tune.stick-counters", "client_rcvbuf": "tune.rcvbuf.client", "client_sndbuf": "tune.sndbuf.client",
    "server_rcvbuf": "tune.rcvbuf.server", "server_sndbuf": "tune.sndbuf.server",
    "pool_low_ratio": "tune.pool-low-fd-ratio", "pool_high_ratio": "tune.pool-high-fd-ratio",
    "ring_queues": "tune.ring.queues", "max_checks_per_thread": "tune.max-checks-per-thread",
}  # fmt: skip
#: Members that hold one byte more than was configured, for the NUL at the end.
_WITH_NUL = ("cookie_len", "requri_len")


@record
class Globals:
    """Section ``global`` as it is in force; each value an Absence where this build's structure has no such member.

    ``tune`` maps keywords to values; ``address`` is that of the variable.
    """

    threads: int | Absence
    groups: int | Absence
    maxconn: int | Absence
    master_worker: bool | Absence
    set_dumpable: bool | Absence
    tune: dict[str, int]
    address: int


@record
class PeersConfigured:
    """One section ``peers`` of the process: its name, the names of its remote peers, and the address of it."""

    name: str
    remote: tuple[str, ...]
    address: int


def read_globals(space: TypedMemory) -> Globals | Absence:
    """``struct global``."""
    found = space.object("global", "global")
    if isinstance(found, Absence):
        return found
    mode, options = found.number("mode"), found.number("tune.options")
    return Globals(
        found.number("nbthread"), found.number("nbtgroups"), found.number("maxconn"),
        mode if isinstance(mode, Absence) else bool(mode & _MWORKER),
        options if isinstance(options, Absence) else bool(options & _DUMPABLE),
        dict(_tune(found)), found.address,
    )  # fmt: skip


def _tune(found: Struct) -> Iterator[tuple[str, int]]:
    for member, keyword in _TUNE.items():
        value = found.number(f"tune.{member}")
        if isinstance(value, int):
            yield keyword, value - (member in _WITH_NUL)


def read_peers(space: TypedMemory) -> tuple[PeersConfigured, ...] | Absence:
    """The sections ``peers`` (``cfg_peers``); those that no table uses were removed when the process started."""
    sections = find_sections(space, Walk(), _MOST_SECTIONS)
    if isinstance(sections, Absence):
        return sections
    return tuple(PeersConfigured(text(one, "id"), _remote(one), one.address) for one in sections)


def _remote(section: Struct) -> tuple[str, ...]:
    """The names of a section's peers but the local one: all stand in the chain ``remote`` (peers-t.h)."""
    peers = find_peers(section, Walk(), _MOST_PEERS)
    return tuple(text(one, "id") for one in peers or () if not one.number("local"))


def count_proxies(space: TypedMemory) -> int | Absence:
    """How many frontends, backends and listens the process has, without those that it made for itself."""
    walk = Walk()
    proxies = find_proxies(space, walk)
    if isinstance(proxies, Absence):
        return proxies
    own = _frontend_of_cli(space)
    count = sum(_is_configured(proxy) for proxy in proxies if proxy.address != own)
    return Absence("proxies", walk.broken.reason) if walk.broken else count


def _frontend_of_cli(space: TypedMemory) -> int:
    """The frontend that HAProxy makes of `stats socket`; up to 2.3 its capabilities do not mark it as its own."""
    found = space.object("global", "global")
    if isinstance(found, Absence):
        return 0
    return number(found, "cli_fe", "stats_fe")


def _is_configured(proxy: Struct) -> bool:
    cap = proxy.number("cap")
    return isinstance(cap, int) and not cap & (_CAP_DEFAULTS | _CAP_INTERNAL)


def lua_loaded(space: TypedMemory) -> bool | Absence:
    """Whether a Lua script was loaded: the functions that scripts registered, and the scripts of each thread.

    ``referenced_functions`` and ``per_thread_load`` of src/hlua.c (2.4 on) are static: stripped executables do not name
    them. A script that registers nothing leaves no trace in them.
    """
    scripts = space.word("per_thread_load")
    if isinstance(scripts, int) and scripts:
        return True
    head = space.variable("referenced_functions")
    if isinstance(head, Absence):
        return Absence("Lua scripts", "the symbols of this build do not name what scripts register", "haproxy.cfg")
    first = space.memory.word(head)
    return first if isinstance(first, Absence) else first != head
