"""Streams: ``struct stream`` (stream-t.h) with what hangs on it, and the lists of all of them."""

from __future__ import annotations

from collections.abc import Iterator

from forensics.absence import Absence
from forensics.haproxy.channel import Channel, read_channel
from forensics.haproxy.clock import Moment
from forensics.haproxy.connection import Connection, read_connection
from forensics.haproxy.filters import Filters, read_filters
from forensics.haproxy.freq_ctr import read_rate
from forensics.haproxy.http_txn import Transaction, read_transaction
from forensics.haproxy.leads import Leads, number
from forensics.haproxy.listener import Listener, read_listener
from forensics.haproxy.obj_type import Object, read_object
from forensics.haproxy.object_lists import iter_stream_heads
from forensics.haproxy.proxy import Proxy, read_proxy
from forensics.haproxy.rule import Rule, current_rule, last_rule
from forensics.haproxy.server import Server, read_server
from forensics.haproxy.stconn import Side, read_stconn, read_stream_interface
from forensics.haproxy.stream_task import StreamTask, read_task
from forensics.haproxy.structs import Struct, TypedMemory
from forensics.haproxy.term_events import read_events
from forensics.haproxy.walks import Walk, iter_list
from forensics.record import record

#: Streams of one list that are visited: more than any process had connections.
_MOST = 5_000_000
#: SF_HTX (stream-t.h, the same from 2.0 to 3.0).
HTX = 0x00000800
_NO_SESSION = Absence("session", "the stream's session cannot be read")


@record
class Stream:
    """One stream. ``epoch`` counts `show sess` commands (2.4). ``accepted`` is a date: seconds, microseconds.

    ``age`` is in seconds. ``origin`` is where the client's data comes from: a connection (``source``) or an applet.
    ``server`` is that of ``target``, if it is one. ``connect_exp`` is a tick. ``cpu`` and ``latency`` are in ns.
    ``events_log`` is that of term_events.
    """

    address: int
    identifier: int
    flags: int
    epoch: int | Absence
    accepted: tuple[int, int]
    age: int
    frontend: Proxy | Absence
    backend: Proxy | Absence
    listener: Listener | Absence
    origin: Object
    source: Connection | Absence
    target: Object
    server: Server | Absence
    server_slot: int
    queue_place: int
    waits_for_buffer: bool
    retries: int
    connect_exp: int | Absence
    connect_error: int | Absence
    task: StreamTask | Absence
    rate: int
    cpu: int
    latency: int
    transaction: Transaction | Absence
    front: Side | Absence
    back: Side | Absence
    request: Channel | Absence
    response: Channel | Absence
    filters: Filters
    rule: Rule | Absence
    last_rule: Rule | Absence
    passes: tuple[tuple[str, int], ...]
    events_log: str | Absence
    unique_id: str


