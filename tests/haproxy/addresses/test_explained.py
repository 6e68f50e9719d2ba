"""Addresses of real processes, dead and alive, and what registers led to in real crashes."""

from __future__ import annotations

from pathlib import Path

import pytest

from forensics.absence import Absence
from forensics.api import Options, gather, triage
from forensics.elf.core import read_core
from forensics.haproxy.addresses.crash import read_crash_addresses
from forensics.haproxy.addresses.explained import Addresses, Explained
from forensics.haproxy.pool import Pool
from forensics.haproxy.pools.free_objects import iter_cached
from forensics.haproxy.state import State
from forensics.haproxy.structs import Struct
from forensics.haproxy.walks import Walk
from forensics.memory.open import open_bytes
from forensics.report.document import Report
from forensics.report.text import render_text
from forensics.symbols.places import Places
from forensics.unwind.backtrace import Process
from samples.lab.builds import runnable
from samples.lab.living import living
from samples.lab.traffic import load
from tests.haproxy.pool_crashes import CONFIG, FREED_STREAM, LAB, PORT, crash, need

pytestmark = [pytest.mark.xdist_group("haproxy")]

BUILDS = ["haproxy-2.2", "haproxy-2.6", "haproxy-3.0"]


def state_of(core: Path) -> State:
    return State(Process(read_core(open_bytes(str(core))), Places()))


