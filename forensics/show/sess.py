"""`show sess`: the streams of the process, one a line, or each with all that hangs on it (src/stream.c)."""

from __future__ import annotations

from collections.abc import Iterator

from forensics.absence import Absence
from forensics.errors import UsageError
from forensics.haproxy.channel import Channel
from forensics.haproxy.clock import Moment, read_moment
from forensics.haproxy.flags import branch_of
from forensics.haproxy.proxy import BACKEND
from forensics.haproxy.side_expiry import receive_expiry, send_expiry
from forensics.haproxy.state import State
from forensics.haproxy.stconn import Side
from forensics.haproxy.stream import Stream, Streams
from forensics.haproxy.ticks import ETERNITY
from forensics.show.answer import Answer, Question
from forensics.show.secrets import Secrets
from forensics.show.sess_details import Details
from forensics.show.sess_plain import plain
from forensics.show.spans import human_time, pointer, until

_NONE = "<NONE>"
_SUSPICIOUS = "susp"


def answer(state: State, question: Question) -> Answer | Absence:
    """All streams, in the order of the threads: in a line each, or with ``all`` in detail; or the one at an address.

    ``susp`` (3.0) tells in detail of those that have no timer, or one that has passed, or no client any more.
    """
    layout, moment = state.space.layout("stream"), read_moment(state.space)
    if isinstance(layout, Absence):
        return Absence("streams", layout.reason, layout.remedy)
    if isinstance(moment, Absence):
        return moment
    wanted = _wanted(question.arguments)
    shown = _Shown(state, question, moment, wanted)
    return Answer(shown.lines, shown.data, shown.gaps)


def _wanted(arguments: tuple[str, ...]) -> int | None:
    """The address of a stream, 0 for all of them in detail, None for a line each."""
    if not arguments:
        return None
    if arguments in (("all",), (_SUSPICIOUS,)):
        return 0
    try:
        return int(arguments[0], 16 if arguments[0].startswith("0x") else 10) if len(arguments) == 1 else _refuse()
    except ValueError:
        return _refuse()


def _refuse() -> int:
    raise UsageError("`show sess` takes `all`, `susp`, or the address of a stream", "`show sess CORE` lists them")


class _Shown:
    """The answer while it is made."""

    def __init__(self, state: State, question: Question, moment: Moment, wanted: int | None) -> None:
        self.state, self.question, self.moment, self.wanted = state, question, moment, wanted
        self.streams = Streams(state.space, moment)
        self.secrets = Secrets(hidden=question.scrub)
        self.seen = 0

    def _chosen(self) -> Iterator[Stream]:
        """The streams that were asked for."""
        first, most = self.question.offset, self.question.limit
        choose = self.question.arguments == (_SUSPICIOUS,)
        place = -1
        for address in self.streams.addresses():
            if self.wanted and address != self.wanted:
                continue
            stream: Stream | Absence | None = self.streams.read(address) if choose or self.wanted else None
            if isinstance(stream, Stream) and choose and not suspicious(stream, self.moment):
                continue
            place += 1
            if not self.wanted and (place < first or (most and place >= first + most)):
                continue
            stream = stream or self.streams.read(address)
            if isinstance(stream, Absence):
                self.streams.leads.report(f"stream {address:#x}", stream)
                continue
            self.seen += 1
            yield stream

    def lines(self) -> Iterator[str]:
        """As text."""
        details = Details(
            self.state.space, self.moment, self.secrets, branch_of(self.state.release), self.streams.leads
        )
        for stream in self._chosen():
            if self.wanted is None:
                yield one_line(self.state, self.moment, self.secrets, stream)
            else:
                yield from details.lines(stream)
        if self.wanted and not self.seen:
            yield "Session not found."

    def data(self) -> object:
        """For JSON."""
        branch = branch_of(self.state.release)
        return [plain(stream, self.state.space, self.secrets, branch) for stream in self._chosen()]

    def gaps(self) -> tuple[Absence, ...]:
        """Lists with a broken link, and pointers that lead nowhere."""
        broken = [walk.broken for walk in self.streams.walks if walk.broken is not None]
        return (
            *(Absence(f"streams behind {one.address:#x}", f"{one.reason} ({one.value:#x})") for one in broken),
            *self.streams.leads.broken,
        )