class Streams:
    """The streams of a process; proxies, listeners and servers that many share are read once."""

    def __init__(self, space: TypedMemory, moment: Moment) -> None:
        self.space = space
        self.moment = moment
        self.leads = Leads()
        #: One for each list, with how it went.
        self.walks: list[Walk] = []
        self._known: dict[tuple[str, int], object] = {}

    def addresses(self) -> Iterator[int]:
        """Of each ``struct stream``, thread by thread."""
        layout = self.space.layout("stream")
        if isinstance(layout, Absence) or "list" not in layout.fields:
            return
        for head in iter_stream_heads(self.space):
            walk = Walk()
            self.walks.append(walk)
            for element in iter_list(self.space.memory, head, walk, _MOST):
                yield element - layout.fields["list"].offset

    def read(self, address: int) -> Stream | Absence:
        """The stream at ``address``."""
        struct = self.space.at("stream", address)
        return struct if isinstance(struct, Absence) else self._stream(struct)

    def _stream(self, struct: Struct) -> Stream:
        own = read_object(self.space, struct.address + _own_type(struct))
        if own.kind != "STREAM":
            self.leads.report(f"stream {struct.address:#x}", Absence("its type", f"it says {own.kind or 'nothing'}"))
        session = self.leads.follow(struct, "sess", "session")
        origin = read_object(self.space, 0 if isinstance(session, Absence) else number(session, "origin"))
        source = origin.struct(self.space, "CONN")
        target = read_object(self.space, number(struct, "target"))
        task, transaction = self.leads.follow(struct, "task", "task"), self.leads.follow(struct, "txn", "http_txn")
        flags = number(struct, "flags")
        front, back = self._sides(struct)
        work = task if isinstance(task, Absence) else read_task(task)
        return Stream(
            struct.address,
            number(struct, "uniq_id"),
            flags & 0xFFFFFFFF,
            struct.number("stream_epoch"),
            (number(struct, "logs.accept_date.tv_sec"), number(struct, "logs.accept_date.tv_usec")),
            self._age(struct),
            _NO_SESSION if isinstance(session, Absence) else self._proxy(session, "fe"),
            self._proxy(struct, "be"),
            _NO_SESSION if isinstance(session, Absence) else self._listener(session),
            origin,
            source if isinstance(source, Absence) else read_connection(source, self.leads),
            target,
            self._server(target),
            number(struct, "srv_conn"),
            number(struct, "pend_pos"),
            _listed(struct),
            _retries(struct),
            struct.number("conn_exp"),
            struct.number("conn_err_type"),
            work,
            read_rate(struct.inner("call_rate"), self.moment) or 0,
            _of_task(struct, "cpu_time", None if isinstance(work, Absence) else work.cpu),
            _of_task(struct, "lat_time", None if isinstance(work, Absence) else work.latency),
            transaction if isinstance(transaction, Absence) else read_transaction(transaction),
            front,
            back,
            _channel(struct, "req", htx=bool(flags & HTX)),
            _channel(struct, "res", htx=bool(flags & HTX)),
            read_filters(struct),
            current_rule(struct, self.leads),
            last_rule(struct),
            _passes(struct),
            read_events(struct),
            _unique_id(struct),
        )

    def _sides(self, struct: Struct) -> tuple[Side | Absence, Side | Absence]:
        """``scf`` and ``scb`` since 2.6, ``si[0]`` and ``si[1]`` before that."""
        if struct.has("scf"):
            both = (self.leads.follow(struct, name, "stconn") for name in ("scf", "scb"))
            front, back = (
                one if isinstance(one, Absence) else read_stconn(one, self.moment, self.leads) for one in both
            )
            return front, back
        ends = (struct.inner("si", index) for index in (0, 1))
        front, back = (
            one if isinstance(one, Absence) else read_stream_interface(one, self.moment, self.leads) for one in ends
        )
        return front, back

    def _age(self, struct: Struct) -> int:
        """Seconds since the request began: since 2.8 counted in ns, without the time that the connection was idle."""
        if not struct.has("logs.accept_ts"):
            return self.moment.seconds - number(struct, "logs.tv_accept.tv_sec")
        began, idle = number(struct, "logs.accept_ts"), number(struct, "logs.t_idle")
        if idle >= 0:
            began += (idle + number(struct, "logs.t_handshake")) * 1_000_000
        return self.moment.seconds - began // 1_000_000_000

    def _proxy(self, struct: Struct, path: str) -> Proxy | Absence:
        key = ("proxy", number(struct, path))
        if key not in self._known:
            found = self.leads.follow(struct, path, "proxy")
            self._known[key] = found if isinstance(found, Absence) else read_proxy(found)
        return self._known[key]  # type: ignore[return-value]  # the key says what it is

    def _listener(self, session: Struct) -> Listener | Absence:
        key = ("listener", number(session, "listener"))
        if key not in self._known:
            found = self.leads.follow(session, "listener", "listener")
            self._known[key] = found if isinstance(found, Absence) else read_listener(found, self.leads)
        return self._known[key]  # type: ignore[return-value]  # the key says what it is

    def _server(self, target: Object) -> Server | Absence:
        key = ("server", target.address)
        if target.kind != "SERVER":
            return Absence("server", "the stream's target is none")
        if key not in self._known:
            found = target.struct(self.space, "SERVER")
            self._known[key] = found if isinstance(found, Absence) else read_server(found)
        return self._known[key]  # type: ignore[return-value]  # the key says what it is


def _retries(struct: Struct) -> int:
    """Attempts to connect: counted in the stream since 2.6, those that are left in the server's side before that."""
    if struct.has("conn_retries"):
        return number(struct, "conn_retries")
    back = struct.inner("si", 1)
    return 0 if isinstance(back, Absence) else number(back, "conn_retries")


def _own_type(struct: Struct) -> int:
    field = struct.field("obj_type")
    return 0 if isinstance(field, Absence) else field.offset


def _listed(struct: Struct) -> bool:
    """Whether the stream waits for a buffer: its element does not lead to itself."""
    for path in ("buffer_wait.list.n", "buffer_wait.list.next"):
        own = struct.address_of(path)
        if isinstance(own, int):
            return struct.number(path) != own
    return False


def _of_task(struct: Struct, path: str, of_task: int | Absence | None) -> int:
    """A time that is the stream's own since 2.7, and its task's before that."""
    own = struct.number(path)
    return own if isinstance(own, int) else of_task if isinstance(of_task, int) else 0


def _channel(struct: Struct, path: str, *, htx: bool) -> Channel | Absence:
    inner = struct.inner(path)
    return inner if isinstance(inner, Absence) else read_channel(inner, htx=htx)


def _passes(struct: Struct) -> tuple[tuple[str, int], ...]:
    """How often process_stream() went through its parts (3.2), by the names that HAProxy prints."""
    names = {"p_stc": "passes_stconn", "p_req": "passes_reqana", "p_res": "passes_resana", "p_prp": "passes_propag"}
    return tuple((short, number(struct, member)) for short, member in names.items() if struct.has(member))


def _unique_id(struct: Struct) -> str:
    """The unique id (``struct ist``: pointer and length), "" where none was made."""
    pointer, length = number(struct, "unique_id.ptr"), number(struct, "unique_id.len")
    data = struct.space.memory.read(pointer, min(length, 1024)) if pointer and length > 0 else b""
    return data.decode("utf-8", "replace") if isinstance(data, bytes) else ""