@pytest.fixture(scope="module", params=BUILDS)
def names(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Addresses:
    """Addresses of a HAProxy that lives: its core taken after some requests."""
    need(request.param)
    core = tmp_path_factory.mktemp("address") / "core"
    with living(runnable(LAB, request.param), CONFIG, f"address-{request.param}") as haproxy:
        assert load(PORT, 3) == 3
        haproxy.take(core)
    return Addresses(state_of(core))


def pool(names: Addresses, variable: str) -> Pool:
    address = names.state.space.word(variable)
    return next(one for one in names.pools.pools or () if one.address == address)


def test_small_and_impossible_addresses(names: Addresses) -> None:
    null = names.explain(0)
    assert (null.kind, null.what, null.details) == ("null", "NULL", ())
    member = names.explain(8)
    assert (member.kind, member.trust) == ("null", "derived")
    assert "task.process" in member.details[0].what or "members at this offset" in member.details[0].what
    assert names.explain(0x5050505050505050 + 24).poison == "byte 0x50"
    assert names.explain(0x4142434445464748).poison == "text"
    assert names.explain(0x5555555555555550).poison == "fill pattern"
    assert names.explain(0x00F0000000000000).kind == "non-canonical"
    assert names.explain(0xFFFFFFFFFFFFFFF0).what.endswith("minus 16")
    assert names.explain(0x10000000).kind == "unmapped"


def test_stacks_have_their_threads_and_frames(names: Addresses) -> None:
    register = names.state.process.architecture.sp
    for stack in names.state.stacks:
        for frame in stack.frames:
            found = names.explain(frame.registers[register])
            assert found.kind == "stack"
            assert found.what == f"stack of thread {stack.number} (kernel id {stack.lwp})"
        inner = names.explain(stack.frames[0].registers[register] - 8)
        assert inner.details[0].what.startswith("below all frames")
        segment = names.state.space.memory.find(stack.frames[0].registers[register])
        assert not isinstance(segment, Absence)
        guard = names.explain(segment.address - 8)
        assert (guard.kind, guard.trust) == ("guard", "derived")
        assert f"thread {stack.number}" in guard.what


def test_variables_code_and_objects_of_the_configuration(names: Addresses) -> None:
    space = names.state.space
    settings = space.object("global", "global")
    assert isinstance(settings, Struct)
    threads = names.explain(settings.address_of("nbthread") or 0)
    assert (threads.kind, threads.trust) == ("module", "derived")
    assert threads.what == "variable global.nbthread of haproxy"
    assert names.explain(space.variable("cfg_peers") or 0).what == "variable cfg_peers of haproxy"
    code = names.state.stacks[0].frames[-1]
    assert f": {code.function}+" in names.explain(code.pc).what
    table = space.pointed("stktables_list", "stktable")
    assert isinstance(table, Struct)
    found = names.explain(table.address_of("expire") or 0)
    assert (found.kind, found.trust) == ("object", "read")
    assert found.what.startswith("stick-table web: struct stktable + ")
    assert found.what.endswith("(expire)")
    head = pool(names, "pool_head_stream")
    assert names.explain(head.address).what == "pool stream: struct pool_head"


def test_objects_of_pools_allocated_and_free(names: Addresses) -> None:
    """Tags are off in 2.2, as Debian builds it: there only the lists of free objects prove anything."""
    found = 0
    for one in names.pools.pools or ():
        for cache in names.pools.caches(one):
            for start in iter_cached(names.state.space.memory, cache, Walk()):
                for address in (start, start + one.size // 2, start + one.size - 1):
                    free = names.explain(address)
                    assert (free.kind, free.pool, free.freed, free.trust) == ("freed object", one.name, True, "read")
                    assert f" at {start:#x}" in free.what
                    assert f"cache of thread {cache.thread}" in free.what
                found += 1
    assert found > 10
    table = names.state.space.pointed("stktables_list", "stktable")
    assert isinstance(table, Struct)
    task = names.explain(table.number("exp_task") or 0)
    if names.state.space.has_struct("pool_item"):
        assert (task.kind, task.freed, task.trust) == ("pool object", False, "read")
        assert task.details[0].what == "struct task of process_table_expire()"
        assert task.details[0].trust == "derived"
    else:
        assert task.trust == "assumed"


def state_list(report: Report, name: str) -> list[dict[str, object]]:
    """One list of the report's state."""
    found = report.state[name]
    assert isinstance(found, list)
    return found


def registers(report: Report, value: int) -> list[str]:
    """What the report says of the registers that hold this value."""
    return [str(one["what"]) for one in state_list(report, "registers") if one["value"] == f"{value:#x}"]


def test_an_overwritten_free_object_is_found(tmp_path: Path) -> None:
    """-dMintegrity stops 3.0 when the object is taken; the place is that of the write, which gdb made."""
    commands = (*FREED_STREAM, "set *(long*)($o+0x48)=0x4141414141414141")
    core, (start, head, thread) = crash("haproxy-3.0", tmp_path, commands, "-dMtag,integrity,no-merge")
    report = triage([str(core)])
    assert report.crash.kind == "pool_corruption"
    damage = state_list(report, "pools")[0]
    assert damage["address"] == start + 0x48
    assert damage["where"] == f"the cache of thread {thread} of pool stream"
    (gap,) = (one for one in report.gaps if one.subject == "memory of pool stream")
    assert f"{start + 0x48:#x}" in gap.reason
    (told,) = registers(report, start)
    assert told.startswith(
        f"free object of pool stream at {start:#x}, in the cache of thread {thread}; once a struct stream"
    )
    assert "it was written to after it was freed, at offset 0x48" in told
    assert "freed by stream_free+" in told
    (pool_told,) = registers(report, head)
    assert pool_told == "pool stream: struct pool_head"
    assert f"the cache of thread {thread} of pool stream is broken at {start + 0x48:#x}" in " ".join(
        render_text(report, width=1000).split()
    )


def test_a_link_overwritten_by_text_is_found_from_the_list(tmp_path: Path) -> None:
    """The kernel tells no address of such an access; one register has it. The text itself is nobody's business."""
    commands = (*FREED_STREAM, "set *(long*)$o=0x4142434445464748")
    core, (start, _head, thread) = crash("haproxy-3.0", tmp_path, commands)
    _taken, _witness, facts = gather([str(core)])
    values = {one.name: one.value for one in facts.facts}
    assert (values["address.what"], values["address.poison"]) == ("non-canonical", "text")
    report = triage([str(core)], Options())
    shown = render_text(report)
    assert "4142434445464748" not in shown.lower().replace("_", "")
    damage = state_list(report, "pools")[0]
    assert (damage["address"], damage["where"]) == (start, f"the cache of thread {thread} of pool stream")
    assert any("free object of pool stream" in one for one in registers(report, start))


def test_a_null_pointer_names_the_member_that_was_wanted(tmp_path: Path) -> None:
    core, _printed = crash("haproxy-3.0", tmp_path, ("set var pool_head_session = 0",))
    crashed = read_crash_addresses(state_of(core))
    assert isinstance(crashed.touched, Explained)
    assert crashed.touched.kind == "null"
    assert crashed.touched.details[0].what.startswith("it may be pool->cache[")
    assert crashed.touched.details[0].trust == "assumed"
    _taken, _witness, facts = gather([str(core)])
    assert {one.name: one.value for one in facts.facts}["address.what"] == "null"


def test_a_pointer_read_from_fresh_memory_is_the_poison_of_memory_debugging(tmp_path: Path) -> None:
    """gdb gives to a session what an object under -dM begins with: nobody wrote to it."""
    commands = ("set var pool_head_session = (void*)0x5050505050505050",)
    core, _printed = crash("haproxy-2.6", tmp_path, commands, "-dM")
    crashed = read_crash_addresses(state_of(core))
    assert isinstance(crashed.touched, Explained)
    assert (crashed.touched.kind, crashed.touched.poison) == ("non-canonical", "byte 0x50")
    assert crashed.touched.details[0].trust == "derived"
