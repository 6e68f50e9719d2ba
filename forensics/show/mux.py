"""What the HTTP muxes and TLS tell of themselves in `show fd` and, the muxes since 2.8, in `show sess all`.

Pieces of text that HAProxy puts behind each other (show_fd) or, some of them, on lines of their own (show_sd). The
form is that of 2.2 where streams are tied by a conn_stream, of 2.8 to 3.0 where muxes know show_sd, else that of 2.6.
"""

from __future__ import annotations

from forensics.absence import Absence
from forensics.haproxy.channel import Buffer
from forensics.haproxy.clock import Moment
from forensics.haproxy.connection import Connection
from forensics.haproxy.http_txn import METHODS
from forensics.haproxy.leads import Leads
from forensics.haproxy.mux_endpoint import Endpoint
from forensics.haproxy.mux_h1 import H1Connection, H1Stream, read_h1c, read_h1s
from forensics.haproxy.mux_h2 import H2Connection, H2Stream, read_h2c, read_h2s
from forensics.haproxy.ssl_sock import read_ssl_sock
from forensics.haproxy.stconn import Side
from forensics.haproxy.structs import TypedMemory
from forensics.haproxy.subscription import Subscription
from forensics.show.spans import pointer, until_or_past

#: Members of ``enum http_meth_t`` that have a name in HAProxy's output: all but the last.
_NAMED_METHODS = METHODS[:-1]


