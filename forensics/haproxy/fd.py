"""File descriptors: ``struct fdtab`` (fd-t.h), and whom each of them belongs to."""

from __future__ import annotations

from collections.abc import Iterator

from forensics.absence import Absence
from forensics.haproxy.connection import Connection, read_connection
from forensics.haproxy.leads import Leads, number
from forensics.haproxy.listener import Listener, read_listener
from forensics.haproxy.obj_type import read_object
from forensics.haproxy.proxy import Proxy, read_proxy
from forensics.haproxy.server import Server, read_server
from forensics.haproxy.structs import Struct, TypedMemory
from forensics.record import record

#: Descriptors that are looked at: the kernel's fs.nr_open is 2^20 unless it was raised.
_MOST = 1 << 22
_CHUNK = 4096  # entries
#: Entries whose handler is no code, after which a table is taken for something else.
_WRONG = 100
_NO_MASKS = Absence("polled_mask", "the variable is not found")
#: Handlers of connections: since 2.4, up to 2.3; of listeners, likewise, and that of QUIC (2.4).
_OF_CONNECTIONS = ("sock_conn_iocb", "conn_fd_handler")
_OF_LISTENERS = ("sock_accept_iocb", "listener_accept", "quic_lstnr_sock_fd_iocb")


@record
class Descriptor:
    """One open descriptor. ``state`` has FD_EV_* and, since 2.4, FD_POLL_* bits; before that ``events`` had those.

    Masks are of threads (of its group, since 2.7). ``handler`` is the address of ``iocb``, ``function`` its name.
    ``reference`` is ``refc_tgid`` (2.6). ``target`` is whom a connection leads to or comes from.
    """

    fd: int
    state: int
    events: int | Absence
    linger: bool
    cloned: bool
    reference: int | Absence
    thread_mask: int
    update_mask: int
    poll_receive: int | Absence
    poll_send: int | Absence
    owner: int
    generation: int | Absence
    takeovers: int | Absence
    handler: int
    function: str
    connection: Connection | Absence
    listener: Listener | Absence
    target: Proxy | Server | Listener | Absence


