"""Facts of reports, of shapes put together wrongly too."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from forensics.api import crash_of_text
from forensics.evidence.catalogue import KINDS
from tests.logs.carriers import DATA
from tests.logs.test_parse import SHARDS

TYPES = {"str": str, "int": int, "bool": bool, "list": tuple, "stack": tuple}


@settings(max_examples=400, deadline=None)
@given(st.lists(SHARDS, max_size=60))
def test_no_order_of_shards_makes_a_collector_fail(shards: list[bytes]) -> None:
    crash = crash_of_text(b"".join(shards).decode("utf-8", "replace"))
    assert [gap.reason for gap in crash.gaps if "failed" in gap.reason] == []
    assert all(fact.name in KINDS for fact in crash.facts)


def test_every_fact_of_every_real_log_has_its_type() -> None:
    for path in sorted(DATA.iterdir()):
        for fact in crash_of_text(path.read_text(errors="replace")).facts:
            assert isinstance(fact.value, TYPES[KINDS[fact.name].type]), fact


def test_a_report_of_long_ago_says_nothing_of_a_later_abort() -> None:
    """Eighty lines are more than any report has."""
    pool = "FATAL: pool inconsistency detected in thread 1: tag mismatch on free().\n"
    trace = "  call trace(1):\n  | 0x55d0 [eb b2 66 66 2e 0f 1f 84]: guilty+0x1/0x63\n"
    near = crash_of_text(pool + trace).get("crash.kind")
    far = crash_of_text(pool + "x\n" * 90 + trace).get("crash.kind")
    assert (getattr(near, "value", ""), getattr(far, "value", "")) == ("pool_corruption", "abort_now")
