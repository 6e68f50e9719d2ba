"""Typed memory: values of a program that died, read by its own types."""

from __future__ import annotations

from pathlib import Path

import pytest

from forensics.absence import Absence
from forensics.elf.core import read_core
from forensics.haproxy.structs import Struct, TypedMemory
from forensics.memory.open import open_bytes
from forensics.symbols.places import Places
from forensics.unwind.backtrace import Process
from tests.oracles.programs import COMPILER, compile_c, core_of

SOURCE = (Path(__file__).parents[1] / "symbols/structures.c").read_text()

pytestmark = pytest.mark.skipif(not COMPILER, reason="no C compiler is installed")


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> TypedMemory:
    folder = tmp_path_factory.mktemp("typed")
    program = compile_c(folder, "program", SOURCE, "-g", "-O2", "-Wl,--build-id")
    core = core_of(program, folder / "run", "die")
    if core is None:
        pytest.skip("neither the kernel nor gdb writes a core here")
    return TypedMemory(Process(read_core(open_bytes(str(core))), Places(executable=str(program))))


def table(space: TypedMemory) -> Struct:
    found = space.pointed("list", "table")
    assert isinstance(found, Struct)
    return found


def test_members_have_the_values_that_the_program_gave_them(space: TypedMemory) -> None:
    first = table(space)
    assert first.text("id") == "clients"
    assert first.text("peers.name") == "mates"
    assert (first.text("conf.file"), first.number("conf.line")) == ("haproxy.cfg", 22)
    assert (first.number("number"), first.numbers("halves")) == (0x20001, (1, 2))
    assert (first.number("deep"), first.number("deeper")) == (9, -9)
    assert (first.number("one"), first.number("five"), first.number("ten")) == (1, 21, 1000)
    assert (first.number("minus"), first.number("wide")) == (-3, 0x123456789)
    assert first.numbers("matrix") == (1, 2, 3, 4, -5, 6, 7, 8)
    assert first.number("nameless.inside") == 77
    assert first.number("colour") == 260


def test_pointers_are_followed_to_what_their_types_say(space: TypedMemory) -> None:
    first = table(space)
    following = first.follow("next")
    assert isinstance(following, Struct)
    assert (following.address, following.layout.name) == (first.address, "table")
    assert space.function_name(first.number("handler") or 0) == "main"
    assert space.is_code(first.number("handler") or 0)
    assert not space.is_code(first.address)
    assert isinstance(first.follow("peers.p"), Absence)  # struct peers is only declared


def test_elements_of_an_array_of_structures_are_structures(space: TypedMemory) -> None:
    first = table(space)
    shard = first.inner("shards", 2)
    assert isinstance(shard, Struct)
    assert shard.number("sh_lock") == 0x500000004
    assert shard.address_of("sh_lock") == (first.address_of("shards", 2) or 0) + 32
    assert first.number("matrix", 4) == -5


def test_globals_have_addresses_and_sizes(space: TypedMemory) -> None:
    extent = space.extent("masks")
    assert isinstance(extent, tuple)
    assert extent[1] == 24
    assert space.number("masks", 8) == 1
    assert isinstance(space.variable("tid"), Absence)  # thread-local: no address of its own


def test_what_is_not_there_is_absent(space: TypedMemory) -> None:
    first = table(space)
    for missing in (
        first.number("nothing"), first.number("conf.nothing"), first.number("id.nothing"), first.number("matrix", 8),
        first.number("matrix", -1), first.text("nothing"), first.inner("nothing"), first.follow("colour"),
        space.at("table", 0x1000), space.at("nothing", first.address), space.pointed("nothing", "table"),
        space.text(0), space.text(0x1000), first.address_of("nothing"), first.first("nothing", "neither"),
    ):  # fmt: skip
        assert isinstance(missing, Absence), missing
        assert missing.subject
        assert missing.reason
    assert first.first("nothing", "conf.line") == "conf.line"
    assert first.has("conf.line")
    assert list(space.array("nothing", "table")) == []
