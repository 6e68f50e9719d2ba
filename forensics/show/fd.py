"""`show fd`: the open descriptors and whom they belong to (cli_io_handler_show_fd, src/cli.c).

Addresses are those that HAProxy had asked for: the kernel, which knows them all, is not in a core. What QUIC
tells of its own state is not told.
"""

from __future__ import annotations

from collections.abc import Iterator

from forensics.absence import Absence
from forensics.errors import UsageError
from forensics.haproxy.clock import read_moment
from forensics.haproxy.connection import Connection
from forensics.haproxy.fd import Descriptor, Descriptors
from forensics.haproxy.flags import Branch, branch_of, names_of
from forensics.haproxy.listener import Listener
from forensics.haproxy.server import Server
from forensics.haproxy.sockaddr import SocketAddress
from forensics.haproxy.state import State
from forensics.show.answer import Answer, Question
from forensics.show.mux import MuxText
from forensics.show.secrets import Secrets
from forensics.show.spans import pointer

#: Letters of the polling status from HUP to IN, and the bit of the last one: in ``ev`` up to 2.3, in ``state`` since.
_POLLED = "heopi"
_POLL_SHIFT = 8


def answer(state: State, question: Question) -> Answer | Absence:
    """All open descriptors by number, or the one that was asked for."""
    for name in ("fdtab", "global"):
        layout = state.space.layout(name)
        if isinstance(layout, Absence):
            return Absence("descriptors", layout.reason, layout.remedy)
    shown = _Shown(state, question)
    return Answer(shown.lines, shown.data, shown.gaps)


class _Shown:
    """The answer while it is made."""

    def __init__(self, state: State, question: Question) -> None:
        self.state, self.question = state, question
        self.descriptors = Descriptors(state.space)
        self.secrets = Secrets(hidden=question.scrub)
        moment = read_moment(state.space)
        self.mux: MuxText | Absence = Absence("clock", "not read")
        if not isinstance(moment, Absence):
            self.mux = MuxText(state.space, moment, self.descriptors.leads)
        if question.arguments and not question.arguments[0].isdigit():
            raise UsageError("`show fd` takes the number of a descriptor", "`show fd CORE` lists them")

    def _chosen(self) -> Iterator[Descriptor]:
        first, most = self.question.offset, self.question.limit
        for place, one in enumerate(self.descriptors.iter_open()):
            if self.question.arguments:
                if one.fd == int(self.question.arguments[0]):
                    yield one
            elif place >= first and (not most or place < first + most):
                yield one

    def lines(self) -> Iterator[str]:
        """As text."""
        for one in self._chosen():
            yield _line(one, self.mux)

    def data(self) -> object:
        """For JSON."""
        branch = branch_of(self.state.release)
        return [_plain(one, self.secrets, branch) for one in self._chosen()]

    def gaps(self) -> tuple[Absence, ...]:
        """What could not be read."""
        return tuple(self.descriptors.leads.broken)


def _line(one: Descriptor, mux: MuxText | Absence) -> str:
    text = f"  {one.fd:5d} : {_head(one)} iocb={pointer(one.handler)}({one.function})"
    if isinstance(one.connection, Connection):
        text += _connection(one, one.connection, mux)
    elif isinstance(one.listener, Listener):
        text += f" l.st={one.listener.state} fe={one.listener.frontend}{_local(one.listener.bound)}"
    return text + (" !" if _suspicious(one) else "")


def _head(one: Descriptor) -> str:
    """The fields before the handler, in the form of 2.2, or in that of 2.4 and later."""
    state, owner = one.state, pointer(one.owner)
    masks = f"tmask={one.thread_mask:#x} umask={_hex(one.update_mask, '0x0')}"
    if isinstance(one.events, int):
        flags = ("L" if one.linger else "l") + ("C" if one.cloned else "c")
        ways = f"R:{_letters(state, 'ra', 1)} W:{_letters(state >> 4, 'ra', 1)}"
        events = f"ev=0x{one.events:02x}({_letters(one.events, _POLLED, 4)})"
        return f"st=0x{state:02x}({ways}) {events} [{flags}] {masks} owner={owner}"
    flags = ("C" if one.cloned else "c") + ("L" if one.linger else "l")
    ways = f"W:{_letters(state >> 4, 'sra', 2)} R:{_letters(state, 'sra', 2)}"
    text = f"st=0x{state:06x}({flags} {_letters(state >> _POLL_SHIFT, _POLLED, 4)} {ways})"
    if isinstance(one.reference, int):
        # HAProxy shifts by 4 where the count begins at bit 16 (2.6 to 3.0); what it prints is kept.
        text += f" ref={_hex(one.reference >> 4 & 0xFFFF)} gid={one.reference & 0xFFFF}"
    text += f" {masks}"
    if isinstance(one.poll_receive, int) and isinstance(one.poll_send, int):
        text += f" prmsk={_hex(one.poll_receive, '0x0')} pwmsk={_hex(one.poll_send, '0x0')}"
    text += f" owner={owner}"
    if isinstance(one.generation, int) and isinstance(one.takeovers, int):
        text += f" gen={one.generation} tkov={one.takeovers}"
    return text


