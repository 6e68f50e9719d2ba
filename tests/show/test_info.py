"""`show info`: a live process and its core tell the same."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.show.conftest import LAST, Taken

pytestmark = [pytest.mark.xdist_group("haproxy")]

Relation = Callable[[int, int], bool]


def _falls(live: int, dead: int) -> bool:
    return dead <= live


def _grows(live: int, dead: int) -> bool:
    return dead >= live


#: Numbers that move by themselves between the answer and the core, and how: (live, dead).
MOVING: dict[str, Relation] = {
    # The session that answers ends after its answer: its job, its tasks, its stream, its turn in the run queue.
    "Jobs": lambda live, dead: dead == live - 1,
    "Tasks": lambda live, dead: live - 2 <= dead <= live,
    "CurrStreams": lambda live, dead: dead == live - 1,
    "Run_queue": _falls,
    # What it sent counts when it was sent.
    "TotalBytesOut": _grows,
    "BytesOutRate": lambda _live, _dead: True,
    # Its buffers come from pools, and go back to caches of threads.
    "PoolAlloc_bytes": lambda _live, _dead: True,
    "PoolUsed_bytes": lambda _live, _dead: True,
    # Time passes: rates fall, and a second may begin.
    "Uptime_sec": _grows,
    "ConnRate": _falls,
    "SessRate": _falls,
    "Idle_pct": lambda _live, dead: 0 <= dead <= 100,
}


def pairs(lines: list[str]) -> dict[str, str]:
    """The lines by name."""
    return dict(line.split(": ", 1) for line in lines)


@pytest.mark.parametrize(
    "name", ["haproxy-2.2", "haproxy-2.6", "haproxy-3.0", "package-3.0", "package-3.2", "package-3.4"]
)
def test_a_live_process_and_its_core_tell_the_same(name: str, taken: Callable[[str], Taken]) -> None:
    process = taken(name)
    lines = process.live(LAST)
    live = pairs(lines[lines.index("Name: HAProxy") :])
    dead = pairs(process.lines("info"))
    if "TotalSplicdedBytesOut" in live:  # so HAProxy 2.6 spells it
        live = {name.replace("Splicded", "Spliced"): value for name, value in live.items()}
    if name == "haproxy-2.2":
        # 2.2 tells that of the thread that answers.
        assert live.pop("Idle_pct")
        assert [gap.subject for gap in process.answer("info").gaps()] == ["Idle_pct"]
    elif name.startswith("haproxy"):
        assert process.answer("info").gaps() == ()
    assert list(dead) == list(live)  # the same lines in the same order
    assert live["CumReq"] == dead["CumReq"] != "0"
    assert dead["description"] == "what it is for"
    differing = {key for key in live if live[key] != dead[key]}
    assert differing <= MOVING.keys() | {"Uptime"}
    for key in MOVING.keys() & live.keys():
        assert MOVING[key](int(live[key]), int(dead[key])), (key, live[key], dead[key])


def test_without_any_symbols_the_notes_and_the_version_remain(taken: Callable[[str], Taken]) -> None:
    from samples import golden

    process = Taken({}, str(golden.SAMPLES / "bug-on-3.4.7/core.zst"), "")
    told = pairs(process.lines("info", symbols=False))
    assert told["Version"].startswith("3.4.7")
    assert set(told) >= {"Name", "Version", "Release_date", "Pid", "Build info"}
    assert process.answer("info", symbols=False).gaps()