def suspicious(stream: Stream, moment: Moment) -> bool:
    """Whether a stream may hang: it has no timer to wake it, or one that has passed, or its client's side is gone."""
    task, front = stream.task, stream.front
    if isinstance(task, Absence) or task.expire == ETERNITY or moment.expired(task.expire):
        return True
    return isinstance(front, Absence) or not front.endpoint_address


def one_line(state: State, moment: Moment, secrets: Secrets, stream: Stream) -> str:
    """One stream as HAProxy's CLI prints it; what its release does not have is not there."""
    task = stream.task
    ran, calls = (0, 0) if isinstance(task, Absence) else (task.state, task.calls)
    epoch = "" if isinstance(stream.epoch, Absence) else f" epoch={_hex(stream.epoch)}"
    head = (
        f"{pointer(stream.address)}: proto={protocol_of(stream)}{_source(stream, secrets)} ts={ran:02x}{epoch}"
        f" age={human_time(stream.age)} calls={calls} rate={stream.rate} cpu={stream.cpu} lat={stream.latency}"
    )
    channels = f" rq[{_channel(moment, stream.request)}] rp[{_channel(moment, stream.response)}]"
    front = _side(state, moment, stream.front, stream.back, stream.request, stream.response)
    back = _side(state, moment, stream.back, stream.front, stream.response, stream.request)
    old = isinstance(stream.front, Side) and isinstance(stream.front.expire, int)
    names = ("s0", "s1") if old else ("scf", "scb")
    tail = "" if isinstance(task, Absence) else f" exp={until(moment, task.expire)}"
    if not isinstance(stream.connect_exp, Absence):
        tail += f" rc={stream.retries} c_exp={until(moment, stream.connect_exp)}"
    if not isinstance(task, Absence) and task.queued:
        tail += f" run(nice={task.nice})"
    return f"{head}{channels} {names[0]}=[{front}] {names[1]}=[{back}]{tail}"


def protocol_of(stream: Stream) -> str:
    """The protocol of the listener, ``?`` where there is none."""
    return "?" if isinstance(stream.listener, Absence) else stream.listener.protocol or "?"


def _hex(value: int) -> str:
    """C's ``%#x``: zero has no prefix."""
    return f"{value:#x}" if value else "0"


def _source(stream: Stream, secrets: Secrets) -> str:
    """Where it comes from and goes to; nothing of it where the client has no address, as HAProxy has it."""
    if isinstance(stream.source, Absence) or isinstance(stream.source.source, Absence):
        return ""
    address = stream.source.source
    if not address.family:
        return ""
    listener = 0 if isinstance(stream.listener, Absence) else stream.listener.identifier
    source = f"unix:{listener}" if address.family == "unix" else f"{secrets.host(address)}:{address.port}"
    frontend = "?" if isinstance(stream.frontend, Absence) else stream.frontend.name
    server = "<none>" if isinstance(stream.server, Absence) else stream.server.name
    return f" src={source} fe={frontend} be={backend_of(stream)} srv={server}"


def backend_of(stream: Stream) -> str:
    """The backend's name; ``<NONE>`` while the stream is handled by a frontend alone."""
    if isinstance(stream.backend, Absence):
        return "?"
    return stream.backend.name if stream.backend.capabilities & BACKEND else _NONE


def _channel(moment: Moment, channel: Channel | Absence) -> str:
    if isinstance(channel, Absence):
        return "?"
    text = f"f={channel.flags:06x}h,i={channel.input},an={channel.analysers:02x}h"
    if isinstance(channel.read_exp, int):
        text += f",rx={until(moment, channel.read_exp)},wx={until(moment, channel.write_exp)}"
    return f"{text},ax={until(moment, channel.analyse_exp)}"


def _side(
    state: State, moment: Moment, side: Side | Absence, opposite: Side | Absence,
    receives: Channel | Absence, sends: Channel | Absence,
) -> str:  # fmt: skip
    """A side: up to 2.5 with its timer, since 2.8 with those of both directions."""
    if isinstance(side, Absence):
        return "?"
    connection = side.connection
    if isinstance(side.expire, int):
        fd = -1 if isinstance(connection, Absence) else connection.handle
        return f"{side.state_value},{side.flags:x}h,fd={fd},ex={until(moment, side.expire)}"
    text = f"{side.state_value},{side.flags:x}h,fd={-1 if isinstance(connection, Absence) else connection.fd}"
    if isinstance(side.last_read, int):
        receive = receive_expiry(state.space, side, opposite, receives)
        send = send_expiry(state.space, side, sends)
        text += f",rex={until(moment, receive)},wex={until(moment, send)}"
    return text
