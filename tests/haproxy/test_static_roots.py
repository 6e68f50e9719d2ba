"""Without symbols HAProxy's own record leads to its variables: the same places that the symbol tables list."""

from __future__ import annotations

from pathlib import Path

import pytest

from forensics.absence import Absence
from forensics.api import Options, triage
from forensics.elf.core import read_core
from forensics.haproxy import structs
from forensics.haproxy.pool import Pools
from forensics.haproxy.post_mortem_layout import ROOTS, iter_shapes
from forensics.haproxy.proxy import iter_proxies
from forensics.haproxy.state import State
from forensics.haproxy.static_roots import VARIABLES, find_roots
from forensics.haproxy.structs import TypedMemory
from forensics.haproxy.walks import Walk
from forensics.memory.open import open_bytes
from forensics.symbols.places import Places
from forensics.unwind.backtrace import Process
from samples import golden
from samples.lab.living import living
from tests.builders.memory import START, memory_of
from tests.builders.typed import MadeUp
from tests.haproxy.test_post_mortem import PLACE, pieces_of
from tests.oracles.dying import CONFIG, subject

pytestmark = [pytest.mark.xdist_group("haproxy")]

CORE = golden.SAMPLES / "bug-on-3.4.7/core.zst"


def state_of(core: Path, places: Places) -> State:
    return State(Process(read_core(open_bytes(str(core))), places))


def test_a_core_without_any_file_tells_threads_pools_and_proxies() -> None:
    state = state_of(CORE, Places())
    assert [thread.number for thread in state.threads] == [1, 2]
    pools = Pools(state.space).pools
    assert isinstance(pools, tuple)
    assert len(pools) > 20
    walk = Walk()
    names = [proxy.text("id") for proxy in iter_proxies(state.space, walk)]
    assert "GLOBAL" in names
    assert walk.broken is None
    told = [gap for gap in state.assumptions() if gap.subject == "variables"]
    assert "ha_thread_info (post_mortem.thread_info)" in told[0].reason
    assert "pools (post_mortem.pools)" in told[0].reason


def test_where_symbols_list_the_variables_nothing_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(structs, "find_roots", lambda _space: pytest.fail("the memory was searched"))
    for name in ("bug-on-3.4.7", "bug-on-2.6.12"):
        triage([str(golden.SAMPLES / name / "core.zst")], Options(Places(packs=(str(golden.SYMBOLS),))))
    space = state_of(CORE, Places()).space
    assert isinstance(space.variable("haproxy_version"), Absence)  # no root: nobody would find it there


@pytest.fixture(scope="module", params=["package-3.2", "package-3.4"])
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[State, State]:
    """The state of one core, with the package's stripped executable and without any file."""
    chosen = subject(request.param)
    core = tmp_path_factory.mktemp(request.param) / "core"
    with living(chosen, CONFIG, f"roots-{request.param}") as process:
        process.take(core, ["show info"])
    files = Places(executable=str(chosen.executable), sysroot=str(chosen.jail or ""))
    return state_of(core, files), state_of(core, Places())


def test_the_places_are_those_that_the_symbol_table_lists(both: tuple[State, State]) -> None:
    listed, bare = both
    for name in VARIABLES:
        extent, root = listed.space.listed(name), bare.space.extent(name)
        assert isinstance(extent, tuple)
        assert isinstance(root, tuple)
        assert extent[0] == root[0]
        assert extent[1] <= root[1]
    assert find_roots(listed.space) == find_roots(bare.space)


def test_threads_and_pools_are_alike_with_and_without_files(both: tuple[State, State]) -> None:
    rows = [[(one.number, one.lwp, one.flags, one.value("nb_tasks")) for one in state.threads] for state in both]
    assert rows[0] == rows[1]
    pools = [Pools(state.space) for state in both]
    known = [[(one.name, one.size, each.usage(one)) for one in each.pools or ()] for each in pools]
    assert known[0] == known[1] != []


def made_up(root: int) -> TypedMemory:
    """A process whose record says that all its variables lie at ``root``."""
    shape = next(iter_shapes(True))
    pieces = pieces_of(shape, True) | {PLACE + shape.offsets[name]: root.to_bytes(8, "little") for name in ROOTS}
    return MadeUp(memory_of({}, pieces=pieces), {"post_mortem": (PLACE, 0)})


@pytest.mark.parametrize("root", [0, 8, START + 0x6001, 1 << 47, (1 << 64) - 8])
def test_what_cannot_be_a_variable_is_none(root: int) -> None:
    assert find_roots(made_up(root)) == {}


def test_the_room_of_a_variable_ends_with_its_mapping() -> None:
    found = find_roots(made_up(START + 0x6000))
    assert {root.room for root in found.values()} == {0xA000}
    assert found["pools"].source == "post_mortem.pools"
    assert find_roots(MadeUp(memory_of({}))) == {}
