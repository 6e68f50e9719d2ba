"""Facts of stick-tables from real cores: with symbols, stripped, damaged."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from forensics.api import Options, gather, open_core, triage
from forensics.evidence.core_witness import examine
from forensics.evidence.fact import Crash, Fact, FactValue
from forensics.evidence.from_tables import collect_tables
from forensics.haproxy.stick_table import StickTable, read_tables
from forensics.haproxy.structs import TypedMemory
from forensics.record import replace
from forensics.symbols.places import Places
from samples import golden
from tests.builders.bounds import within_seconds
from tests.builders.overwritten import overwritten

LAB = golden.SAMPLES.parent / ".lab"
PACKS = Places(packs=(str(golden.SYMBOLS),))
REQUEUE, SHARDING = "stick-table/requeue-expiry-race", "stick-table/sharding-with-peers"

#: The facts of the race, and those of the wait.
RACE: dict[str, FactValue] = {
    "task.expire": 0,
    "task.process": "process_table_expire",
    "task.in_wait_queue": False,
    "task.owner_table": "clients",
    "table.lock_state": "free",
    "requeue.window": "unlocked",
}
WAIT: dict[str, FactValue] = {"lock.table": "clients", "lock.state": "write", "lock.table_peers": True}


def facts_of(core: Path, places: Places) -> Crash:
    return gather([str(core)], Options(places))[2]


def values(crash: Crash, names: dict[str, FactValue]) -> dict[str, FactValue]:
    return {name: fact.value for name in names for fact in crash.all(name)[:1]}


@pytest.mark.parametrize("name", ["requeue-race-2.9.6", "requeue-race-3.0.11"])
def test_the_race_is_read_from_memory(name: str) -> None:
    crash = facts_of(golden.SAMPLES / name / "core.zst", PACKS)
    assert values(crash, RACE) == RACE
    assert {fact.trust for name in RACE for fact in crash.all(name)} == {"read", "derived"}


def test_the_lock_that_is_waited_for_is_told_with_its_table_and_peers() -> None:
    crash = facts_of(golden.SAMPLES / "sharding-with-peers-2.9.6/core.zst", PACKS)
    assert values(crash, WAIT) == WAIT
    (member,) = crash.all("lock.member")
    assert member.value == "updt_lock"
    assert "0x800 bytes into table clients" in member.source.what


def test_under_the_watchdog_the_thread_that_waits_may_be_another_one() -> None:
    """The peers' code is static: in a stripped build the frames of who died first may have no names."""
    core = golden.SAMPLES / "sharding-with-peers-2.9.6/core.zst"
    process, stacks = open_core(str(core), Options(PACKS))
    witness = examine(process, stacks)
    assert witness.death.kind == "watchdog"
    nameless = tuple(
        replace(frame, function="", status="no_symbol") if place > 7 else frame  # those below the signal handler
        for place, frame in enumerate(stacks[0].frames)
    )
    hidden = replace(witness, stacks=(replace(stacks[0], frames=nameless), *stacks[1:]))
    found = {fact.name: fact for fact in collect_tables(hidden) if isinstance(fact, Fact)}
    # The state of the lock is what collect_locks() tells, once.
    assert {name: found[name].value for name in WAIT if name in found} == {
        "lock.table": "clients",
        "lock.table_peers": True,
    }
    assert found["lock.table"].source.thread == stacks[1].lwp


def test_a_death_elsewhere_says_nothing_of_tables() -> None:
    crash = facts_of(golden.SAMPLES / "watchdog-loop-3.0.11/core.zst", PACKS)
    told = {fact.name for fact in crash.facts}
    assert not told & {
        "task.expire",
        "task.process",
        "task.owner_table",
        "table.lock_state",
        "requeue.window",
        "lock.table",
    }


def stripped(name: str, folder: Path) -> Places:
    """The lab's build without anything but the names that it exports."""
    build = LAB / "builds" / name / "haproxy"
    if not build.is_file() or not shutil.which("strip"):
        pytest.skip(f"{name} is not in the lab, or strip is not installed")
    subprocess.run(["strip", "-o", str(folder / "haproxy"), str(build)], check=True, timeout=60)
    return Places(executable=str(folder / "haproxy"))


def test_a_stripped_build_of_the_race_is_confirmed_by_registers_and_what_they_lead_to(tmp_path: Path) -> None:
    """No layout is kept for 2.9; what is told carries that it is assumed."""
    places, core = stripped("requeue-race-2.9.6", tmp_path), golden.SAMPLES / "requeue-race-2.9.6/core.zst"
    crash = facts_of(core, places)
    assert values(crash, RACE) == RACE
    assert {fact.trust for name in RACE for fact in crash.all(name)} == {"assumed"}
    assert crash.all("task.caller")[0].value == "stktable_requeue_exp (src/stick_table.c:722)"
    assert not crash.all("stktable.sharded")
    best = triage([str(core)], Options(places)).findings[0]
    assert (best.signature, best.verdict) == (REQUEUE, "confirmed")


def test_a_stripped_build_with_shards_is_betrayed_by_the_place_of_its_lock(tmp_path: Path) -> None:
    """It lies beyond the end of any table without shards."""
    places = stripped("sharding-with-peers-2.9.6", tmp_path)
    core = golden.SAMPLES / "sharding-with-peers-2.9.6/core.zst"
    crash = facts_of(core, places)
    assert values(crash, WAIT) == WAIT
    (sharded,) = crash.all("stktable.sharded")
    assert (sharded.value, sharded.trust) == (True, "derived")
    best = triage([str(core)], Options(places)).findings[0]
    assert (best.signature, best.verdict) == (SHARDING, "confirmed")


@pytest.fixture(scope="module")
def table() -> StickTable:
    """The only table of the race."""
    process, _stacks = open_core(str(golden.SAMPLES / "requeue-race-2.9.6/core.zst"), Options(PACKS))
    tables = read_tables(TypedMemory(process))
    assert isinstance(tables, tuple)
    return tables[0]


def verdict(core: Path) -> tuple[str, str]:
    """The verdict on the race, and the reason of its exclusion."""
    report = triage([str(core)], Options(PACKS))
    found = {one.signature: (one.verdict, "") for one in report.findings}
    return (found | {one.signature: ("excluded", one.because) for one in report.excluded}).get(REQUEUE, ("", ""))


def test_the_lock_decides_between_confirmed_and_excluded(table: StickTable, tmp_path: Path) -> None:
    """The same core with the lock's word of a writer: a build that calls itself affected carries the fix."""
    core = golden.SAMPLES / "requeue-race-2.9.6/core.zst"
    assert verdict(core) == ("confirmed", "")
    lock = table.lock("lock")
    assert not isinstance(lock, tuple) and lock
    for word, expected in ((0x500000004, "probable"), (0x8, "confirmed")):
        held = overwritten(core, tmp_path, (lock.address, word.to_bytes(8, "little")))
        # Its other thread stands in process_table_expire(), so that it may be the holder.
        assert verdict(held)[0] == expected


@pytest.mark.parametrize("fill", [b"\x00", b"\xff", b"\x41", b"\x01"])
@pytest.mark.parametrize("what", ["table", "task"])
def test_overwritten_structures_prove_nothing_and_stop_nothing(
    table: StickTable, what: str, fill: bytes, tmp_path: Path
) -> None:
    core = golden.SAMPLES / "requeue-race-2.9.6/core.zst"
    address, size = (table.address, 2112) if what == "table" else (table.exp_task, 128)
    with within_seconds(20):
        found = verdict(overwritten(core, tmp_path, (address, fill * size)))
    assert found[0] == "probable"
