"""Whole reports in every carrier, and lines that sound like a death and are none."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from forensics.api import crash_of_text
from tests.logs.carriers import CARRIERS, lines_of
from tests.logs.shapes.facts import NONE, check

REPORTS = [
    "2.6.12-spinning.log", "2.8.25-double-free.log", "3.0.11-cache-corruption.log", "3.0.11-spinning.log",
    "3.2.26-double-free.log", "3.4.7-warnings-and-watchdog.log", "asan-use-after-free.log",
]  # fmt: skip


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_report_gives_the_same_facts_whatever_carried_it(
    name: str, carrier: Callable[[list[bytes]], list[bytes]]
) -> None:
    plain = b"".join(lines_of(name)).decode("utf-8", "replace").replace("\0", "")
    carried = b"".join(carrier(plain.encode().splitlines(keepends=True))).decode()
    told, again = ({(fact.name, fact.value) for fact in crash_of_text(text).facts} for text in (plain, carried))
    assert again == told


@pytest.mark.parametrize(
    "line",
    [
        "FATAL: malloc() function not found.",
        "FATAL ERROR: invalid code detected -- cannot go further, please recompile!",
        "[ALERT]    (7) : Lua function 'x': runtime error: /etc/haproxy/x.lua:1: attempt to index a nil value",
        "[WARNING]  (7) : Failed to setup watchdog timer for thread 1, disabling lockup detection.",
        "[WARNING]  (7) : All workers exited. Exiting... (0)",
        "haproxy invoked oom-killer: gfp_mask=0xcc0, order=0, oom_score_adj=0",
        "==7==ERROR: LeakSanitizer: detected memory leaks",
        "src/http_ana.c:1:2: runtime error: signed integer overflow",
    ],
)
def test_what_sounds_like_a_death_and_is_none(line: str) -> None:
    check(line + "\n", NONE)