class MuxText:
    """Renders muxes of one process."""

    def __init__(self, space: TypedMemory, moment: Moment, leads: Leads) -> None:
        self.space, self.moment, self.leads = space, moment, leads
        layout = space.layout("mux_ops")
        self.new = not isinstance(layout, Absence) and "show_sd" in layout.fields

    def of_connection(self, connection: Connection) -> str:
        """The text for `show fd`; "" for muxes that tell nothing, or are not known here."""
        if connection.mux == "H1":
            return self._h1(connection.context)
        return self._h2(connection.context) if connection.mux == "H2" else ""

    def of_transport(self, connection: Connection) -> str:
        """The text of TLS for `show fd` (ssl_sock_show_fd); "" for other transports."""
        if connection.transport != "SSL" or not connection.transport_context:
            return ""
        one = read_ssl_sock(self.space, connection.transport_context, self.leads)
        if isinstance(one, Absence):
            self.leads.report(f"ssl_sock_ctx {connection.transport_context:#x}", one)
            return ""
        other = f" xctx.conn={pointer(one.connection)}(BOGUS)" if one.connection != connection.address else ""
        error = "" if isinstance(one.error, Absence) else f" .err={one.error}"
        below = f" .xprt={one.transport}" if one.transport else ""
        below += f" .xctx={pointer(one.transport_context)}" if one.transport and one.transport_context else ""
        waiting = f" .wait.ev={one.events}{_subscription(one.subscription)}"
        early = f" .sent_early={one.early_sent} .early_in={one.early_received}"
        return f"{other} xctx.st={one.state}{error}{below}{waiting}{early}"

    def of_side(self, side: Side, connection: Connection) -> list[str]:
        """The lines for `show sess all`, without indentation; none before 2.8."""
        if not self.new or not side.endpoint_address:
            return []
        if connection.mux == "H1":
            return self._h1_lines(side.endpoint_address)
        return self._h2_lines(side.endpoint_address) if connection.mux == "H2" else []

    def _h1(self, address: int) -> str:
        connection = read_h1c(self.space, address)
        if isinstance(connection, Absence):
            self.leads.report(f"h1c {address:#x}", connection)
            return ""
        text = self._h1c(connection)
        stream = read_h1s(self.space, connection.stream, self.leads) if connection.stream else None
        return text + "".join(self._h1s(stream)) if isinstance(stream, H1Stream) else text

    def _h1_lines(self, address: int) -> list[str]:
        stream = read_h1s(self.space, address, self.leads)
        if isinstance(stream, Absence):
            self.leads.report(f"h1s {address:#x}", stream)
            return []
        connection = read_h1c(self.space, stream.connection)
        lines = self._h1s(stream)
        if not isinstance(stream.subscription, Subscription):
            lines = [lines[0], lines[1] + lines[2]]
        known = "" if isinstance(connection, Absence) else self._h1c(connection)
        return [*lines, f" h1c={pointer(stream.connection)}{known}"]

    def _h1c(self, one: H1Connection) -> str:
        text = f" h1c.flg={one.flags:#x} .sub={one.events} .ibuf={_buffer(one.input)} .obuf={_buffer(one.output)}"
        text += _events(one.events_log)
        text += "" if isinstance(one.glitches, Absence) else f" .glitches={one.glitches}"
        return text + self._task(one.task, one.expire)

    def _h1s(self, one: H1Stream) -> list[str]:
        """Three pieces."""
        method = _NAMED_METHODS[one.method] if 0 <= one.method < len(_NAMED_METHODS) else "UNKNOWN"
        end = one.endpoint
        doubled = f" .sd.flg={end.flags:#x}" if not self.new and not end.old else ""
        states = f".req.state={one.request_state} .res.state={one.response_state}"
        return [
            f" h1s={pointer(one.address)} h1s.flg={one.flags:#x}{doubled} {states}",
            f" .meth={method} status={one.status}{_h1_endpoint(end)}",
            _subscription(one.subscription),
        ]

    def _h2(self, address: int) -> str:
        connection = read_h2c(self.space, address, self.leads)
        if isinstance(connection, Absence):
            self.leads.report(f"h2c {address:#x}", connection)
            return ""
        text = "".join(self._h2c(connection))
        stream = read_h2s(self.space, connection.last, self.leads) if connection.last else None
        if not isinstance(stream, H2Stream):
            return text
        return f"{text} last_h2s={pointer(stream.address)}{''.join(self._h2s(stream))}"

    def _h2_lines(self, address: int) -> list[str]:
        stream = read_h2s(self.space, address, self.leads)
        if isinstance(stream, Absence):
            self.leads.report(f"h2s {address:#x}", stream)
            return []
        connection = read_h2c(self.space, stream.connection, self.leads)
        first, *others = self._h2s(stream)
        known = [""] if isinstance(connection, Absence) else self._h2c(connection)
        return [
            f" h2s={pointer(address)}{first}", *others, f" h2c={pointer(stream.connection)}{known[0]}", *known[1:],
        ]  # fmt: skip

    def _h2c(self, one: H2Connection) -> list[str]:
        """Three pieces."""
        head, tail, size, first, last = one.output
        # 3.0 has a comma before the glitches, 3.2 another count.
        receiving = "," if isinstance(one.receiving, Absence) else f" .nbrcv={one.receiving}"
        glitches = "" if isinstance(one.glitches, Absence) else f"{receiving} .glitches={one.glitches}"
        ids = f".err={one.error} .maxid={one.highest_id} .lastid={one.last_id} .flg=0x{one.flags:04x}"
        counts = f".nbst={one.streams} .{'nbsc' if self.new else 'nbcs'}={one.tied}{glitches}{_events(one.events_log)}"
        lists = f".fctl_cnt={one.blocked} .send_cnt={one.sending} .tree_cnt={one.in_tree} .orph_cnt={one.orphans}"
        mux = "" if isinstance(one.mux_id, Absence) else f" .msi={one.mux_id}"
        ring = f".mbuf=[{head}..{tail}|{size}],h=[{_buffer(first)}],t=[{_buffer(last)}]"
        return [
            f" h2c.st0={one.state} {ids} {counts}",
            f" {lists} .sub={one.events} .dsi={one.demux_id} .dbuf={_buffer(one.demux)}",
            f"{mux} {ring}{self._task(one.task, one.expire)}",
        ]

    def _h2s(self, one: H2Stream) -> list[str]:
        """Three pieces."""
        received = "" if isinstance(one.received, Absence) else f" .rxbuf={_buffer(one.received)}"
        name = f"{'h2s' if self.new else ''}.id={one.identifier}"
        return [
            f" {name} .st={one.state} .flg=0x{one.flags:04x}{received}",
            self._h2_endpoint(one.endpoint),
            _subscription(one.subscription),
        ]

    def _h2_endpoint(self, end: Endpoint) -> str:
        if end.old:
            known = f"(.flg=0x{end.flags:08x} .data={pointer(end.application)})" if end.address else ""
            return f" .cs={pointer(end.address)}{known}"
        known = f"(.flg=0x{end.side_flags:08x} .app={pointer(end.application)})" if end.side else ""
        descriptor = f"(.flg=0x{end.flags:08x}{_events(end.events_log)})"
        return f" .sc={pointer(end.side)}{known}{' .sd' if self.new else 'sd'}={pointer(end.address)}{descriptor}"

    def _task(self, task: int, expire: int) -> str:
        """The mux's task, which 2.2 does not print."""
        layout = self.space.layout("h1s")
        if not isinstance(layout, Absence) and "cs" in layout.fields:
            return ""
        return f" .task={pointer(task)}" + (f" .exp={until_or_past(self.moment, expire)}" if task else "")


def _h1_endpoint(end: Endpoint) -> str:
    if end.old:
        return f" .cs.flg=0x{end.flags:08x} .cs.data={pointer(end.application)}" if end.address else ""
    text = f" .sd.flg=0x{end.flags:08x}{_events(end.events_log, ' .sd')}" if end.address else ""
    if isinstance(end.payload, tuple):
        text += f" .sd.kip={end.payload[0]} sd.kop={end.payload[1]}"
    if end.orphan:
        return text
    return f"{text} .sc.flg=0x{end.side_flags:08x} .sc.app={pointer(end.application)}{_events(end.side_events, ' .sc')}"


def _events(log: str | Absence, of: str = " ") -> str:
    return "" if isinstance(log, Absence) else f"{of}.evts={log}"


def _buffer(one: Buffer) -> str:
    return f"{one.data & 0xFFFFFFFF}@{pointer(one.area)}+{one.head & 0xFFFFFFFF}/{one.size & 0xFFFFFFFF}"


def _subscription(one: Subscription | Absence) -> str:
    if isinstance(one, Absence):
        return " .subs=(nil)"
    return (
        f" .subs={pointer(one.address)}(ev={one.events} tl={pointer(one.tasklet)} tl.calls={one.calls}"
        f" tl.ctx={pointer(one.context)} tl.fct={one.function})"
    )
