"""`show dev`: what HAProxy put aside, in a live process and in its core, by symbol, by magic, by notes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from forensics.haproxy.post_mortem import PostMortem, read_post_mortem
from forensics.show.asked import open_state
from forensics.symbols.places import Places
from samples import golden
from tests.show.conftest import Taken

pytestmark = [pytest.mark.xdist_group("haproxy")]

#: 3.3 and later end headings with a colon, and tell how threads are bound to processors, which is not kept there.
HEADINGS = ("Features", "Build options", "Platform info", "Process info")
NOT_READ = ("CPU clusters:", "Thread CPU Bindings:")


def compared(lines: list[str]) -> list[str]:
    """Lines up to what is not read, with single blanks."""
    found = []
    for line in lines:
        if line in NOT_READ:
            break
        plain = " ".join(line.split())
        found.append(plain.rstrip(":") if plain.rstrip(":") in HEADINGS else plain)
    return found


@pytest.mark.parametrize("name", ["haproxy-3.0", "package-3.2", "package-3.4"])
def test_a_live_process_and_its_core_tell_the_same(name: str, taken: Callable[[str], Taken]) -> None:
    """With the build's layout, and with the shape that the content proves."""
    process = taken(name)
    live = compared(process.live("show dev"))
    assert {"Platform info", "Process info"} <= set(live)
    assert compared(process.lines("dev")) == live


@pytest.mark.parametrize(("sample", "release"), [("watchdog-loop-3.0.11", "3.0.11"), ("bug-on-3.4.7", "3.4.7")])
def test_a_core_alone_tells_it_by_the_magic(sample: str, release: str) -> None:
    """A core that the kernel wrote, and no file of the build."""
    process = Taken({}, str(golden.SAMPLES / sample / "core.zst"), "")
    lines = compared(process.lines("dev", symbols=False))
    assert lines[0].startswith(f"HAProxy version {release}")
    assert "OS name: Linux" in lines
    assert "node name: lab" in lines
    assert "cmdline: /usr/sbin/haproxy -f haproxy.cfg" in lines
    data = process.answer("dev", symbols=False).data()
    assert isinstance(data, dict)
    assert data["how"].startswith("its content")
    assert [one.name for one in data["components"]] == ["haproxy"]


@pytest.mark.parametrize("name", ["haproxy-3.0", "package-3.2", "package-3.4"])
def test_the_roots_are_the_variables(name: str, taken: Callable[[str], Taken]) -> None:
    """A core alone tells where HAProxy's variables lie."""
    process = taken(name)
    space = open_state(process.core, Places(executable=process.executable)).space
    found = read_post_mortem(space)
    assert isinstance(found, PostMortem)
    variables = {"thread_info": "ha_thread_info", "thread_ctx": "ha_thread_ctx", "tgroup_info": "ha_tgroup_info",
                 "global": "global", "activity": "activity", "pools": "pools"}  # fmt: skip
    assert {each: found.roots[each] for each in variables} == {
        each: space.variable(variable) for each, variable in variables.items()
    }


def test_older_releases_are_told_by_the_notes(taken: Callable[[str], Taken]) -> None:
    process = taken("haproxy-2.6")
    lines = compared(process.lines("dev"))
    pid = next(line.split()[1] for line in process.live("show activity;show info") if line.startswith("Pid: "))
    assert lines[0].startswith("HAProxy version 2.6.12")
    assert f"pid: {pid}" in lines
    assert any(line.startswith("runtime uid: ") for line in lines)
    assert "Built with network namespace support." in lines
    assert [gap.subject for gap in process.answer("dev").gaps()] == ["post_mortem"]


def test_threads_are_told_with_the_tops_of_their_stacks(taken: Callable[[str], Taken]) -> None:
    data = taken("haproxy-3.0").answer("dev").data()
    assert isinstance(data, dict)
    assert [one["number"] for one in data["threads"]] == [1, 2]
    assert all(int(one["stack_top"], 16) > 1 << 40 and int(one["pth_id"], 16) > 1 << 40 for one in data["threads"])
