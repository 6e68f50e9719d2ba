"""LWPs and HAProxy's numbers: by thread pointers, by the thread-local tid, else by order."""

from __future__ import annotations

import re

import pytest

from forensics.haproxy.locks.places import LockPlace, LockPlaces, member_at
from forensics.haproxy.structs import known
from forensics.haproxy.thread_ids import thread_ids
from forensics.haproxy.thread_local import thread_pointer, thread_variable
from forensics.haproxy.threads import FLAGS, names_of
from tests.oracles.dying import died, lived, opened

pytestmark = [pytest.mark.xdist_group("haproxy")]


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("haproxy-2.2", "ha_thread_info[0].pthread"),
        ("haproxy-2.6", "ha_pthread[0]"),
        ("haproxy-3.0", "ha_thread_info[0].pth_id"),
        ("package-3.4", "the thread-local variable tid"),
    ],
)
def test_the_dump_of_a_panic_names_the_same_threads(name: str, how: str) -> None:
    core, log = died(name, "debug dev panic")
    state = opened(core, name)
    ids = thread_ids(state.space)
    printed = {int(number): int(pointer, 16) for number, pointer in re.findall(r"Thread (\d+) *: id=(0x\w+)", log)}
    found = {ids[one.lwp].tid + 1: thread_pointer(state.space, one) for one in state.process.core.threads}
    assert found == printed
    main = state.process.core.process
    assert main is not None
    assert ids[main.pid].tid == 0
    # With kept layouts a package tells as much as a build with debug symbols.
    assert ids[main.pid].how in (how, "ha_thread_info[0].pth_id")


def test_each_thread_has_its_own_copy_of_a_variable() -> None:
    core, _log = died("haproxy-3.0", "debug dev panic")
    state = opened(core, "haproxy-3.0")
    contexts = state.space.extent("ha_thread_ctx")
    assert isinstance(contexts, tuple)
    layout = state.space.layout("thread_ctx")
    assert layout
    for thread in state.process.core.threads:
        address = thread_variable(state.space, "th_ctx", thread)
        assert isinstance(address, int)
        own = contexts[0] + (state.numbers[thread.lwp] - 1) * layout.size
        assert state.space.memory.word(address) == own
    assert not thread_variable(state.space, "no_such_variable", state.process.core.threads[0])


def test_flags_have_names_and_unknown_bits_their_number() -> None:
    assert names_of(0x1 | 0x20 | 0x4000, FLAGS) == ("STUCK", "IN_LOOP", "0x4000")
    assert names_of(0, FLAGS) == ()


def test_every_lock_of_an_object_is_found_by_its_address() -> None:
    core, _answers = lived("haproxy-3.0", "show threads")
    state = opened(core, "haproxy-3.0")
    places, space = LockPlaces(state), state.space
    table = space.pointed("stktables_list", "stktable")
    assert table
    for path, index in (("updt_lock", 0), ("lock", 0)):
        address = table.address_of(path, index)
        assert isinstance(address, int)
        found = places.find(address)
        assert isinstance(found, LockPlace)
        assert (found.words, found.struct) == (f"table st, {path}", "stktable")
    shard = table.inner("shards", 3)
    assert shard
    found = places.find(known(shard.address_of("sh_lock")))
    assert isinstance(found, LockPlace)
    assert found.words == "table st, shards[3].sh_lock"
    context = space.variable("ha_thread_ctx")
    layout = space.layout("thread_ctx")
    assert isinstance(context, int)
    assert layout
    offset = layout.fields["rqsh_lock"].offset
    found = places.find(context + layout.size + offset)
    assert isinstance(found, LockPlace)
    assert found.words == "thread 2, rqsh_lock"
    server = next(start for start, _layout, owner in places._iter_known() if owner == "server watched/down")
    place = space.at("server", server)
    assert place
    found = places.find(known(place.address_of("lock")))
    assert isinstance(found, LockPlace)
    assert found.words == "server watched/down, lock"
    assert not places.find(8)
    assert member_at(space, layout, 1 << 30) == ("", None)
