"""Proxies: ``struct proxy`` (proxy-t.h), and the list of all of them."""

from __future__ import annotations

from collections.abc import Iterator

from forensics.haproxy.leads import number, text
from forensics.haproxy.obj_type import of_kind
from forensics.haproxy.object_lists import find_listeners, find_proxies
from forensics.haproxy.structs import Struct, TypedMemory
from forensics.haproxy.walks import Walk
from forensics.record import record

#: Proxies and listeners that are visited.
_MOST = 100_000
#: Capabilities (proxy-t.h, the same from 2.2 to 3.0): it takes connections, it makes them, it is HAProxy's own.
FRONTEND, BACKEND, INTERNAL = 0x1, 0x2, 0x8
#: Flags since 2.5 (PR_FL_*, 3.0): disabled by the configuration, stopped, paused.
_DISABLED, _STOPPED, _PAUSED = 0x01, 0x02, 0x20


@record
class Proxy:
    """A frontend, a backend, or both (``capabilities``); ``identifier`` is its uuid, ``mode`` tcp, http, cli...

    ``frontend_streams``, ``backend_streams`` count what it handles now, ``served`` those that have a server,
    ``queued`` those that wait, for a server or for any. ``file`` and ``line`` tell where it was configured.
    """

    address: int
    identifier: int
    name: str
    mode: str
    capabilities: int
    status: str
    frontend_streams: int
    backend_streams: int
    served: int
    queued: int
    file: str
    line: int


def read_proxy(struct: Struct) -> Proxy:
    """The proxy in ``struct``."""
    value = number(struct, "mode")
    return Proxy(
        struct.address,
        number(struct, "uuid"),
        text(struct, "id"),
        struct.space.enumeration("pr_mode").get(value, str(value)).removeprefix("PR_MODE_").lower(),
        number(struct, "cap") & 0xFF,
        _status(struct),
        number(struct, "feconn"),
        number(struct, "beconn"),
        number(struct, "served"),
        number(struct, "totpend"),
        text(struct, "conf.file"),
        number(struct, "conf.line"),
    )


def _status(struct: Struct) -> str:
    """``disabled``, ``stopped``, ``paused`` or ``ready``: by flags since 2.5, a state up to 2.2, 2.3's ``disabled``."""
    if struct.has("flags"):
        flags = number(struct, "flags")
        named = {_DISABLED: "disabled", _STOPPED: "stopped", _PAUSED: "paused"}
        return next((name for bit, name in named.items() if flags & bit), "ready")
    if struct.has("state"):
        names = struct.space.enumeration("pr_state")
        return names.get(number(struct, "state"), str(number(struct, "state"))).removeprefix("PR_ST").lower()
    return "disabled" if number(struct, "disabled") else "ready"


def iter_proxies(space: TypedMemory, walk: Walk) -> Iterator[Struct]:
    """All proxies, as long as what comes says of itself that it is one."""
    yield from of_kind(find_proxies(space, walk, _MOST), "PROXY", walk)


def iter_listeners(proxy: Struct, walk: Walk) -> Iterator[Struct]:
    """The listeners of a frontend."""
    yield from of_kind(find_listeners(proxy, walk, _MOST), "LISTENER", walk)
