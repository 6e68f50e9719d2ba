"""Facts of threads and locks, from processes that really died of them."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from forensics.elf.core import read_core
from forensics.evidence.collect import collect
from forensics.evidence.core_witness import CoreWitness, examine
from forensics.evidence.fact import Crash, Fact
from forensics.evidence.from_state_threads import collect_locks, collect_threads
from forensics.memory.open import open_bytes
from forensics.symbols.places import Places
from forensics.unwind.backtrace import Process, backtraces
from samples import golden
from samples.lab.builds import runnable
from tests.oracles.dying import LAB, died, isolating, lived

pytestmark = [pytest.mark.xdist_group("haproxy")]


def told(core: Path | str, places: Places) -> tuple[CoreWitness, Crash]:
    process = Process(read_core(open_bytes(str(core))), places)
    witness = examine(process, backtraces(process))
    return witness, collect([(one.__name__, partial(one, witness)) for one in (collect_threads, collect_locks)])


def values(crash: Crash) -> dict[str, object]:
    return {fact.name: fact.value for fact in crash.facts}


def of_build(core: Path, name: str) -> tuple[CoreWitness, Crash]:
    build = runnable(LAB, name)
    return told(core, Places(executable=str(build.executable), sysroot=str(build.jail or "")))


def test_a_deadlock_tells_task_and_lock() -> None:
    core, _log = died("haproxy-3.0", "debug dev deadlock 4")
    witness, crash = of_build(core, "haproxy-3.0")
    found = values(crash)
    assert found["task.function"] == "debug_run_cli_deadlock"
    assert str(found["task.woken_by"]).startswith("debug_parse_cli_deadlock (src/debug.c:")
    assert found["task.freed"] is False
    assert found["threads.waiting"] == 2
    assert found["threads.isolated"] == 0
    assert (found["lock.word"], found["lock.state"], found["lock.owner"]) == (0x100000004, "seek", "nobody")
    assert str(found["lock.name"]).startswith("lock.")
    assert crash.gaps == ()
    word = crash.get("lock.word")
    assert isinstance(word, Fact)
    assert (word.source.address, word.source.thread) == (found["lock.address"], witness.crashed.lwp)
    locks = witness.told["locks"]
    assert isinstance(locks, dict)
    assert [row["waits"] for row in locks["locks"]] == [2]


def test_a_table_whose_lock_is_waited_for_is_named() -> None:
    _witness, crash = told(golden.SAMPLES / "sharding-with-peers-2.9.6/core.zst", Places(packs=(str(golden.SYMBOLS),)))
    found = values(crash)
    assert found["lock.name"] == "table clients, updt_lock"
    assert (found["lock.word"], found["lock.state"], found["lock.owner"]) == (0x500000004, "write", "nobody")
    assert found["task.function"] == "process_stream"
    assert found["threads.waiting"] == 2


def test_a_stripped_package_tells_the_wait_and_not_the_name() -> None:
    core, _log = died("package-3.4", "debug dev deadlock 4")
    _witness, crash = of_build(core, "package-3.4")
    found = values(crash)
    assert found["threads.waiting"] == 2
    assert found["lock.state"] == "seek"
    assert "lock.name" not in found
    assert [gap.subject for gap in crash.gaps] == ["lock.name"]


def test_isolation_is_told() -> None:
    _witness, crash = of_build(isolating("haproxy-3.0"), "haproxy-3.0")
    found = values(crash)
    assert (found["threads.isolating"], found["threads.isolated"], found["threads.waiting"]) == (1, 0, 0)


def test_a_healthy_process_waits_for_nothing_and_the_report_stays_small() -> None:
    core, _answers = lived("haproxy-3.0", "show threads")
    witness, crash = of_build(core, "haproxy-3.0")
    assert values(crash) == {"threads.waiting": 0, "threads.isolated": 0}
    assert set(witness.told) == {"threads", "tasks"}
    assert crash.gaps == ()


def test_one_state_serves_all_collectors() -> None:
    core, _answers = lived("haproxy-3.0", "show threads")
    witness, _crash = of_build(core, "haproxy-3.0")
    assert witness.state is witness.state
