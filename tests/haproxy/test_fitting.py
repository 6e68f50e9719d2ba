"""Kept layouts against memory: packages without debug information answer as they did when they lived."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from forensics.absence import Absence
from forensics.elf.constants import EM_X86_64
from forensics.elf.core import read_core
from forensics.haproxy import fitting
from forensics.haproxy.fitting import Fit, held_against
from forensics.haproxy.release import Release
from forensics.haproxy.state import State
from forensics.haproxy.structs import Struct, TypedMemory
from forensics.haproxy.walks import Walk, iter_chain
from forensics.memory.open import open_bytes
from forensics.symbols.kept import KeptLayouts, kept_for
from forensics.symbols.layout import OF_THIS_RELEASE, Layout
from forensics.symbols.places import Places
from forensics.unwind.backtrace import Process
from samples.lab.builds import runnable
from samples.lab.living import Living, living
from samples.lab.loaded import Runnable

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "samples"
PACKAGED = frozenset({"LUA", "OPENSSL", "QUIC", "THREAD"})

pytestmark = [pytest.mark.xdist_group("haproxy")]

CONFIG = """\
global
    nbthread 2
    maxconn 41
    stats socket unix@cli level admin
defaults
    mode http
    timeout client 20s
    timeout server 21s
    timeout connect 5s
peers mates
    peer lab 127.0.0.1:18481
frontend web
    bind 127.0.0.1:18482 name entrance
    default_backend app
backend app
    server one 127.0.0.1:18483 maxconn 55
    server two 127.0.0.1:18484 disabled
backend clients
    stick-table type ip size 100 expire 30s peers mates store http_req_cnt,conn_cur
"""
QUESTIONS = ("show info", "show table", "show servers conn", "show peers")

PACKAGES = ("package-2.6", "package-3.0", "package-3.2", "package-3.4")


def package(name: str) -> Runnable:
    """Debian's HAProxy: that of this machine, or of another suite."""
    return Runnable(Path("/usr/sbin/haproxy")) if name == "package-2.6" else runnable(ROOT / ".lab", name)


@pytest.fixture(scope="module", params=PACKAGES)
def taken(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Living, State]]:
    """A package that lives, what it answered, and its core."""
    subject = package(request.param)
    if not subject.executable.exists():
        pytest.skip("the lab has no such package: python -m samples.lab.builds")
    core = tmp_path_factory.mktemp(request.param) / "core"
    with living(subject, CONFIG, f"fitting-{request.param}", files=2000) as haproxy:
        haproxy.take(core, QUESTIONS)
        state = State(Process(read_core(open_bytes(str(core))), Places(executable=str(subject.executable))))
        if not state.space.fit:
            pytest.skip(f"{state.release}: {state.space.fit}")
        yield haproxy, state


def told(haproxy: Living, name: str) -> int:
    """A number of `show info`."""
    found = re.search(rf"^{name}: (\d+)", haproxy.answers["show info"], re.MULTILINE)
    assert found, haproxy.answers["show info"]
    return int(found[1])


def chained(space: TypedMemory, variable: str, name: str, member: str = "next") -> list[Struct]:
    """The structures of a chain, which must be whole."""
    first, layout, walk = space.word(variable), space.layout(name), Walk()
    assert isinstance(first, int)
    assert isinstance(layout, Layout), layout
    found = [space.at(name, each) for each in iter_chain(space.memory, first, layout.fields[member].offset, walk)]
    assert walk.broken is None
    return [each for each in found if isinstance(each, Struct)]


def test_the_layouts_of_the_release_are_chosen_and_everything_fits(taken: tuple[Living, State]) -> None:
    fit = taken[1].space.fit
    assert isinstance(fit, Fit)
    assert fit.refuted == {}
    assert (fit.layouts.exact, fit.layouts.same_options, fit.trusted) == (True, True, True)
    assert {"global", "thread_ctx", "thread_info", "activity", "task", "stream", "proxy", "stktable"} <= set(fit.proven)


def test_numbers_of_the_process_are_those_that_it_told(taken: tuple[Living, State]) -> None:
    haproxy, state = taken
    whole = state.space.object("global", "global")
    assert isinstance(whole, Struct)
    names = {"nbthread": "Nbthread", "maxconn": "Maxconn", "hardmaxconn": "Hard_maxconn", "maxsock": "Maxsock"}
    assert {name: whole.number(name) for name in names} == {name: told(haproxy, of) for name, of in names.items()}
    assert whole.number("nbthread") == len(state.process.core.threads)
    assert whole.number("tune.bufsize") == 16384


