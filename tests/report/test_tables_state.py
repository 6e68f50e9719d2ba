"""Stick-tables and peers in the report."""

from __future__ import annotations

from forensics.api import Options, triage
from forensics.report.text import render_text
from forensics.symbols.places import Places
from samples import golden

PACKS = Places(packs=(str(golden.SYMBOLS),))


def test_the_text_has_a_line_for_each_table_and_tells_the_locks_that_are_held() -> None:
    report = triage([str(golden.SAMPLES / "sharding-with-peers-2.9.6/core.zst")], Options(PACKS))
    text = " ".join(render_text(report).split())
    assert "clients (haproxy.cfg:29): ip, 21 of 1024 entries, peers cluster; updt_lock: held for writing" in text


def test_what_is_not_there_is_left_out() -> None:
    """This process has a table and no peers."""
    report = triage([str(golden.SAMPLES / "requeue-race-2.9.6/core.zst")], Options(PACKS))
    assert "stick_tables" in report.state
    assert "peers" not in report.state
