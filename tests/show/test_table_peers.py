"""`show table` and `show peers` of a core say what the living process said a moment before."""

from __future__ import annotations

import re
import shutil
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from forensics.absence import Absence
from forensics.elf.core import read_core
from forensics.haproxy.state import State
from forensics.haproxy.stick_table import read_tables
from forensics.haproxy.walks import Walk, iter_tree
from forensics.memory.open import open_bytes
from forensics.show.answer import Answer, Question
from forensics.show.asked import answer_of, open_state
from forensics.symbols.places import Places
from forensics.unwind.backtrace import Process
from samples.lab.builds import runnable
from samples.lab.living import Living, living
from tests.builders.overwritten import overwritten

#: Builds with DWARF; packages, which need a layout that is kept for their release.
SUBJECTS = ("haproxy-2.2", "haproxy-2.6", "haproxy-3.0", "package-3.0", "package-3.2", "package-3.4")
LAB = Path(__file__).resolve().parents[2] / ".lab"

pytestmark = [
    pytest.mark.xdist_group("haproxy"),
    pytest.mark.skipif(not shutil.which("gdb"), reason="gdb is not installed"),
]

#: Understood by 2.2 and everything newer. Rates have a long period, so that they stand still.
CONFIG = """\
global
    nbthread 2
    localpeer {name}
    stats socket unix@cli level admin
    stats timeout 30s

defaults
    mode http
    timeout client 5s
    timeout connect 5s
    timeout server 5s

peers cluster
    peer one 127.0.0.1:{ports[0]}
    peer two 127.0.0.1:{ports[1]}

frontend web
    bind 127.0.0.1:{ports[2]}
    http-request track-sc0 path table bytes
    http-request return status 200

backend addresses
    stick-table type ip size 100k expire 1h store gpc0,gpc0_rate(1h),conn_cur,gpt0,server_id peers cluster

backend sixes
    stick-table type ipv6 size 1k expire 1h store bytes_in_cnt,bytes_out_rate(1h),http_req_cnt peers cluster

backend numbers
    stick-table type integer size 1k store http_req_rate(1h),http_err_cnt

backend texts
    stick-table type string len 48 size 1k expire 1d store conn_cnt,sess_cnt{arrays}

backend bytes
    stick-table type binary len 8 size 10 expire 1d store conn_cnt,http_req_cnt
"""
ARRAYS = ",gpc(3),gpc_rate(2,1h)"
FILLING = (
    "set table addresses key 192.0.2.7 data.gpc0 5 data.gpc0_rate 900 data.gpt0 77 data.server_id 3",
    "set table addresses key 10.1.2.3 data.gpc0 4294967295",
    "set table addresses key 127.0.0.1",
    "set table sixes key 2001:db8::7 data.bytes_in_cnt 123456789012345 data.bytes_out_rate 70000",
    "set table sixes key ::1 data.http_req_cnt 1",
    "set table numbers key 4294967295 data.http_req_rate 1",
    "set table numbers key 0 data.http_err_cnt 12",
    "set table numbers key 7 data.http_req_rate 250",
    "set table texts key plain data.conn_cnt 1",
    "set table texts key with=equal data.sess_cnt 2",
)
TABLES = ("addresses", "sixes", "numbers", "texts", "bytes")


