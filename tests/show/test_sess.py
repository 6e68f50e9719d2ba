"""`show sess`: what a live HAProxy answers, its core answers too."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from forensics.absence import Absence
from forensics.errors import UsageError
from forensics.haproxy.clock import Moment, read_moment
from forensics.haproxy.sockaddr import SocketAddress
from forensics.haproxy.stream import Stream, Streams
from forensics.haproxy.stream_task import StreamTask
from forensics.haproxy.ticks import tick_add
from forensics.record import replace
from forensics.show.answer import Question
from forensics.show.asked import answer_of
from forensics.show.output import json_text
from forensics.show.secrets import Secrets
from forensics.show.sess import suspicious
from tests.show.held_streams import BUILDS, Taken, taken

pytestmark = [pytest.mark.xdist_group("haproxy")]

#: What moves by itself between the answer and the core: ages and rates by the clock, timers that count down. Whether
#: a timer is set is compared. ``updt`` and ``umask`` tell of updates that a poller's next round clears.
_TIMERS = re.compile(r"\b(exp|c_exp|conn_exp|an_exp|rex|wex|rto|wto|rx|wx|ax|ex|\.exp)=([0-9]+[dhms])+")
_MOVING = re.compile(r"\b(age|rate|updt)=\S+?(?=[ )]|$)")


def comparable(lines: list[str]) -> list[str]:
    """Lines without what moves; HAProxy adds ``+0`` to names of static functions, and an empty line at the end."""
    return [
        _MOVING.sub(r"\1=*", _TIMERS.sub(r"\1=set", line)).replace("+0)", ")")
        for line in lines
        if line and not line.startswith("  + ")
    ]


def blocks(lines: list[str]) -> dict[str, list[str]]:
    """The lines of each stream by its address, without the stream of the CLI that was asking."""
    found: dict[str, list[str]] = {}
    for line in lines:
        if line.startswith("0x"):
            found[line.split(":")[0]] = []
        found[list(found)[-1]].append(line)
    return {address: block for address, block in found.items() if "frontend=GLOBAL" not in block[2]}


def others(lines: list[str]) -> list[str]:
    """Without the line of the CLI's own stream."""
    return [line for line in lines if "fe=GLOBAL" not in line]


@pytest.mark.parametrize("build", [*BUILDS, "package-3.2"])
def test_the_core_lists_the_streams_that_the_live_process_lists(build: str) -> None:
    one = taken(build)
    live = comparable(others(one.answers["show sess"].splitlines()))
    assert len(live) >= 8
    assert comparable(one.ask("sess")) == live


@pytest.mark.parametrize("build", BUILDS)
def test_each_stream_has_all_its_details(build: str) -> None:
    one = taken(build)
    live, dead = (
        blocks(comparable(lines)) for lines in (one.answers["show sess all"].splitlines(), one.ask("sess", "all"))
    )
    assert list(dead) == list(live)
    assert len(live) >= 8
    for address, lines in live.items():
        assert dead[address] == lines


def test_timers_and_ages_differ_by_seconds_only() -> None:
    one = taken("haproxy-3.0")
    pattern = re.compile(r"^(0x\w+):.* age=(\d+)s .* exp=59m(\d+)s")
    live = {found[1]: found for line in one.answers["show sess"].splitlines() if (found := pattern.match(line))}
    dead = {found[1]: found for line in one.ask("sess") if (found := pattern.match(line))}
    assert len(dead) >= 5
    for address, found in dead.items():
        assert 0 <= int(found[2]) - int(live[address][2]) <= 5
        assert 0 <= int(live[address][3]) - int(found[3]) <= 5


def test_one_stream_is_asked_for_by_its_address() -> None:
    one = taken("haproxy-3.0")
    every = blocks(one.ask("sess", "all"))
    address = list(every)[2]
    assert one.ask("sess", address) == every[address]
    assert one.ask("sess", "0x10") == ["Session not found."]


@pytest.mark.parametrize("words", [("some",), ("0xzz",), ("all", "all")])
def test_other_words_are_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="address of a stream"):
        taken("haproxy-3.0").ask("sess", *words)


