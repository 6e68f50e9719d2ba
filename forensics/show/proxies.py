"""`show proxies`: frontends and backends with their listeners and servers (a form of ours: HAProxy has none)."""

from __future__ import annotations

from collections.abc import Iterator

from forensics.absence import Absence
from forensics.haproxy.leads import Leads
from forensics.haproxy.listener import Listener, read_listener
from forensics.haproxy.proxy import BACKEND, FRONTEND, Proxy, iter_listeners, iter_proxies, read_proxy
from forensics.haproxy.server import Server, iter_servers
from forensics.haproxy.sockaddr import SocketAddress
from forensics.haproxy.state import State
from forensics.haproxy.structs import Struct
from forensics.haproxy.walks import Walk
from forensics.show.answer import Answer, Question
from forensics.show.secrets import Secrets


def answer(state: State, question: Question) -> Answer | Absence:
    """All proxies, in the order of HAProxy's list: the newest first."""
    layout = state.space.layout("proxy")
    if isinstance(layout, Absence):
        return Absence("proxies", layout.reason, layout.remedy)
    shown = _Shown(state, question)
    return Answer(shown.lines, shown.data, shown.gaps)


class _Shown:
    """The answer while it is made."""

    def __init__(self, state: State, question: Question) -> None:
        self.state, self.question = state, question
        self.secrets = Secrets(hidden=question.scrub)
        self.leads = Leads()
        self.walks: list[Walk] = []

    def _walk(self) -> Walk:
        self.walks.append(Walk())
        return self.walks[-1]

    def _chosen(self) -> Iterator[Struct]:
        first, most = self.question.offset, self.question.limit
        for place, struct in enumerate(iter_proxies(self.state.space, self._walk())):
            if place >= first and (not most or place < first + most):
                yield struct

    def lines(self) -> Iterator[str]:
        """As text."""
        for struct in self._chosen():
            proxy = read_proxy(struct)
            yield _proxy(proxy)
            for listener in iter_listeners(struct, self._walk()):
                yield self._listener(read_listener(listener, self.leads))
            for server in iter_servers(struct, self._walk()):
                yield self._server(server)

    def _listener(self, one: Listener) -> str:
        name = f" {one.name}" if one.name else ""
        return f"  listener{name} {self._place(one.bound)} {one.state} fd={one.fd}: {one.connections} connections"

    def _server(self, one: Server) -> str:
        admin = f" ({' '.join(one.admin)})" if one.admin else ""
        port = one.port if isinstance(one.target, SocketAddress) and one.target.family.startswith("ip") else 0
        return (
            f"  server {one.name} (id={one.identifier}) {self._place(one.target, port)} {one.state}{admin}"
            f" weight={one.weight}: {one.sessions} sessions, {one.served} served, {one.queued} queued;"
            f" connections: {one.used} used, {one.idle} idle"
        )

    def _place(self, address: SocketAddress | Absence, port: int = 0) -> str:
        if isinstance(address, Absence) or not address.family:
            return "?"
        host = self.secrets.host(address)
        return f"unix@{host}" if address.family == "unix" else f"{host}:{port or address.port}"

    def data(self) -> object:
        """For JSON."""
        return [self._plain(struct) for struct in self._chosen()]

    def _plain(self, struct: Struct) -> dict[str, object]:
        proxy = read_proxy(struct)
        listeners = (read_listener(one, self.leads) for one in iter_listeners(struct, self._walk()))
        return {
            "address": proxy.address, "id": proxy.identifier, "name": proxy.name, "kind": _kind(proxy),
            "mode": proxy.mode, "status": proxy.status, "frontend_streams": proxy.frontend_streams,
            "backend_streams": proxy.backend_streams, "served": proxy.served, "queued": proxy.queued,
            "file": proxy.file, "line": proxy.line,
            "listeners": [
                {"address": one.address, "name": one.name, "bound": self._place(one.bound), "state": one.state,
                 "fd": one.fd, "connections": one.connections}
                for one in listeners
            ],
            "servers": [
                {"address": one.address, "id": one.identifier, "name": one.name, "state": one.state,
                 "admin": list(one.admin), "sessions": one.sessions, "served": one.served, "queued": one.queued,
                 "used": one.used, "idle": one.idle, "weight": one.weight, "target": self._place(one.target, one.port)}
                for one in iter_servers(struct, self._walk())
            ],
        }  # fmt: skip

    def gaps(self) -> tuple[Absence, ...]:
        """Lists with a broken link, and pointers that lead nowhere."""
        broken = [walk.broken for walk in self.walks if walk.broken is not None]
        return (
            *(Absence(f"list behind {one.address:#x}", f"{one.reason} ({one.value:#x})") for one in broken),
            *self.leads.broken,
        )


def _kind(proxy: Proxy) -> str:
    """``listen`` is both; the log or a ring of HAProxy's own may be neither."""
    both = proxy.capabilities & (FRONTEND | BACKEND)
    return {FRONTEND | BACKEND: "listen", FRONTEND: "frontend", BACKEND: "backend"}.get(both, "proxy")


def _proxy(proxy: Proxy) -> str:
    where = f" {proxy.file}:{proxy.line}" if proxy.file else ""
    counts = []
    if proxy.capabilities & FRONTEND:
        counts.append(f"{proxy.frontend_streams} streams in front")
    if proxy.capabilities & BACKEND:
        counts.append(f"{proxy.backend_streams} streams behind, {proxy.served} served, {proxy.queued} queued")
    name = f"{_kind(proxy)} {proxy.name}"
    return f"{name} (id={proxy.identifier} mode={proxy.mode}) {proxy.status}{where}: {'; '.join(counts)}"