def _hex(value: int, zero: str = "0") -> str:
    """C's ``%#x`` has no prefix for zero; ``0x%x`` has."""
    return f"{value:#x}" if value else zero


def _letters(bits: int, letters: str, top: int) -> str:
    """A letter for each bit from ``top`` down, in upper case where it is set."""
    return "".join(one.upper() if bits >> top - place & 1 else one for place, one in enumerate(letters))


def _connection(one: Descriptor, connection: Connection, mux: MuxText | Absence) -> str:
    error = "" if isinstance(one.events, int) else f" cerr={connection.error}"
    text = f" back={int(connection.back)} cflg=0x{connection.flags:08x}{error}"
    if connection.handle != one.fd:
        text += f" fd={connection.handle}(BOGUS)"
    else:
        local, remote = connection.destination, connection.source
        if connection.back:
            local, remote = remote, local
        text += _local(local if not isinstance(local, Absence) else _bound(one, remote))
        if isinstance(remote, SocketAddress) and remote.family.startswith("ip"):
            text += f" rport={remote.port}"
    text += f" {_owner(one)}" if not isinstance(one.target, Absence) else ""
    text += f" mux={connection.mux} ctx={pointer(connection.context)}" if connection.mux else " nomux"
    text += "" if isinstance(mux, Absence) else mux.of_connection(connection)
    text += f" xprt={connection.transport}"
    text += f" xprt_ctx={pointer(connection.transport_context)}" if connection.transport_context else ""
    return text if isinstance(mux, Absence) else text + mux.of_transport(connection)


def _bound(one: Descriptor, remote: SocketAddress | Absence) -> SocketAddress | Absence:
    """Family and port of our end where HAProxy did not ask for them: the listener's, or what the other end tells."""
    if isinstance(one.target, Listener):
        return one.target.bound
    return remote if isinstance(remote, SocketAddress) and remote.family == "unix" else Absence("address", "unknown")


def _local(address: SocketAddress | Absence) -> str:
    if isinstance(address, Absence) or not address.family:
        return ""
    return " fam=unix" if address.family == "unix" else f" fam={address.family} lport={address.port}"


def _owner(one: Descriptor) -> str:
    target = one.target
    if isinstance(target, Server):
        # 2.2 and 2.3 print the server first.
        names = (target.name, target.backend) if isinstance(one.events, int) else (target.backend, target.name)
        return f"sv={names[0]}/{names[1]}"
    if isinstance(target, Listener):
        return f"fe={target.frontend}"
    return f"px={target.name}" if not isinstance(target, Absence) else ""


def _suspicious(one: Descriptor) -> bool:
    """What HAProxy marks: nobody may use it, two may use a connection, or the connection says another descriptor."""
    connection = one.connection
    if not one.thread_mask:
        return True
    if isinstance(connection, Absence):
        return False
    shared = bool(one.thread_mask & (one.thread_mask - 1))
    return shared or connection.handle != one.fd or bool(connection.mux and not connection.context)


def _plain(one: Descriptor, secrets: Secrets, branch: Branch | None) -> dict[str, object]:
    connection, listener = one.connection, one.listener
    return {
        "fd": one.fd,
        "state": one.state,
        "names": list(names_of("FD", one.state, branch)),
        "thread_mask": one.thread_mask,
        "update_mask": one.update_mask,
        "owner": f"{one.owner:#x}",
        "handler": f"{one.handler:#x}",
        "function": one.function,
        "suspicious": _suspicious(one),
        "connection": None if isinstance(connection, Absence) else {
            "address": connection.address, "flags": connection.flags, "error": connection.error,
            "back": connection.back, "mux": connection.mux, "transport": connection.transport,
            "target": connection.target.kind, "source": _address(connection.source, secrets),
            "destination": _address(connection.destination, secrets), "of": _owner(one),
        },
        "listener": None if isinstance(listener, Absence) else {
            "address": listener.address, "name": listener.name, "state": listener.state,
            "frontend": listener.frontend, "bound": _address(listener.bound, secrets),
        },
    }  # fmt: skip


def _address(address: SocketAddress | Absence, secrets: Secrets) -> dict[str, object] | None:
    if isinstance(address, Absence):
        return None
    return {"family": address.family, "host": secrets.host(address), "port": address.port}