def test_streams_that_may_hang_are_told_alone() -> None:
    one = taken("haproxy-3.0")
    assert one.ask("sess", "susp") == []  # all of them have timers, and clients
    state = one.state
    moment = read_moment(state.space)
    assert isinstance(moment, Moment)
    streams = Streams(state.space, moment)
    stream = streams.read(next(streams.addresses()))
    assert isinstance(stream, Stream)
    assert isinstance(stream.task, StreamTask)
    assert not suspicious(stream, moment)
    assert suspicious(stream, Moment(tick_add(stream.task.expire, 1), moment.seconds))
    assert suspicious(replace(stream, task=replace(stream.task, expire=0)), moment)
    assert suspicious(replace(stream, front=Absence("stconn", "gone")), moment)


def test_a_part_of_the_list_can_be_asked_for() -> None:
    one = taken("haproxy-3.0")
    assert one.ask("sess", limit=2, offset=1) == one.ask("sess")[1:3]


@pytest.mark.parametrize(
    ("build", "lines"),
    [
        ("haproxy-2.2", ["front flags: WAIT_DATA RXBLK_CHAN", "front conn_stream flags: EOI MAY_SPLICE"]),
        ("haproxy-2.6", ["front flags: WONT_READ", "res analysers: RES_WAIT_HTTP RES_HTTP_PROCESS"]),
        ("haproxy-3.0", ["front flags: EOI WONT_READ RCV_ONCE", "back connection flags: CTRL_READY XPRT_READY"]),
    ],
)
def test_flags_are_told_by_name(build: str, lines: list[str]) -> None:
    shown = {line.removeprefix("  + ") for line in taken(build).ask("sess", "all") if line.startswith("  + ")}
    assert set(lines) <= shown
    assert any(line.startswith("stream flags: ") and line.endswith(" REDIRECTABLE HTX") for line in shown)
    assert not any("0x" in line for line in shown if " flags: " in line)


def test_the_last_rule_and_the_one_that_waits_are_told_with_their_place() -> None:
    shown = taken("haproxy-3.0").ask("sess", "all")
    assert any(re.fullmatch(r'  current_rule="wait-for-body" \[haproxy.cfg:\d+\]', line) for line in shown)
    assert any(re.fullmatch(r"  \+ last rule: haproxy.cfg:\d+", line) for line in shown)


def test_unique_ids_are_hidden_unless_they_are_asked_for() -> None:
    one = taken("haproxy-3.0")
    secret = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-")
    hidden, open_ = "\n".join(one.ask("sess", "all")), "\n".join(one.ask("sess", "all", scrub=False))
    assert secret.search(open_)
    assert not secret.search(hidden)
    assert "unique id: <id-1>" in hidden


def test_json_hides_and_shows_the_same() -> None:
    one = taken("haproxy-3.0")
    documents = [_json(one, scrub=scrub) for scrub in (True, False)]
    ids = [[stream["unique_id"] for stream in document["data"] if stream["unique_id"]] for document in documents]
    assert ids[0][:2] == ["<id-1>", "<id-2>"]
    assert len(ids[0]) == len(set(ids[1])) >= 6
    first = documents[0]["data"][0]
    assert first["front"]["connection"]["mux"] == "H1"
    assert first["names"]["stream flags"]
    assert documents[0]["gaps"] == []


def _json(one: Taken, *, scrub: bool) -> Any:
    answer = answer_of(one.state, "sess", Question(scrub=scrub))
    return json.loads(json_text(answer))  # type: ignore[arg-type]


def test_an_address_has_the_same_placeholder_all_over_an_answer() -> None:
    secrets = Secrets(hidden=True)
    client, other = (SocketAddress("ipv4", host, 1000) for host in ("192.0.2.7", "198.51.100.9"))
    assert [secrets.host(one) for one in (client, other, client)] == ["<ip-1>", "<ip-2>", "<ip-1>"]
    assert secrets.host(SocketAddress("ipv4", "127.0.0.1", 80)) == "127.0.0.1"
    assert secrets.text("uri", "GET /secret") == secrets.text("uri", "GET /secret") == "<uri-1>"
    assert Secrets(hidden=False).host(client) == "192.0.2.7"
