"""Where HAProxy's own variables lie in builds whose symbol tables do not list them: ``post_mortem`` leads to some."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from forensics.absence import Absence
from forensics.memory.process import Segment
from forensics.record import record

if TYPE_CHECKING:
    from forensics.haproxy.structs import TypedMemory

#: Variables by the member of struct post_mortem that holds their address (feed_post_mortem() of debug.c, 3.1-dev11).
VARIABLES = {
    "ha_tgroup_info": "tgroup_info", "ha_thread_info": "thread_info", "ha_tgroup_ctx": "tgroup_ctx",
    "ha_thread_ctx": "thread_ctx", "pools": "pools", "proxies_list": "proxies", "global": "global", "fdtab": "fdtab",
    "activity": "activity",
}  # fmt: skip


@record
class Root:
    """A variable: its address, and the bytes from there to the next one that is known, or to the mapping's end.

    ``source`` names the member that leads to it.
    """

    address: int
    room: int
    source: str


def find_roots(space: TypedMemory) -> Mapping[str, Root]:
    """The variables that ``post_mortem`` leads to, by name; {} where the executable's own data holds none."""
    from forensics.haproxy.post_mortem import read_roots

    members = read_roots(space)
    if isinstance(members, Absence):
        return {}
    found = {}
    for name, member in VARIABLES.items():
        address = members.get(member, 0)
        room = _room(space, address, members.values())
        if room:
            found[name] = Root(address, room, f"post_mortem.{member}")
    return found


def _room(space: TypedMemory, address: int, others: Iterable[int]) -> int:
    """Bytes that a variable can have at most, 0 where none can be: variables lie in memory that can be written."""
    segment = space.memory.find(address) if address and not address & 7 else Absence("variable", "no address")
    if not isinstance(segment, Segment) or not segment.writable:
        return 0
    following = [other for other in others if other > address]
    return min([segment.address + segment.size, *following]) - address
