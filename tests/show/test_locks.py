"""`show locks`: real waits for real locks, and who is to blame."""

from __future__ import annotations

from pathlib import Path

import pytest

from forensics.haproxy.state import State
from forensics.show.answer import Answer, Question
from forensics.show.asked import open_state
from forensics.show.locks import answer
from forensics.symbols.places import Places
from tests.oracles.dying import died, isolating, lived, opened, rewritten, stuck

pytestmark = [pytest.mark.xdist_group("haproxy")]

ROOT = Path(__file__).resolve().parents[2]


def lines(state: State) -> list[str]:
    found = answer(state, Question())
    assert isinstance(found, Answer)
    return list(found.lines())


@pytest.mark.parametrize("name", ["haproxy-3.0", "package-3.0", "package-3.4"])
def test_a_deadlock_names_the_threads_and_their_lock(name: str) -> None:
    core, _log = died(name, "debug dev deadlock 4")
    shown = lines(opened(core, name))
    waits = [line for line in shown if "waits to write or seek" in line]
    assert sorted(line.split(" (")[0].strip() for line in waits) == ["thread 1", "thread 2"]
    # Debian's 3.0 has no name for the static function that waits; the others export it.
    named = "code without a name" if name == "package-3.0" else "debug_run_cli_deadlock()"
    assert all(f"in {named}" in line for line in waits)
    assert "0x100000004: held (seek or spin lock)" in shown[0]
    assert any("nobody is left to release it" in line for line in shown)
    if name == "haproxy-3.0":
        assert shown[0].startswith("lock lock.")  # a static variable of that function


@pytest.mark.parametrize("name", ["haproxy-2.2", "haproxy-2.6", "haproxy-3.0"])
def test_a_global_lock_has_its_name(name: str) -> None:
    shown = lines(opened(stuck(name), name))
    assert shown[0].startswith("lock wq_lock at 0x")
    assert "0x500000004: held for writing" in shown[0]
    assert any("thread " in line and "waits to" in line for line in shown)


@pytest.mark.parametrize("name", ["haproxy-2.6", "haproxy-3.0"])
def test_a_thread_that_wants_to_be_alone_waits_for_the_busy_one(name: str) -> None:
    shown = lines(opened(isolating(name), name))
    assert shown == [
        "no thread waits for a lock",
        "thread 1 waits to be isolated; threads that are not harmless: 2",
    ]


def test_the_lock_of_a_table_is_told_by_its_member() -> None:
    sample = ROOT / "samples/sharding-with-peers-2.9.6/core.zst"
    state = open_state(str(sample), Places(packs=(str(ROOT / "samples/symbols"),)))
    shown = lines(state)
    assert shown[0].startswith("lock table clients, updt_lock at 0x")
    assert shown[0].endswith("(0x500000004: held for writing)")
    lwps = [thread.lwp for thread in state.process.core.threads]
    assert [line.split(",")[0].strip() for line in shown[1:3]] == [
        f"thread {number} (LWP {lwp}) waits to write or seek" for number, lwp in zip((1, 2), lwps, strict=True)
    ]
    assert all("in stktable_touch_with_exp()" in line for line in shown[1:3])


def test_a_healthy_process_has_no_waits() -> None:
    core, _answers = lived("haproxy-3.0", "show threads")
    assert lines(opened(core, "haproxy-3.0")) == ["no thread waits for a lock"]


def test_json_has_the_same() -> None:
    core, _log = died("haproxy-3.0", "debug dev deadlock 4")
    found = answer(opened(core, "haproxy-3.0"), Question())
    assert isinstance(found, Answer)
    data = found.data()
    assert isinstance(data, dict)
    assert data["locks"][0]["orphaned"] is True
    assert data["locks"][0]["state"] == "seek"
    assert sorted(one["thread"] for one in data["locks"][0]["waiting"]) == [1, 2]
    assert data["deadlocks"] == []


def test_a_lock_that_was_released_just_then_is_told_by_dwarf(tmp_path: Path) -> None:
    core, _log = died("haproxy-3.0", "debug dev deadlock 4")
    state = opened(core, "haproxy-3.0")
    shown = lines(rewritten(state, tmp_path / "core", {state.locks.locks[0].address: 0}, "haproxy-3.0"))
    assert shown[0].startswith("lock lock.")
    assert shown[0].endswith("(0x0: free)")
    assert all(line.endswith("waits for it, in debug_run_cli_deadlock() (argument lock)") for line in shown[1:3])
    assert shown[3].strip() == "it was released just then"