def test_tasks_are_counted_as_it_counted_them(taken: tuple[Living, State]) -> None:
    """But for those of the CLI's own connections, which come and go with each question."""
    haproxy, state = taken
    contexts = list(state.space.array("ha_thread_ctx", "thread_ctx", told(haproxy, "Nbthread")))
    counted = sum(number for one in contexts if isinstance(number := one.number("nb_tasks"), int))
    assert -4 <= counted - told(haproxy, "Tasks") <= 4


def test_tables_have_the_names_and_sizes_that_it_told(taken: tuple[Living, State]) -> None:
    haproxy, state = taken
    live = re.findall(r"# table: (\w+), type: ip, size:(\d+), used:(\d+)", haproxy.answers["show table"])
    dead = [
        (one.text("id"), str(one.number("size")), str(one.number("current")))
        for one in chained(state.space, "stktables_list", "stktable")
    ]
    assert dead == live == [("clients", "100", "0")]


def test_proxies_servers_listeners_and_peers_have_their_names(taken: tuple[Living, State]) -> None:
    haproxy, state = taken
    proxies = {str(one.text("id")): one for one in chained(state.space, "proxies_list", "proxy")}
    assert {"GLOBAL", "web", "app", "clients"} <= set(proxies)
    assert (proxies["web"].number("timeout.client"), proxies["app"].number("timeout.server")) == (20000, 21000)
    assert proxies["web"].text("conf.file") == "haproxy.cfg"
    server = proxies["app"].follow("srv", "server")
    assert isinstance(server, Struct)
    assert f"app/{server.text('id')} " in haproxy.answers["show servers conn"]
    assert (server.text("id"), server.number("maxconn"), server.number("svc_port")) == ("one", 55, 18483)
    peers = state.space.pointed("cfg_peers", "peers")
    assert isinstance(peers, Struct)
    assert peers.text("id") == "mates"
    assert f"{peers.address:#x}: " in haproxy.answers["show peers"]


def test_what_is_assumed_is_told_with_the_release(taken: tuple[Living, State]) -> None:
    _haproxy, state = taken
    layout = state.space.layout("proxy")
    assert isinstance(layout, Layout)
    assert layout.trust == state.space.trust == OF_THIS_RELEASE
    assert isinstance(state.release, Release)
    release = state.release.version.split("-")[0]
    assert layout.source == f"layout kept for {release}"
    (gap,) = state.assumptions()
    assert f"layout kept for {release}" in gap.reason
    assert "checked in memory" in gap.reason


# ---- cores of samples: neither HAProxy nor the lab is needed


def sample(name: str) -> Process:
    """A sample of a package: its symbol pack knows variables, and no structures."""
    core = open_bytes(str(SAMPLES / name / "core.zst"))
    return Process(read_core(core), Places(packs=(str(SAMPLES / "symbols"),)))


def kept(release: str, features: frozenset[str] = PACKAGED) -> KeptLayouts:
    found = kept_for(release, EM_X86_64, features)
    assert isinstance(found, tuple)
    return found[0]


def with_structs(old: KeptLayouts, structs: dict[str, object]) -> KeptLayouts:
    """The same layouts but for some."""
    return KeptLayouts(
        old.release, old.origin, old.exact, old.same_options, dict(old.structs) | structs, old.enums, old.varies,
        old.partial, old.steady,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["bug-on-2.6.12", "requeue-forced-2.6.12", "watchdog-loop-3.0.11", "bug-on-3.4.7"])
def test_samples_of_stripped_packages_are_read_by_the_layouts_of_their_release(name: str) -> None:
    space = TypedMemory(sample(name))
    assert isinstance(space.fit, Fit)
    assert (space.fit.trusted, space.fit.layouts.same_options) == (True, True)
    assert name.endswith(space.fit.layouts.release)
    whole = space.object("global", "global")
    assert isinstance(whole, Struct)
    assert whole.number("nbthread") == len(space.process.core.threads) == 2


@pytest.mark.parametrize(
    ("name", "release"), [("bug-on-2.6.12", "3.0.11"), ("watchdog-loop-3.0.11", "2.6.12"), ("bug-on-3.4.7", "3.0.11")]
)
def test_layouts_of_another_release_are_refuted(name: str, release: str) -> None:
    fit = held_against(sample(name), kept(release))
    assert {"global", "thread_ctx"} <= set(fit.refuted)
    assert not {"stream", "session", "connection"} & set(fit.proven)
    assert not fit.trusted
    refused = fit.layout("global")
    assert isinstance(refused, Absence)
    assert refused.reason.startswith(f"the layout kept for {release} does not fit this build: the variable global has")
    assert refused.remedy == "the debug symbols of this build"
    unknown = fit.layout("hlua")
    assert isinstance(unknown, Absence)
    assert fit.enumeration("peer_app_state") == Absence("enum peer_app_state", "none is believed")


