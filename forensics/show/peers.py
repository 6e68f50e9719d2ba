"""`show peers`: sections, peers, and the tables that they share (peers_dump_head(), peers_dump_peer(), peers.c)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from forensics.absence import Absence
from forensics.haproxy.clock import Moment, read_moment
from forensics.haproxy.leads import number
from forensics.haproxy.peer_session import PeerSession, peer_address, read_session
from forensics.haproxy.peers import Peer, PeersSection, SharedTable, read_peers
from forensics.haproxy.state import State
from forensics.haproxy.structs import Struct
from forensics.haproxy.walks import Walk
from forensics.report.scrub import scrub_text
from forensics.show.answer import Answer, Question
from forensics.show.spans import span, until_or_past

#: PEER_SESS_SC_* (peers.c): what a session ended in, or where it is.
_STATUS = {
    100: "CONN", 110: "HSHK", 200: "ESTA", 300: "RETR", 501: "PROT", 502: "VERS", 503: "NAME", 504: "UNKN",
}  # fmt: skip
#: Enumerations of a peer's states, and their names by number (peers-t.h, 3.0-dev5), where they are not declared.
_STATES = {
    "appstate": ("peer_app_state", ("STOPPED", "STARTING", "RUNNING", "STOPPING")),
    "learnstate": ("peer_learn_state", ("NOTASSIGNED", "ASSIGNED", "PROCESSING", "FINISHED")),
}
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
#: Members of struct peer that count, in the order of the command; `coll` since 2.3.
_COUNTERS = ("confirm", "tx_hbt", "rx_hbt", "no_hbt", "new_conn", "proto_err", "coll")


def answer(state: State, question: Question) -> Answer | Absence:
    """All sections, or the one that is named."""
    walks: list[Walk] = []
    sections = read_peers(state.space, walks)
    if isinstance(sections, Absence):
        return sections
    if not sections:
        return Absence("peers sections", "the process has none (cfg_peers is NULL)")
    if question.arguments:
        sections = tuple(one for one in sections if one.id == question.arguments[0])
        if not sections:
            return Absence(f"peers section {question.arguments[0]}", "there is no such section")
    now = read_moment(state.space)
    writer = _Writer(now if isinstance(now, Moment) else Moment(0, 0), scrub=question.scrub)
    broken = tuple(_broken(walk) for walk in walks if walk.broken is not None)
    clock = () if isinstance(now, Moment) else (now,)
    return Answer(
        lambda: writer.lines(sections), lambda: [writer.plain(one) for one in sections], lambda: (*broken, *clock)
    )


def _broken(walk: Walk) -> Absence:
    found = walk.broken
    assert found is not None  # only such walks come here
    return Absence("what stands behind a broken link", f"at {found.address:#x}: {found.reason}")


class _Writer:
    """The text of the command, as it was ``now``; ``scrub`` hides addresses."""

    def __init__(self, now: Moment, *, scrub: bool) -> None:
        self._now = now
        self._scrub = scrub

    def lines(self, sections: Sequence[PeersSection]) -> Iterator[str]:
        """Sections with a blank line between them."""
        for place, section in enumerate(sections):
            if place:
                yield ""
            yield self._head(section)
            for peer in section.peers:
                yield from self._peer(peer)

    def _head(self, section: PeersSection) -> str:
        one = section.struct
        changed = time.gmtime(number(one, "last_change") % (1 << 36))
        date = (
            f"{changed.tm_mday:02d}/{_MONTHS[changed.tm_mon - 1]}/{changed.tm_year:04d}:{time.strftime('%T', changed)}"
        )
        task = one.follow("sync_task", "task")
        # `state` until 2.3.
        member = one.first("disabled", "state")
        disabled = f"{member}={number(one, member)}" if isinstance(member, str) else "disabled=0"
        return (
            f"{section.address:#x}: [{date}] id={section.id} {disabled} flags={number(one, 'flags'):#x}"
            f" resync_timeout={until_or_past(self._now, number(one, 'resync_timeout'))}"
            f" task_calls={number(task, 'calls') if isinstance(task, Struct) else 0}"
        )

    def _peer(self, peer: Peer) -> Iterator[str]:
        one = peer.struct
        session = read_session(one.space, one)
        yield self._first(peer) + ("" if one.has("last_hdshk") else self._timers(one))
        if one.has("last_hdshk"):  # 2.4
            yield f"        {self._timers(one).lstrip()}"
        yield from self._session(one, session)
        for name, address in (("remote_table", peer.remote_table), ("last_local_table", peer.last_local_table)):
            yield from _chosen(name, address, peer)
        if peer.tables:
            yield "        shared tables:"
        for table in peer.tables:
            yield from _shared(table)
            if one.has("last_hdshk"):  # what 2.2 shows of dictionaries unasked is left out
                yield '        Dictionary cache not dumped (use "show peers dict")'

    def _first(self, peer: Peer) -> str:
        one = peer.struct
        host, port = peer_address(one.space, one)
        states = "".join(
            f" {shown}={_state_name(one, member)}"
            for shown, member in (("app_state", "appstate"), ("learn_state", "learnstate"))
            if one.has(member)
        )
        handshake = number(one, "last_hdshk")
        since = span(-self._now.left(handshake)) if handshake else "<NEVER>"
        return (
            f"  {peer.address:#x}: id={peer.id}({'local' if peer.local else 'remote'},"
            f"{'active' if number(one, 'appctx') else 'inactive'}) addr={self._address(host)}:{port}{states}"
            f" last_status={_STATUS.get(number(one, 'statuscode'), 'NONE')}"
            + (f" last_hdshk={since}" if one.has("last_hdshk") else "")
        )

    def _timers(self, one: Struct) -> str:
        shown = f" reconnect={until_or_past(self._now, number(one, 'reconnect'))}"
        if one.has("last_hdshk"):
            shown += f" heartbeat={until_or_past(self._now, number(one, 'heartbeat'))}"
        return shown + "".join(f" {name}={number(one, name)}" for name in _COUNTERS if one.has(name))

    def _session(self, one: Struct, session: PeerSession | Absence) -> Iterator[str]:
        flags = f"        flags={number(one, 'flags'):#x}"
        if isinstance(session, Absence):
            yield flags
            return
        state = f" state={session.state}" if session.state else ""
        calls = f"st0={session.st0} st1={session.st1} task_calls={session.calls}"
        yield f"{flags} appctx:{session.address:#x} {calls}{state}"
        if session.transport:
            ends = "".join(
                f" {name}={self._address(host)}:{port}"
                for name, (host, port) in (("src", session.source), ("addr", session.destination))
                if host
            )
            yield f"        xprt={session.transport}{ends}"

    def _address(self, host: str) -> str:
        return scrub_text(host) if self._scrub else host

    def plain(self, section: PeersSection) -> dict[str, object]:
        """A section for JSON."""
        return {
            "name": section.id, "address": section.address, "source": f"{section.file}:{section.line}",
            "flags": f"{number(section.struct, 'flags'):#x}",
            "resync_timeout": until_or_past(self._now, number(section.struct, "resync_timeout")),
            "peers": [self._plain_peer(one) for one in section.peers],
        }  # fmt: skip

    def _plain_peer(self, peer: Peer) -> dict[str, object]:
        one = peer.struct
        host, port = peer_address(one.space, one)
        return {
            "name": peer.id, "address": peer.address, "local": peer.local, "active": number(one, "appctx") != 0,
            "host": self._address(host), "port": port, "flags": f"{number(one, 'flags'):#x}",
            "status": _STATUS.get(number(one, "statuscode"), "NONE"),
            "app_state": _state_name(one, "appstate"), "learn_state": _state_name(one, "learnstate"),
            "reconnect": until_or_past(self._now, number(one, "reconnect")),
            "heartbeat": until_or_past(self._now, number(one, "heartbeat")),
            "counters": {name: number(one, name) for name in _COUNTERS if one.has(name)},
            "tables": [{"name": table.table, "address": table.address} | table.numbers for table in peer.tables],
        }  # fmt: skip


def _state_name(one: Struct, member: str) -> str:
    """The name of an enumeration's value, without the prefix; "" where the build has no such member (until 2.9)."""
    if not one.has(member):
        return ""
    enumeration, known = _STATES[member]
    names = one.space.enumeration(enumeration) or dict(enumerate(known))
    return names.get(number(one, member), "UNKNOWN").split("_ST_", 1)[-1]


def _chosen(name: str, address: int, peer: Peer) -> Iterator[str]:
    table = next((one for one in peer.tables if one.address == address), None)
    if table is not None:
        ids = f"local_id={table.numbers.get('local_id', 0)} remote_id={table.numbers.get('remote_id', 0)}"
        yield f"        {name}:{address:#x} id={table.table} {ids}"


def _shared(shared: SharedTable) -> Iterator[str]:
    told = shared.numbers.get
    yield (
        f"          {shared.address:#x} local_id={told('local_id', 0)} remote_id={told('remote_id', 0)}"
        f" flags={told('flags', 0) & 0xFFFFFFFF:#x} remote_data={told('remote_data', 0):#x}"
    )
    names = ("last_acked", "last_pushed", "last_get", "teaching_origin", "update")
    yield "              " + " ".join(f"{name}={told(name)}" for name in names if name in shared.numbers)
    # `refcnt` was `syncing` until 2.3; the counters of updates went one by one (3.3, 3.4).
    members = ("update", "localupdate", "commitupdate", "refcnt", "syncing")
    table = "".join(f" {name}={shared.table_numbers[name]}" for name in members if name in shared.table_numbers)
    yield f"              table:{shared.table_address:#x} id={shared.table}{table}"