@dataclass
class Taken:
    """What a living process said, and the state that its core tells."""

    said: dict[str, str]
    later: dict[str, str]
    state: State
    core: Path
    places: Places


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody uses now."""
    taken = [socket.socket() for _ in range(count)]
    for one in taken:
        one.bind(("127.0.0.1", 0))
    ports = [int(one.getsockname()[1]) for one in taken]
    for one in taken:
        one.close()
    return ports


@pytest.fixture(scope="module", params=SUBJECTS)
def taken(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Taken]:
    """Two HAProxys that are each other's peers; the first one's answers and its core."""
    subject = runnable(LAB, request.param)
    if not subject.executable.is_file():
        pytest.skip(f"{request.param} is not in the lab")
    ports = free_ports(4)
    arrays = "" if request.param == "haproxy-2.2" else ARRAYS
    first = CONFIG.format(name="one", ports=ports, arrays=arrays)
    second = CONFIG.format(name="two", ports=[*ports[:2], ports[3]], arrays=arrays)
    with living(subject, first, "peers-one") as one, living(subject, second, "peers-two") as two:
        fill(one, ports[2])
        wait_for(two, "show table addresses", "192.0.2.7")
        commands = ["show peers", "show table", *(f"show table {name}" for name in TABLES)]
        core = one.take(tmp_path_factory.mktemp("tables") / "core", commands)
        later = {command: one.ask(command) for command in commands}
        places = Places(sysroot=str(subject.root)) if subject.root else Places(executable=str(subject.executable))
        state = open_state(str(core), places)
        if not state.space.has_struct("stksess"):
            pytest.skip(f"no layout of {request.param} is known")
        yield Taken(one.answers, later, state, core, places)


def fill(one: Living, port: int) -> None:
    """Entries of every type of key; those of binary ones come from requests alone."""
    for command in FILLING:
        assert not one.ask(command).strip(), command
    for path in ("/a", "/a", "/longer/than/eight"):
        with socket.create_connection(("127.0.0.1", port), 5) as client:
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n".encode())
            while client.recv(4096):
                pass


def wait_for(one: Living, command: str, words: str) -> None:
    """Until the peers have shared what they have."""
    end = time.monotonic() + 15
    while words not in one.ask(command):
        assert time.monotonic() < end, one.ask("show peers")
        time.sleep(0.1)


def ask(state: State, what: str, *words: str, scrub: bool = False, limit: int = 0, offset: int = 0) -> Answer:
    """The answer of the core."""
    found = answer_of(state, what, Question(words, limit, offset, scrub))
    assert not isinstance(found, Absence), found
    return found


def lines_of(text: str) -> list[str]:
    """The lines of a live answer that say something."""
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def test_the_tables_are_listed_as_the_living_process_did(taken: Taken) -> None:
    assert list(ask(taken.state, "table").lines()) == lines_of(taken.said["show table"])


@pytest.mark.parametrize("name", TABLES)
def test_every_entry_is_that_of_the_living_process(taken: Taken, name: str) -> None:
    """All fields but ``exp``, which goes down a millisecond each millisecond: it lies between two answers."""
    answer = ask(taken.state, "table", name)
    found = list(answer.lines())
    assert [without_exp(line) for line in found] == [
        without_exp(line) for line in lines_of(taken.said[f"show table {name}"])
    ]
    assert answer.gaps() == ()
    for line, before, after in zip(
        found[1:], *(lines_of(each[f"show table {name}"])[1:] for each in (taken.said, taken.later)), strict=True
    ):
        assert exp_of(before) + 50 >= exp_of(line) >= exp_of(after) - 50


def without_exp(line: str) -> str:
    return re.sub(r" exp=\d+", "", line)


def exp_of(line: str) -> int:
    found = re.search(r" exp=(\d+)", line)
    assert found, line
    return int(found[1])


def test_the_peers_are_those_of_the_living_process(taken: Taken) -> None:
    """All fields that two answers of the living process have in common.

    The others count down (timers), or count heartbeats and runs of tasks.
    """
    if not taken.state.space.has_struct("session"):
        pytest.skip("no layout of struct session is believed, which leads to the connection of a peer")
    found = shared_part("\n".join(ask(taken.state, "peers").lines()))
    before, after = (shared_part(each["show peers"]) for each in (taken.said, taken.later))
    if len(after) != len(before):
        after = before  # gdb stopped the process for so long that the session ended
    assert len(found) == len(before), ("\n".join(found), taken.said["show peers"])
    for line, first, second in zip(found, before, after, strict=True):
        words, one, other = line.split(), first.split(), second.split()
        assert len(words) == len(one), (line, first)
        for word, earlier, later in zip(words, one, other, strict=True):
            assert word == earlier or (earlier != later and key(word) == key(earlier)) or moving(word, earlier), line


#: How long until, or since; runs of tasks and heartbeats.
MOVING = ("resync_timeout", "reconnect", "heartbeat", "last_hdshk", "task_calls", "tx_hbt", "rx_hbt")


def moving(word: str, other: str) -> bool:
    """Whether two words are the same field, one that moves by itself."""
    return key(word) == key(other) and key(word) in MOVING


def key(word: str) -> str:
    return word.partition("=")[0]


def shared_part(text: str) -> list[str]:
    """The lines without those of dictionaries, which 2.2 shows unasked."""
    return [line for line in lines_of(text) if "->" not in line and "ictionary cache" not in line]


def test_a_page_is_a_part_of_the_whole(taken: Taken) -> None:
    whole = list(ask(taken.state, "table", "addresses").lines())
    page = list(ask(taken.state, "table", "addresses", limit=1, offset=1).lines())
    assert page == [whole[0], whole[2]]


def test_keys_are_hidden_unless_asked_for(taken: Taken) -> None:
    shown = "\n".join(ask(taken.state, "table", "addresses", scrub=True).lines())
    assert "192.0.2.7" not in shown
    assert shown.count("key=<key>") == 3


def test_a_broken_link_is_told_and_what_stands_before_it_is_shown(taken: Taken, tmp_path: Path) -> None:
    """The node of one entry is overwritten in a copy of the core."""
    lines = list(ask(taken.state, "table", "numbers").lines())
    tables = read_tables(taken.state.space)
    assert isinstance(tables, tuple)
    roots = next(one for one in tables if one.id == "numbers").roots
    memory = taken.state.space.memory
    trees = {root: list(iter_tree(memory, root, Walk())) for root in roots}
    root, leaves = max(trees.items(), key=lambda one: len(one[1]))
    core = overwritten(taken.core, tmp_path, (leaves[0], b"\x55" * 32))
    state = State(Process(read_core(open_bytes(str(core))), taken.places))
    answer = ask(state, "table", "numbers")
    shown = list(answer.lines())
    told = " ".join(gap.reason for gap in answer.gaps())
    assert set(shown) < set(lines)
    assert f"{leaves[0]:#x}" in told or f"{root:#x}" in told
    assert "the table counts 3" in told


def test_json_has_the_tables_with_their_locks_and_peers(taken: Taken) -> None:
    data = ask(taken.state, "table").data()
    assert isinstance(data, list)
    first = next(one for one in data if one["name"] == "addresses")
    assert first["peers"] == "cluster" and first["type"] == "ip" and first["used"] == 3
    assert first["source"].endswith(f"haproxy.cfg:{line_of('size 100k')}")
    assert {one["state"] for one in first["locks"]} == {"free"}


def line_of(words: str) -> int:
    return next(place for place, line in enumerate(CONFIG.splitlines(), 1) if words in line)


def test_a_table_that_is_not_there_is_told_with_those_that_are(taken: Taken) -> None:
    found = answer_of(taken.state, "table", Question(("nothing",)))
    assert isinstance(found, Absence)
    assert "addresses" in found.remedy