class Descriptors:
    """The descriptors of a process; what many share is read once."""

    def __init__(self, space: TypedMemory) -> None:
        self.space = space
        self.leads = Leads()
        self._code: dict[int, bool] = {}
        self._targets: dict[int, Proxy | Server | Listener | Absence] = {}

    def tables(self) -> Iterator[tuple[int, int]]:
        """Address of each ``fdtab`` and of its ``polled_mask`` (0 where not found).

        One for each thread group since 3.5-dev4 (tgroup_ctx), one for all before that.
        """
        layout = self.space.layout("tgroup_ctx")
        if not isinstance(layout, Absence) and "fdtab" in layout.fields:
            seen = set[int]()
            for group in self.space.array("ha_tgroup_ctx", "tgroup_ctx", 64):
                table = number(group, "fdtab")
                if table and table not in seen:
                    seen.add(table)
                    yield table, number(group, "polled_mask")
            return
        only, masks = self.space.word("fdtab"), self.space.word("polled_mask")
        if isinstance(only, int) and only:
            yield only, masks if isinstance(masks, int) else 0

    def iter_open(self) -> Iterator[Descriptor]:
        """Those with an owner, by number."""
        for table, polled in self.tables():
            wrong = 0
            for fd, struct in self._used(table):
                handler = number(struct, "iocb")
                if not self._is_code(handler):
                    wrong += 1
                    if wrong > _WRONG:
                        why = Absence("its entries", "too many have no handler that is code")
                        self.leads.report(f"fdtab at {table:#x}, from {fd} on", why)
                        break
                yield self._read(fd, struct, polled)

    def _is_code(self, address: int) -> bool:
        """Whether a handler leads to code; there are few."""
        if address not in self._code:
            self._code[address] = self.space.is_code(address)
        return self._code[address]

    def _used(self, table: int) -> Iterator[tuple[int, Struct]]:
        layout, settings = self.space.layout("fdtab"), self.space.object("global", "global")
        if isinstance(layout, Absence) or isinstance(settings, Absence) or not layout.size:
            return
        owner, most = layout.fields.get("owner"), min(max(number(settings, "maxsock"), 0), _MOST)
        if owner is None:
            return
        for first in range(0, most, _CHUNK):
            count = min(_CHUNK, most - first)
            start = table + first * layout.size
            data = self.space.memory.read(start, count * layout.size, alone=True)
            if isinstance(data, Absence):
                self.leads.report(f"fdtab[{first}] and those behind", data)
                return
            for index in range(count):
                place = index * layout.size
                if any(data[place + owner.offset : place + owner.offset + 8]):
                    yield first + index, Struct(self.space, layout, start + place, data[place : place + layout.size])

    def _read(self, fd: int, struct: Struct, polled: int) -> Descriptor:
        # struct polled_mask: two words, poll_recv and poll_send (fd-t.h, the same from 2.2 to 3.4).
        receive, send = (self.space.memory.word(polled + fd * 16 + place) if polled else _NO_MASKS for place in (0, 8))
        function = self.space.function_name(number(struct, "iocb"))
        owner = number(struct, "owner")
        connection, listener = self._connection(fd, owner, function), self._listener(fd, owner, function)
        state = number(struct, "state")
        return Descriptor(
            fd,
            state,
            struct.number("ev"),
            bool(number(struct, "linger_risk") or (not struct.has("ev") and state >> 16 & 1)),
            bool(number(struct, "cloned") or (not struct.has("ev") and state >> 17 & 1)),
            struct.number("refc_tgid"),
            number(struct, "thread_mask"),
            number(struct, "update_mask"),
            receive,
            send,
            owner,
            struct.number("generation"),
            struct.number("nb_takeover"),
            number(struct, "iocb"),
            function,
            connection,
            listener,
            connection if isinstance(connection, Absence) else self._target(connection),
        )

    def _connection(self, fd: int, owner: int, function: str) -> Connection | Absence:
        """The connection: told by the handler; where that has no name, by its type and its descriptor."""
        if function and function not in _OF_CONNECTIONS:
            return Absence("connection", "the descriptor's handler is for something else")
        struct = self.space.at("connection", owner)
        if isinstance(struct, Absence):
            if function:
                self.leads.report(f"owner of descriptor {fd}", struct)
            return struct
        if not function and (read_object(self.space, owner).kind != "CONN" or number(struct, "handle.fd") != fd):
            return Absence("connection", "the descriptor's handler has no name, and its owner is no connection")
        return read_connection(struct, self.leads)

    def _listener(self, fd: int, owner: int, function: str) -> Listener | Absence:
        if function and function not in _OF_LISTENERS:
            return Absence("listener", "the descriptor's handler is for something else")
        struct = self.space.at("listener", owner)
        if isinstance(struct, Absence):
            if function:
                self.leads.report(f"owner of descriptor {fd}", struct)
            return struct
        if not function and (read_object(self.space, owner).kind != "LISTENER" or number(struct, "rx.fd", "fd") != fd):
            return Absence("listener", "the descriptor's handler has no name, and its owner is no listener")
        return read_listener(struct, self.leads)

    def _target(self, connection: Connection) -> Proxy | Server | Listener | Absence:
        target = connection.target
        if target.pointer not in self._targets:
            self._targets[target.pointer] = self._read_target(connection)
        return self._targets[target.pointer]

    def _read_target(self, connection: Connection) -> Proxy | Server | Listener | Absence:
        target = connection.target
        struct = target.struct(self.space, target.kind) if target.kind in ("PROXY", "SERVER", "LISTENER") else None
        if not isinstance(struct, Struct):
            return struct or Absence("target", f"the connection's target is {target.kind or 'not in the core'}")
        if target.kind == "PROXY":
            return read_proxy(struct)
        return read_server(struct) if target.kind == "SERVER" else read_listener(struct, self.leads)
