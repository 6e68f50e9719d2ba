"""haproxy.cfg as a witness: sections, stick-tables, peers, threads."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from forensics.config import looks_like_config, parse

CONFIG = b"""\
# a comment
global
    nbthread 4   # four
    stats socket unix@cli level admin
peers mypeers
    peer one 127.0.0.1:1024
    table inner type ip size 1k
frontend web
    bind :80
    stick-table type ip size 1m expire 10s peers mypeers store http_req_cnt
backend app
    stick-table type string len 32 size 100k expire 30m
    server s "127.0.0.1:80"
"""


def test_tables_know_the_peers_they_use() -> None:
    config = parse(CONFIG.splitlines(keepends=True))
    assert [(table.value, table.line) for table in config.tables] == [("mypeers", 7), ("mypeers", 10), ("", 12)]
    assert [table.line for table in config.tables_with_peers] == [7, 10]


def test_threads_peers_and_sections_are_read_with_their_lines() -> None:
    config = parse(CONFIG.splitlines(keepends=True))
    assert config.threads is not None
    assert (config.threads.value, config.threads.line) == ("4", 3)
    assert [(one.value, one.line) for one in config.peers] == [("mypeers", 5)]
    assert [one.value for one in config.sections] == ["global", "peers", "frontend", "backend"]


def test_a_comment_ends_a_line_and_quotes_hold_words_together() -> None:
    config = parse([b"backend b # stick-table type ip\n", b'  stick-table type ip peers "my peers"\n'])
    assert [table.value for table in config.tables] == ["my peers"]


def test_a_configuration_is_recognised_and_a_log_is_not() -> None:
    assert looks_like_config(CONFIG)
    assert not looks_like_config(b"[NOTICE]   (1) : haproxy version is 2.9.6\n")
    assert not looks_like_config(b"Nov 23 10:00:00 host haproxy[1]: frontend web started\n")
    assert not looks_like_config(b"")


@given(st.binary(max_size=2000))
def test_any_bytes_give_an_answer(data: bytes) -> None:
    looks_like_config(data)
    parse(data.splitlines(keepends=True))
