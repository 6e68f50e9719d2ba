"""Of which structure an object of a pool is.

Pools of like sizes are merged, and the name of a pool is that of its first user only. The variables
`pool_head_*` say who else took this one; what stands in the object tells them apart: the type byte (obj_type-t.h), the
function of a task, the list of streams.
"""

from __future__ import annotations

from functools import cached_property

from forensics.absence import Absence
from forensics.haproxy.leads import number
from forensics.haproxy.obj_type import struct_of, type_name
from forensics.haproxy.object_lists import find_tables, iter_stream_heads
from forensics.haproxy.pool import Pools
from forensics.haproxy.pools.lookup import PoolObject
from forensics.haproxy.structs import Struct
from forensics.haproxy.walks import Walk, iter_list
from forensics.record import record

#: Variables that hold pools, and the structure of their objects ("" for bytes). In the order in which they are told.
USERS = {
    "pool_head_task": "task", "pool_head_tasklet": "tasklet", "pool_head_stream": "stream",
    "pool_head_session": "session", "pool_head_connection": "connection", "pool_head_appctx": "appctx",
    "pool_head_connstream": "stconn", "pool_head_sedesc": "sedesc", "pool_head_http_txn": "http_txn",
    "pool_head_pendconn": "pendconn", "pool_head_hlua": "hlua", "pool_head_h1c": "h1c", "pool_head_h1s": "h1s",
    "pool_head_h2c": "h2c", "pool_head_h2s": "h2s", "pool_head_pt_ctx": "mux_pt_ctx",
    "pool_head_fcgi_conn": "fcgi_conn", "pool_head_fcgi_strm": "fcgi_strm", "pool_head_filter": "filter",
    "ssl_sock_ctx_pool": "ssl_sock_ctx", "pool_head_conn_hash_node": "conn_hash_node",
    "pool_head_sockaddr": "sockaddr_storage", "pool_head_spoe_appctx": "spoe_appctx",
    "pool_head_notification": "notification", "pool_head_quic_conn": "quic_conn", "pool_head_qcc": "qcc",
    "pool_head_qcs": "qcs", "pool_head_buffer": "", "pool_head_trash": "", "pool_head_requri": "",
    "pool_head_capture": "", "pool_head_uniqueid": "",
}  # fmt: skip
#: TASK_F_TASKLET (2.4+), in `state` of what has the members of a task.
_TASKLET = 0x8000
_MOST_STREAMS, _MOST_TABLES = 20_000, 50_000


@record
class ObjectType:
    """``struct`` is the structure's name, ``offset`` (bytes) where it begins in the object; ``proof`` in words.

    ``trust`` is ``derived`` or ``assumed``. ``users`` are all that are known to take objects from this pool.
    ``function`` is that of a task.
    """

    struct: str
    offset: int
    proof: str
    trust: str
    users: tuple[str, ...] = ()
    function: str = ""


class ObjectTypes:
    """Structures of the objects of pools."""

    def __init__(self, pools: Pools) -> None:
        self.pools = pools
        self._space = pools.space

    @cached_property
    def _users(self) -> dict[int, list[str]]:
        """The variables that lead to each pool."""
        found: dict[int, list[str]] = {}
        for name in USERS:
            pool = self._space.word(name)
            if isinstance(pool, int) and pool:
                found.setdefault(pool, []).append(name)
        return found

    @cached_property
    def _entries(self) -> dict[int, int]:
        """Pools of entries of stick-tables, and how many bytes of data lie before the entry itself."""
        tables = [
            (one.number("pool") or 0, one.number("data_size") or 0)
            for one in find_tables(self._space, Walk(), _MOST_TABLES) or ()
        ]
        return {pool: size + 7 & ~7 for pool, size in tables}

    def find(self, found: PoolObject) -> ObjectType:
        """The structure of an object; one without a name where only bytes are known to be there."""
        users = self._users.get(found.pool.address, [])
        if found.pool.address in self._entries:
            trust = "derived" if not users else "assumed"
            proof = "a stick-table takes its entries from this pool"
            return ObjectType(
                "stksess", self._entries[found.pool.address], proof, trust, ("stksess", *map(_shown, users))
            )
        names = tuple(map(_shown, users))
        fitting = [USERS[one] for one in users if USERS[one] and self._fits(USERS[one], found.pool.size)]
        if found.freed is False:
            struct, proof, function = self._by_content(found.start, fitting)
            if struct:
                return ObjectType(struct, 0, proof, "derived", names, function)
        if len(users) == 1 and not found.pool.merged:
            return ObjectType("".join(fitting), 0, f"the pool is that of {users[0]} alone", "derived", names)
        if len(users) == 1 and fitting:
            more = f"{found.pool.users - 1} more users of this pool have no variable that is known"
            return ObjectType(fitting[0], 0, f"the pool is that of {users[0]}; {more}", "assumed", names)
        return ObjectType("", 0, "", "assumed", names)

    def _fits(self, struct: str, size: int) -> bool:
        layout = self._space.layout(struct)
        return not isinstance(layout, Absence) and layout.size <= size

    def _by_content(self, start: int, fitting: list[str]) -> tuple[str, str, str]:
        """The structure that the bytes of an allocated object betray, how, and a task's function; "" for none."""
        if "stream" in fitting and self._is_stream(start):
            return "stream", "it is in a thread's list of streams", ""
        for struct in fitting:
            one = self._space.at(struct, start)
            if not isinstance(one, Struct):
                continue
            if struct in ("task", "tasklet") and self._is_task(one, struct):
                name = self._space.function_name(one.number("process") or 0)
                return struct, "its function is code of HAProxy", name
            if (
                one.has("obj_type")
                and struct_of(self._space, type_name(self._space, number(one, "obj_type"))) == struct
            ):
                return struct, "its obj_type says so", ""
        return "", "", ""

    def _is_task(self, one: Struct, struct: str) -> bool:
        process, state = one.number("process"), one.number("state")
        if not isinstance(process, int) or not isinstance(state, int) or not self._is_function(process):
            return False
        # Before 2.4 there is no such flag, and a task and a tasklet differ in the size of their pools.
        return not state & _TASKLET if struct == "task" else True

    def _is_function(self, address: int) -> bool:
        """Cores of gdb leave code out: then only its name tells."""
        return self._space.is_code(address) or bool(self._space.function_name(address))

    def _is_stream(self, start: int) -> bool:
        layout = self._space.layout("stream")
        links = layout.fields.get("list") if not isinstance(layout, Absence) else None
        return links is not None and start + links.offset in self._streams

    @cached_property
    def _streams(self) -> frozenset[int]:
        """The links of all streams."""
        heads, walk = iter_stream_heads(self._space), Walk()
        return frozenset(one for head in heads for one in iter_list(self._space.memory, head, walk, _MOST_STREAMS))


def _shown(variable: str) -> str:
    """The structure of a variable's objects, or what the variable calls them."""
    return USERS[variable] or variable.removeprefix("pool_head_")
