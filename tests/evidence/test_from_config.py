"""Facts of haproxy.cfg: what is certain, and what a condition or a variable leaves open."""

from __future__ import annotations

from pathlib import Path

from forensics.absence import Absence
from forensics.api import gather
from forensics.config import parse
from forensics.evidence.catalogue import KINDS
from forensics.evidence.fact import Fact
from forensics.evidence.from_config import collect_config

CONFIG = b"""\
global
    nbthread 4
    thread-groups 2
    maxconn 1000
    set-dumpable
    master-worker
    lua-load a.lua
    tune.bufsize 32768
    tune.maxaccept 10
    busy-polling
    hard-stop-after 30s
peers p
    peer a 127.0.0.1:1
    peer b 127.0.0.1:2
    peer c 127.0.0.1:3
frontend f
    http-request track-sc0 src table t
backend t
    stick-table type ip size 1k peers p
backend u
    stick-table type ip size 1k
"""


def told(text: bytes) -> tuple[dict[str, object], dict[str, str]]:
    """Values of the facts, and reasons of what is open, by name."""
    found = list(collect_config(parse(text.splitlines(keepends=True)), "haproxy.cfg"))
    facts: dict[str, object] = {one.name: one.value for one in found if isinstance(one, Fact)}
    assert set(facts) <= set(KINDS)
    return facts, {one.subject: one.reason for one in found if isinstance(one, Absence)}


def test_a_configuration_tells_what_signatures_ask() -> None:
    assert told(CONFIG) == (
        {
            "config.stick_tables": 2,
            "config.tables_with_peers": ("t",),
            "config.tables_in_use": ("t",),
            "peers.in_use": True,
            "config.peers": ("p",),
            "config.remote_peers": 2,
            "config.threads": 4,
            "config.thread_groups": 2,
            "config.maxconn": 1000,
            "config.set_dumpable": True,
            "config.master_worker": True,
            "config.lua": True,
            "config.tune": ("tune.bufsize=32768", "tune.maxaccept=10"),
            "config.global": ("busy-polling", "hard-stop-after=30s"),
            "config.proxies": 3,
        },
        {},
    )


def test_what_is_not_there_is_not_told() -> None:
    facts, open_ = told(b"global\nbackend b\n")
    assert facts == {"config.stick_tables": 0, "peers.in_use": False, "config.lua": False, "config.proxies": 1}
    assert open_ == {}


def test_a_section_peers_that_no_table_uses_says_nothing_about_their_use() -> None:
    facts, _open = told(b"peers p\n peer a 127.0.0.1:1\n")
    assert "peers.in_use" not in facts
    assert facts["config.remote_peers"] == 0


def test_what_a_condition_or_a_variable_decides_is_open() -> None:
    facts, open_ = told(
        b'.if defined(A)\nglobal\n nbthread 2\n lua-load a.lua\n set-dumpable\n.endif\nglobal\n maxconn "${MAX}"\n'
        b"peers p\n.if x\nbackend b\n stick-table type ip size 1k peers p\n.endif\n"
    )
    assert {"config.threads", "config.lua", "config.set_dumpable", "config.maxconn", "peers.in_use"}.isdisjoint(facts)
    assert set(open_) == {"config.threads", "config.lua", "config.set_dumpable", "config.maxconn", "peers.in_use"}
    assert "${MAX}" in open_["config.maxconn"]


def test_several_files_and_directories_are_one_configuration(tmp_path: Path) -> None:
    folder = tmp_path / "conf.d"
    folder.mkdir()
    (folder / "20-tables.cfg").write_text("backend t\n    stick-table type ip size 1k peers p\n")
    (folder / "10-peers.cfg").write_text("peers p\n    peer a 127.0.0.1:1\n")
    (folder / "notes.txt").write_text("nothing")
    main = tmp_path / "haproxy.cfg"
    main.write_text("global\n    nbthread 3\n")
    log = tmp_path / "worker.log"
    log.write_text("[ALERT]    (1) : Current worker (2) exited with code 139 (Segmentation fault)\n")
    taken, _witness, crash = gather([str(main), str(folder), str(log)])
    assert [one.path.rsplit("/", 1)[-1] for one in taken] == [
        "haproxy.cfg", "10-peers.cfg", "20-tables.cfg", "worker.log",
    ]  # fmt: skip
    fact = crash.get("config.tables_with_peers")
    assert isinstance(fact, Fact)
    assert (fact.value, fact.source.input.rsplit("/", 1)[-1], fact.source.line) == (("t",), "20-tables.cfg", 2)
    threads = crash.get("config.threads")
    assert isinstance(threads, Fact)
    assert threads.value == 3
