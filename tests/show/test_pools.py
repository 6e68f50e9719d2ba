"""`show pools`: a live process and its core tell the same; what is wrong comes first when asked."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from forensics.absence import Absence
from forensics.elf.core import read_core
from forensics.errors import UsageError
from forensics.haproxy.pool import _head_behind_a_pool
from forensics.haproxy.state import State
from forensics.memory.open import open_bytes
from forensics.show.answer import Answer, Question
from forensics.show.pools import answer
from forensics.symbols.places import Places
from forensics.unwind.backtrace import Process
from samples.lab.builds import runnable
from samples.lab.living import living
from samples.lab.traffic import load
from tests.haproxy.pool_crashes import CONFIG, FREED_STREAM, LAB, PORT, crash, need

pytestmark = [pytest.mark.xdist_group("haproxy")]

BUILDS = ["haproxy-2.2", "haproxy-2.6", "haproxy-3.0"]
#: The connection that asks gives its objects to the cache of its thread when it has the answer, and buffers may then
#: be taken from malloc or given back: what is cached grows, and a handful of what is allocated and used moves, and the average with it.
MOVING = re.compile(r" \(~\d+ by thread caches\)|\d+ allocated \(\d+ bytes\), \d+ used|needed_avg \d+")
COUNTS = re.compile(r": (\d+) allocated \(\d+ bytes\), (\d+) used.* needed_avg (\d+)")
A_HANDFUL = 4


def state_of(core: Path) -> State:
    return State(Process(read_core(open_bytes(str(core))), Places()))


def lines(state: State, *words: str) -> list[str]:
    found = answer(state, Question(words))
    assert isinstance(found, Answer), found
    return list(found.lines())


@pytest.fixture(scope="module", params=BUILDS)
def taken(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[State, list[str]]:
    need(request.param)
    core = tmp_path_factory.mktemp("pools") / "core"
    # HAProxy leaves out lines for which its buffer has no room.
    config = CONFIG.replace("tune.bufsize 4096", "tune.bufsize 32768")
    with living(runnable(LAB, request.param), config, f"pools-{request.param}") as haproxy:
        assert load(PORT, 10) == 10
        haproxy.take(core, ["show pools"])
    return state_of(core), haproxy.answers["show pools"].strip().splitlines()


def test_a_live_process_and_its_core_tell_the_same(taken: tuple[State, list[str]]) -> None:
    state, live = taken
    dead = lines(state)
    assert [MOVING.sub("", one) for one in dead[:-1]] == [MOVING.sub("", one) for one in live[:-1]]
    assert dead[-1].split(",")[0] == live[-1].split(",")[0]
    assert ("by thread caches" in dead[1]) == ("by thread caches" in live[1])
    for one, other in zip(dead[1:-1], live[1:-1], strict=True):
        here, there = COUNTS.search(one), COUNTS.search(other)
        assert here and there
        assert all(abs(int(a) - int(b)) <= A_HANDFUL for a, b in zip(here.groups(), there.groups(), strict=True)), one


def test_a_sound_process_raises_no_doubts(taken: tuple[State, list[str]]) -> None:
    state, _live = taken
    found = answer(state, Question(("suspicious",)))
    assert isinstance(found, Answer)
    assert not [one for one in found.lines() if one.lstrip().startswith("!")]
    assert found.gaps() == ()


def test_orders_and_choices_are_those_of_haproxy(taken: tuple[State, list[str]]) -> None:
    state, _live = taken
    names = [one.split()[2] for one in lines(state, "byname")[1:-1]]
    assert names == sorted(names)
    used = [int(one[1]) for each in lines(state, "byusage") if (one := re.search(r"allocated \((\d+) bytes", each))]
    assert used == sorted(used, reverse=True)
    assert all(used)
    assert [one.split()[2] for one in lines(state, "match", "str")[1:-1]] == ["stream"]
    assert lines(state, "3")[0] == "Dumping pools usage (limited to the first 3 entries). Use SIGQUIT to flush them."
    with pytest.raises(UsageError):
        lines(state, "nonsense")


def test_where_the_list_has_no_symbol_any_pool_leads_to_it(taken: tuple[State, list[str]]) -> None:
    space = taken[0].space
    assert _head_behind_a_pool(space, Absence("pools", "stripped")) == space.variable("pools")


def test_the_pool_that_was_written_to_comes_first(tmp_path: Path) -> None:
    commands = (*FREED_STREAM, "set *(long*)($o+0x60)=0")
    core, (start, _pool, thread) = crash("haproxy-2.6", tmp_path, commands, "-dMtag,integrity,no-merge,caller")
    found = answer(state_of(core), Question(("suspicious",)))
    assert isinstance(found, Answer)
    shown = list(found.lines())
    assert shown[1].startswith("  - Pool stream ")
    assert f"the cache of thread {thread} of pool stream: at {start + 0x60:#x}" in shown[2]
    (gap,) = found.gaps()
    assert gap.subject == "pool stream"


@pytest.mark.parametrize("package", ["package-3.0", "package-3.2", "package-3.4"])
def test_a_stripped_package_tells_the_same_by_kept_layouts(package: str, tmp_path: Path) -> None:
    need(package)
    build = runnable(LAB, package)
    config = CONFIG.replace("tune.bufsize 4096", "tune.bufsize 32768")
    with living(build, config, f"pools-{package}") as haproxy:
        core = haproxy.take(tmp_path / "core", ["show pools"])
    state = State(Process(read_core(open_bytes(str(core))), Places(sysroot=str(build.root))))
    live = haproxy.answers["show pools"].strip().splitlines()[1:-1]
    # Each once: 3.2.26 prints a line twice where its answer goes on in a second buffer.
    assert {MOVING.sub("", one) for one in lines(state)[1:-1]} == {MOVING.sub("", one) for one in live}
