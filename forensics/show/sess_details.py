"""`show sess all`: one stream with all that hangs on it, in the lines of its release (strm_dump_to_buffer).

What a stream of the release does not have is left out of the lines. Lines that begin with ``  + `` are ours: flags
by name, the last rule, what woke the task.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from forensics.absence import Absence
from forensics.haproxy.appctx import Appctx
from forensics.haproxy.channel import Channel
from forensics.haproxy.clock import Moment
from forensics.haproxy.connection import Connection
from forensics.haproxy.filters import Filter
from forensics.haproxy.flags import Branch
from forensics.haproxy.leads import Leads, number
from forensics.haproxy.obj_type import Object
from forensics.haproxy.proxy import BACKEND, Proxy
from forensics.haproxy.side_expiry import receive_expiry, send_expiry
from forensics.haproxy.sockaddr import SocketAddress
from forensics.haproxy.stconn import Side
from forensics.haproxy.stream import Stream
from forensics.haproxy.stream_task import StreamTask
from forensics.haproxy.structs import Struct, TypedMemory
from forensics.haproxy.ticks import ETERNITY, tick_add
from forensics.show.mux import MuxText
from forensics.show.secrets import Secrets
from forensics.show.sess_flags import flag_lines
from forensics.show.spans import human_time, pointer, span, until, until_or_past

_NEVER = "<NEVER>"
_MAX_THREADS = 1024


class Details:
    """Renders streams of one process."""

    def __init__(
        self, space: TypedMemory, moment: Moment, secrets: Secrets, branch: Branch | None, leads: Leads
    ) -> None:
        self.space, self.moment, self.secrets, self.branch = space, moment, secrets, branch
        self.mux = MuxText(space, moment, leads)

    def lines(self, stream: Stream) -> Iterator[str]:
        """The lines of one stream."""
        yield self._first(stream)
        yield self._flags(stream)
        if stream.passes:
            yield "  " + " ".join(f"{name}={count}" for name, count in stream.passes)
        yield self._frontend(stream)
        yield from self._backend(stream)
        yield self._task(stream)
        if not isinstance(stream.transaction, Absence):
            yield self._transaction(stream)
        yield from self._sides(stream)
        yield from self._channels(stream)
        if not isinstance(stream.rule, Absence):
            yield f'  current_rule="{stream.rule.keyword}" [{stream.rule.file}:{stream.rule.line}]'
        yield from flag_lines(stream, self.space, self.secrets, self.branch)

    def _first(self, stream: Stream) -> str:
        seconds, micro = stream.accepted
        protocol = "?" if isinstance(stream.listener, Absence) else stream.listener.protocol or "?"
        source = self._address(stream.source, "source", "source", stream)
        text = f"{pointer(stream.address)}: [{_date(seconds)}.{micro:06d}] id={stream.identifier} proto={protocol}"
        return f"{text}{source}"

    def _address(self, connection: Connection | Absence, name: str, which: str, stream: Stream | None = None) -> str:
        """`` NAME=host:port``; a Unix socket has the listener's number on the client's side; "" where it is unknown."""
        if isinstance(connection, Absence):
            return ""
        address: SocketAddress | Absence = connection.source if which == "source" else connection.destination
        if isinstance(address, Absence) or not address.family:
            return ""
        if address.family != "unix":
            return f" {name}={self.secrets.host(address)}:{address.port}"
        if stream is None:
            return f" {name}=unix"
        return f" {name}=unix:{0 if isinstance(stream.listener, Absence) else stream.listener.identifier}"

    def _flags(self, stream: Stream) -> str:
        text = f"  flags={stream.flags:#x}, conn_retries={stream.retries},"
        if not isinstance(stream.connect_exp, Absence):
            error = 0 if isinstance(stream.connect_error, Absence) else stream.connect_error
            text += f" conn_exp={until_or_past(self.moment, stream.connect_exp)} conn_et=0x{error:03x}"
        text += f" srv_conn={pointer(stream.server_slot)}, pend_pos={pointer(stream.queue_place)}"
        text += f" waiting={int(stream.waits_for_buffer)}"
        epoch = stream.epoch
        return text if isinstance(epoch, Absence) else f"{text} epoch={f'{epoch:#x}' if epoch else '0'}"

    def _frontend(self, stream: Stream) -> str:
        listener = stream.listener
        name, number = ("?", 0) if isinstance(listener, Absence) else (listener.name or "?", listener.identifier)
        destination = self._address(stream.source, "addr", "destination", stream)
        return f"  frontend={_proxy(stream.frontend)}, listener={name} (id={number}){destination}"

    def _backend(self, stream: Stream) -> Iterator[str]:
        connection = stream.back.connection if isinstance(stream.back, Side) else stream.back
        source = self._address(connection, "addr", "source")
        destination = self._address(connection, "addr", "destination")
        if isinstance(stream.backend, Proxy) and stream.backend.capabilities & BACKEND:
            server = stream.server
            known = ("<none>", 0) if isinstance(server, Absence) else (server.name, server.identifier)
            yield f"  backend={_proxy(stream.backend)}{source}"
            yield f"  server={known[0]} (id={known[1]}){destination}"
        else:
            yield f"  backend=<NONE> (id=-1 mode=-){source}"
            yield f"  server=<NONE> (id=-1){destination}"

    def _task(self, stream: Stream) -> str:
        task = stream.task
        if isinstance(task, Absence):
            return f"  task=(nil) age={human_time(stream.age)}"
        running = ", running" if task.queued else ""
        return (
            f"  task={pointer(task.address)} (state=0x{task.state:02x} nice={task.nice} calls={task.calls}"
            f" rate={stream.rate} exp={until_or_past(self.moment, task.expire)} {self._where(task)}{running}"
            f" age={human_time(stream.age)})"
        )

    def _where(self, task: StreamTask) -> str:
        """The mask of threads up to 2.6; since then the thread, with its group and its number in there."""
        if isinstance(task.mask, int):
            return f"tmask={task.mask:#x}"
        if isinstance(task.tid, Absence):
            return "tid=?"
        base, layout = self.space.variable("ha_thread_info"), self.space.layout("thread_info")
        if isinstance(base, Absence) or isinstance(layout, Absence) or not 0 <= task.tid < _MAX_THREADS:
            return f"tid={task.tid}"
        thread = self.space.at("thread_info", base + task.tid * layout.size)
        if not isinstance(thread, Struct):
            return f"tid={task.tid}"
        return f"tid={task.tid}({number(thread, 'tgid')}/{number(thread, 'ltid')})"

    def _transaction(self, stream: Stream) -> str:
        transaction = stream.transaction
        assert not isinstance(transaction, Absence)  # the caller looked
        return (
            f"  txn={pointer(transaction.address)} flags={transaction.flags:#x} meth={transaction.method}"
            f" status={transaction.status} req.st={transaction.request_state} rsp.st={transaction.response_state}"
            f" req.f=0x{transaction.request_flags:02x} rsp.f=0x{transaction.response_flags:02x}"
        )

    def _sides(self, stream: Stream) -> Iterator[str]:
        front, back = stream.front, stream.back
        if isinstance(front, Side) and isinstance(front.expire, int):
            yield from self._interfaces(front, back)
            return
        if isinstance(front, Side):
            yield from self._side("scf", 0, front, receive_expiry(self.space, front, back, stream.request),
                                  send_expiry(self.space, front, stream.response))  # fmt: skip
        if isinstance(back, Side):
            yield from self._side("scb", 1, back, receive_expiry(self.space, back, front, stream.response),
                                  send_expiry(self.space, back, stream.request))  # fmt: skip

    def _interfaces(self, front: Side, back: Side | Absence) -> Iterator[str]:
        """The form of 2.2 to 2.5: both sides, then what they are tied to."""
        both = [(0, front), *([(1, back)] if isinstance(back, Side) else [])]
        for index, side in both:
            error = 0 if isinstance(side.error_type, Absence) else side.error_type
            yield (
                f"  si[{index}]={pointer(side.address)} (state={side.state} flags=0x{side.flags:02x}"
                f" endp{index}={side.endpoint}:{pointer(side.endpoint_address)}"
                f" exp={until_or_past(self.moment, side.expire)} et=0x{error:03x} sub={side.events})"
            )
        for index, side in both:
            if isinstance(side.connection, Connection):
                yield from self._connection("  ", index, side, side.connection)
                yield (
                    f"      cs={pointer(side.endpoint_address)} csf=0x{side.endpoint_flags:08x}"
                    f" ctx={pointer(side.mux_context)}"
                )
            elif isinstance(side.appctx, Appctx):
                yield self._applet("  ", index, side.appctx)

    def _side(self, name: str, index: int, side: Side, receive: int | Absence, send: int | Absence) -> Iterator[str]:
        """The form since 2.6, and what 2.8 added to it."""
        # 2.8, which has no iobuf, knows the timeout and does not print it; nor does it log events.
        newer = not isinstance(side.iobuf, Absence) or isinstance(side.endpoint_events, str)
        timeout = f" ioto={span(side.timeout)}" if newer and isinstance(side.timeout, int) else ""
        text = (
            f"  {name}={pointer(side.address)} flags=0x{side.flags:08x}{timeout} state={side.state}"
            f" endp={side.endpoint},{pointer(side.endpoint_address)},0x{side.endpoint_flags:08x} sub={side.events}"
        )
        if isinstance(side.last_read, int):
            text += f" in={side.received} out={side.sent}" if isinstance(side.received, int) else ""
            text += f" rex={until(self.moment, receive, _NEVER)} wex={until(self.moment, send, _NEVER)}"
        if newer and isinstance(side.last_read, int):
            text += f" rto={self._timeout(side.last_read, side)} wto={self._timeout(side.first_blocked, side)}"
        yield text
        if not isinstance(side.iobuf, Absence):
            buffer = side.iobuf.buffer
            place = f"{buffer.data}@{pointer(buffer.area)}+{buffer.head}/{buffer.size}"
            yield f"    iobuf.flags=0x{side.iobuf.flags:08x} .pipe={side.iobuf.pipe} .buf={place}"
        if isinstance(side.connection, Connection):
            for count, line in enumerate(self.mux.of_side(side, side.connection)):
                yield f"{' ' if count and newer else ''}     {line}"
            yield from self._connection("      ", index, side, side.connection)
        elif isinstance(side.appctx, Appctx):
            yield self._applet("      ", index, side.appctx)

    def _timeout(self, since: int | Absence, side: Side) -> str:
        if isinstance(since, Absence) or isinstance(side.timeout, Absence) or since == ETERNITY:
            return _NEVER
        return until(self.moment, tick_add(since, side.timeout), _NEVER)

    def _connection(self, indent: str, index: int, side: Side, connection: Connection) -> Iterator[str]:
        layer = f" data={side.data_layer}" if side.data_layer else ""
        control = connection.control if connection.flags & 0x100 else ""
        yield (
            f"{indent}co{index}={pointer(connection.address)} ctrl={control or 'NONE'}"
            f" xprt={connection.transport or 'NONE'} mux={connection.mux or 'NONE'}{layer}"
            f" target={target_text(connection.target)}"
        )
        fd = connection.fd if isinstance(side.expire, Absence) else connection.handle
        state, update, mask = self._descriptor(fd)
        yield f"      flags=0x{connection.flags:08x} fd={fd} fd.state={state:02x} updt={update} fd.tmask={mask:#x}"

    def _descriptor(self, fd: int) -> tuple[int, int, int]:
        """State, whether an update is pending (for any thread: HAProxy tells of its own), and the threads."""
        table, layout = self.space.word("fdtab"), self.space.layout("fdtab")
        settings = self.space.object("global", "global")
        most = number(settings, "maxsock") if isinstance(settings, Struct) else 0
        if isinstance(table, Absence) or isinstance(layout, Absence) or not 0 <= fd < most:
            return 0, 0, 0
        entry = self.space.at("fdtab", table + fd * layout.size)
        if isinstance(entry, Absence):
            return 0, 0, 0
        state, update, mask = (number(entry, name) for name in ("state", "update_mask", "thread_mask"))
        return state, int(bool(update)), mask

    def _applet(self, indent: str, index: int, appctx: Appctx) -> str:
        task = appctx.task
        nice, calls = (0, 0) if isinstance(task, Absence) else (task.nice, task.calls)
        text = f"{indent}app{index}={pointer(appctx.address)} st0={appctx.st0} st1={appctx.st1}"
        text += "" if isinstance(appctx.st2, Absence) else f" st2={appctx.st2}"
        text += f" applet={appctx.applet}"
        mask = appctx.mask if isinstance(appctx.mask, int) else _mask(task)
        if isinstance(mask, int):
            cpu, latency = (0, 0) if isinstance(task, Absence) else (task.cpu or 0, task.latency or 0)
            return f"{text} tmask={mask:#x} nice={nice} calls={calls} rate={appctx.rate} cpu={cpu} lat={latency}"
        tid = 0 if isinstance(task, Absence) else task.tid or 0
        return f"{text} tid={tid} nice={nice} calls={calls} rate={appctx.rate}"

    def _channels(self, stream: Stream) -> Iterator[str]:
        """Both directions; filters stand before them where channels have no timers of their own (3.0)."""
        request, response = stream.request, stream.response
        if stream.filters.all and isinstance(request, Channel) and isinstance(request.pipe, Absence):
            listed = ", ".join(f'{pointer(one.address)}="{one.name}"{_calls(one)}' for one in stream.filters.all)
            yield f"  filters={{{listed}}}"
        for name, channel, current in (
            ("req", request, stream.filters.request),
            ("res", response, stream.filters.response),
        ):
            if isinstance(channel, Channel):
                yield from self._channel(name, channel)
            if current is not None:
                yield _filter(current)

    def _channel(self, name: str, channel: Channel) -> Iterator[str]:
        total = "" if isinstance(channel.total, Absence) else f" total={channel.total}"
        pipe = "" if isinstance(channel.pipe, Absence) else f" pipe={channel.pipe}"
        yield (
            f"  {name}={pointer(channel.address)} (f=0x{channel.flags:06x} an={channel.analysers:#x}{pipe}"
            f" tofwd={_signed(channel.to_forward)}{total})"
        )
        buffer = channel.buffer
        place = (
            f"buf={pointer(buffer.address)} data={pointer(buffer.area)} o={channel.output} p={channel.input_offset}"
            f" i={channel.input} size={buffer.size & 0xFFFFFFFF}"
        )
        exp = f"      an_exp={until(self.moment, channel.analyse_exp, _NEVER)}"
        if isinstance(channel.read_exp, int):
            read = until(self.moment, channel.read_exp, _NEVER)
            yield f"{exp} rex={read} wex={until(self.moment, channel.write_exp, _NEVER)}"
            yield f"      {place}"
        else:
            yield f"{exp} {place}"
        htx = channel.htx
        if not isinstance(htx, Absence):
            extra = "" if isinstance(htx.extra, Absence) else f" extra={htx.extra}"
            yield (
                f"      htx={pointer(htx.address)} flags={htx.flags:#x} size={htx.size} data={htx.data}"
                f" used={htx.used} wrap={'YES' if htx.wraps else 'NO'}{extra}"
            )


def _date(seconds: int) -> str:
    """The date of a connection, in UTC: HAProxy prints its local time, which a core does not tell."""
    try:
        return time.strftime("%d/%b/%Y:%H:%M:%S", time.gmtime(seconds))
    except (OverflowError, ValueError, OSError):
        return f"{seconds}"


def _proxy(proxy: Proxy | Absence) -> str:
    return "?" if isinstance(proxy, Absence) else f"{proxy.name} (id={proxy.identifier} mode={proxy.mode})"


def target_text(target: Object) -> str:
    """``SERVER:0x...``."""
    return f"{target.kind or '!INVAL!'}:{pointer(target.address)}"


def _mask(task: StreamTask | Absence) -> int | Absence:
    return task if isinstance(task, Absence) else task.mask


def _filter(one: Filter) -> str:
    return (
        f'      current_filter={pointer(one.address)} (id="{one.name}" flags={one.flags:#x}'
        f" pre={one.before:#x} post={one.after:#x}) "
    )


def _calls(one: Filter) -> str:
    return "" if isinstance(one.calls, Absence) else f" [{one.calls}]"


def _signed(value: int) -> int:
    return value - (1 << 32) if value >> 31 & 1 else value
