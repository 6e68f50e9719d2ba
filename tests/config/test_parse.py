"""haproxy.cfg as a witness: sections, stick-tables and who uses them, peers, threads, settings; and no secrets."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forensics.config import ConfigEvidence, looks_like_config, parse, parse_files
from forensics.config.parse import HIDDEN
from forensics.record import members

CONFIG = b"""\
# a comment
global
    nbthread 4   # four
    localpeer one
    stats socket unix@cli level admin
peers mypeers
    peer one 127.0.0.1:1024
    peer two 127.0.0.1:1025
    table inner type ip size 1k
frontend web
    bind :80
    stick-table type ip size 1m expire 10s peers mypeers store http_req_cnt,http_req_rate(10s)
    http-request track-sc0 src
    http-request track-sc1 hdr(x-key) table app
    http-request deny if { sc_http_req_rate(1,app) gt 10 } || { src,table_gpc0(mypeers/inner) gt 0 }
backend app
    stick-table type string len 32 size 100k expire 30m
    stick on src table mypeers/inner
    server s "127.0.0.1:80"
"""


def read(text: bytes) -> ConfigEvidence:
    return parse(text.splitlines(keepends=True), "haproxy.cfg")


def test_tables_know_the_peers_they_use() -> None:
    config = read(CONFIG)
    assert [(table.name, table.peers, table.line) for table in config.tables] == [
        ("mypeers/inner", "mypeers", 9),
        ("web", "mypeers", 12),
        ("app", "", 17),
    ]
    assert [table.line for table in config.tables_with_peers] == [9, 12]


def test_tables_know_their_type_size_and_what_they_store() -> None:
    web = read(CONFIG).tables[1]
    assert (web.type, web.size, web.expire, web.path) == ("ip", 1 << 20, "10s", "haproxy.cfg")
    assert web.store == ("http_req_cnt", "http_req_rate(10s)")


def test_who_uses_a_table_is_known() -> None:
    assert [(use.table, use.by, use.section, use.proxy, use.line) for use in read(CONFIG).uses] == [
        ("web", "track-sc0", "frontend", "web", 13),
        ("app", "track-sc1", "frontend", "web", 14),
        ("app", "sc_http_req_rate", "frontend", "web", 15),
        ("mypeers/inner", "table_gpc0", "frontend", "web", 15),
        ("mypeers/inner", "stick on", "backend", "app", 18),
    ]


def test_threads_peers_and_sections_are_read_with_their_lines() -> None:
    config = read(CONFIG)
    assert config.threads is not None
    assert (config.threads.value, config.threads.line) == ("4", 3)
    (section,) = config.peers
    assert (section.name, section.line, section.remote) == ("mypeers", 6, 1)
    assert [(peer.name, peer.local) for peer in section.peers] == [("one", True), ("two", False)]
    assert [one.value for one in config.sections] == ["global", "peers", "frontend", "backend"]


def test_the_local_peer_is_one_without_address_or_one_of_them_all() -> None:
    by_form = read(b"peers p\n bind :1024\n server here\n server there 192.0.2.1:1024\n")
    assert [peer.local for peer in by_form.peers[0].peers] == [True, None]
    unknown = read(b"peers p\n peer a 192.0.2.1:1024\n peer b 192.0.2.2:1024\n peer c 192.0.2.3:1024\n")
    assert (by_form.peers[0].remote, unknown.peers[0].remote) == (1, 2)
    assert read(b"peers p\n").peers[0].remote == 0


def test_settings_of_the_last_line_count() -> None:
    config = read(
        b"global\n nbthread 2\n nbthread 8\n thread-groups 2\n maxconn 1000\n set-dumpable\n master-worker\n"
        b" tune.bufsize 32768\n tune.lua.forced-yield 0\n no busy-polling\n lua-load /etc/haproxy/a.lua secret\n"
        b" cpu-map auto:1/1-4 0-3\n set-dumpable off\n maxconn 7\n default maxconn\n"
    )
    told = {name: found[-1].value for name, found in (config.globals or {}).items()}
    assert told == {
        "nbthread": "8", "thread-groups": "2", "set-dumpable": "off", "master-worker": "on", "tune.bufsize": "32768",
        "tune.lua.forced-yield": "0", "busy-polling": "off", "lua-load": "/etc/haproxy/a.lua",
        "cpu-map": "auto:1/1-4 0-3",
    }  # fmt: skip
    assert {name: one.value for name, one in config.tune.items()} == {
        "tune.bufsize": "32768",
        "tune.lua.forced-yield": "0",
    }


def test_proxies_inherit_from_the_defaults_that_they_name_or_that_stand_above() -> None:
    config = read(
        b"defaults\n mode tcp\nlisten a\ndefaults http\n mode http\n maxconn 50\ndefaults more from http\n maxconn 60\n"
        b"frontend b from http\nbackend c\n mode tcp\n"
    )
    assert [(one.name, one.defaults, one.mode, one.maxconn) for one in config.proxies] == [
        ("a", "", "tcp", ""),
        ("b", "http", "http", "50"),
        ("c", "more", "tcp", "60"),
    ]


def test_what_a_condition_decides_is_marked_in_every_branch() -> None:
    config = read(
        b".if feature(THREAD)\nglobal\n nbthread 2\n.elif defined(X)\nglobal\n nbthread 3\n.else\n .notice hi\nglobal\n"
        b" nbthread 4\n.endif\nglobal\n maxconn 5\n.endif\n.endif\nbackend b\n"
    )
    assert [(one.value, one.conditional) for one in config.all("nbthread")] == [("2", True), ("3", True), ("4", True)]
    (maxconn,) = config.all("maxconn")
    assert not maxconn.conditional
    assert not config.sections[-1].conditional


def test_files_are_read_in_their_order_and_sections_end_with_them() -> None:
    config = parse_files([("1.cfg", [b"global\n", b" nbthread 2\n"]), ("2.cfg", [b" nbthread 3\n", b"backend b\n"])])
    assert config.threads is not None
    assert (config.threads.value, config.threads.path) == ("2", "1.cfg")
    assert [(one.value, one.path) for one in config.sections] == [("global", "1.cfg"), ("backend", "2.cfg")]


SECRETS = b"""\
global
    tune.ssl.keylog "p4ssw0rd with blanks"
    setenv TOKEN p4ssw0rd
    ssl-default-bind-curves p4ssw0rd
    lua-load "/etc/a b p4ssw0rd.lua"