@pytest.mark.parametrize("name", ["stream", "thread_ctx", "global", "connection", "stconn"])
def test_a_size_that_is_wrong_refutes_the_structure(name: str) -> None:
    right = kept("2.6.12", frozenset({"LUA", "OPENSSL", "THREAD"}))
    wrong = dict(right.structs[name]) | {"": right.structs[name][""] + 128}
    fit = held_against(sample("bug-on-2.6.12"), with_structs(right, {name: wrong}))
    assert set(fit.refuted) == {name}
    assert isinstance(fit.layout(name), Absence)
    assert isinstance(fit.layout("task"), Layout)  # proven by itself
    assert isinstance(fit.layout("hlua"), Absence)  # what could not be checked is not believed any more


def test_a_member_at_another_place_refutes_the_structure() -> None:
    right = kept("2.6.12", frozenset({"LUA", "OPENSSL", "THREAD"}))
    moved = {
        name: [one[0] + 8, *one[1:]] if name == "id" else one for name, one in right.structs["proxy"].items() if name
    }
    fit = held_against(
        sample("healthy-2.6.12"), with_structs(right, {"proxy": {"": right.structs["proxy"][""]} | moved})
    )
    assert "proxy" in fit.refuted
    assert "the proxy at 0x" in fit.refuted["proxy"]


def test_one_damaged_object_is_no_proof_against_a_release(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process may have died of it. What was damaged is not believed, the rest is."""
    process = sample("requeue-forced-2.6.12")
    memory = process.core.memory
    table, read = TypedMemory(process).word("stktables_list"), memory.read

    def damaged(address: int, size: int, *, alone: bool = False) -> bytes | Absence:
        found = read(address, size, alone=alone)
        return found if address != table or isinstance(found, Absence) else b"A" * 8 + found[8:]

    monkeypatch.setattr(memory, "read", damaged)
    fit = TypedMemory(process).fit
    assert isinstance(fit, Fit)
    assert set(fit.refuted) == {"stktable"}
    assert (fit.trusted, fit.contradicted) == (True, False)
    assert isinstance(fit.layout("hlua"), Layout)


def fit_as(monkeypatch: pytest.MonkeyPatch, name: str, version: str) -> Fit:
    """What is chosen for a sample if it says that it is ``version``."""
    monkeypatch.setattr(fitting, "find_release", lambda _process: Release(version, "", 0, "a test"))
    found = fitting.find_fit(sample(name))
    assert isinstance(found, Fit)
    return found


def test_of_a_neighbour_only_what_is_proven_or_never_changed_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    fit = fit_as(monkeypatch, "watchdog-loop-3.0.11", "3.0.5-1")
    assert (fit.layouts.release, fit.layouts.exact, fit.trusted) == ("3.0.11", False, False)
    assert isinstance(fit.layout("stream"), Layout)
    assert isinstance(fit.layout("eb32_node"), Layout)
    refused = fit.layout("mworker_proc")
    assert isinstance(refused, Absence)
    assert refused.reason == "the layout kept for 3.0.11 is not believed: nothing in memory proves it"


def test_a_branch_without_kept_layouts_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "find_release", lambda _process: Release("2.8.25", "", 0, "a test"))
    space = TypedMemory(sample("watchdog-loop-3.0.11"))
    found = space.layout("stream")
    assert isinstance(found, Absence)
    assert found.reason == "none are kept for HAProxy 2.8.25 on x86-64"


def test_what_options_change_is_not_taken_from_a_build_with_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Padding hides the difference: `global` of 3.0.11 has the same size with and without QUIC."""
    monkeypatch.setattr(fitting, "_features", lambda _process: frozenset({"THREAD", "OPENSSL"}))
    found = fitting.find_fit(sample("watchdog-loop-3.0.11"))
    assert isinstance(found, Fit)
    assert not found.layouts.same_options
    refused = found.layout("global")
    assert isinstance(refused, Absence)
    assert refused.reason == "the layout kept for 3.0.11 is that of a build with other options"
    assert isinstance(found.layout("stream"), Layout)


def test_a_build_with_debug_information_asks_no_kept_layout() -> None:
    process = sample("requeue-race-2.9.6")
    space = TypedMemory(process)
    assert isinstance(space.layout("stktable"), Layout)
    missing = space.layout("no_such_structure")
    assert isinstance(missing, Absence)
    assert "does not declare it" in missing.reason
    assert "fit" not in vars(space)