userlist people
    user p4ssw0rd-name insecure-password p4ssw0rd
    stick-table type ip size p4ssw0rd peers p4ssw0rd
peers p
    peer a 192.0.2.77:1024 ssl crt /etc/p4ssw0rd.pem
backend b
    http-request set-header Authorization "Basic p4ssw0rd"
    http-request track-sc0 req.hdr(authorization),table_x(p4ssw0rd) table p4ssw0rd
    http-request auth realm p4ssw0rd
    stick-table type ip size 1k expire "p4ssw0rd p4ssw0rd" peers "p4ssw0rd p4ssw0rd"
    cookie p4ssw0rd insert
    server s 192.0.2.77:80 check-send-proxy password p4ssw0rd
"""


def everything(thing: object) -> str:
    """All text that a record holds."""
    if isinstance(thing, tuple):
        return " ".join(map(everything, thing))
    if isinstance(thing, dict):
        return " ".join(f"{name} {everything(value)}" for name, value in thing.items())
    if hasattr(thing, "__record_members__"):
        return " ".join(everything(getattr(thing, member.name)) for member in members(thing))
    return str(thing)


def test_no_secret_leaves_the_parser() -> None:
    config = read(SECRETS)
    assert "p4ssw0rd" not in everything(config)
    assert "192.0.2" not in everything(config)
    assert config.tune["tune.ssl.keylog"].value == HIDDEN
    assert [table.name for table in config.tables] == ["b"]


def test_a_configuration_is_recognised_and_a_log_is_not() -> None:
    assert looks_like_config(CONFIG)
    assert looks_like_config(b".if defined(X)\nglobal\n.endif\n")
    assert not looks_like_config(b"[NOTICE]   (1) : haproxy version is 2.9.6\n")
    assert not looks_like_config(b"Nov 23 10:00:00 host haproxy[1]: frontend web started\n")
    assert not looks_like_config(b"")


@pytest.mark.parametrize(
    "lines",
    [
        [b"global\n", b" nbthread " + b"9" * (1 << 20)],
        [b"global " + b"\0" * (1 << 20)],
        [b"backend " + b'"' * (1 << 20)],
        [b"backend b\n", b" " + b"\\" * (1 << 20)],
        [b"backend b\n", b" " + b"stick-table type ip " * 50_000],
        [b"backend b\n", b" http-request x " + b"table_a(" * 100_000],
        [b"peers p\n", *[b" peer a 1:1\n"] * 100_000],
        [b"global\n", *[b" tune.a%d 1\n" % number for number in range(100_000)]],
        [b".if x\n"] * 100_000,
        [b"global \\\n"] * 100_000,
    ],
    ids=lambda lines: repr(lines[-1][:20]),
)
def test_hostile_configurations_take_no_time(lines: list[bytes]) -> None:
    started = time.monotonic()
    parse(lines)
    assert time.monotonic() - started < 5.0


_WORDS = st.sampled_from(
    ["global", "peers", "frontend", "stick-table", "table", "peer", "type", "ip", "size", "1k", "no", "default", ".if",
     ".endif", "track-sc0", "tune.bufsize", "from", "p", '"', "'", "\\", "#", "${X}", "\n", "\n", "\n "]
)  # fmt: skip


@given(st.lists(_WORDS, max_size=60))
def test_any_order_of_words_gives_an_answer(words: list[str]) -> None:
    read(" ".join(words).encode())


@given(st.binary(max_size=2000))
def test_any_bytes_give_an_answer(data: bytes) -> None:
    looks_like_config(data)
    read(data)
