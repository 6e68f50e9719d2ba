"""Structures that hang together, read one by one."""

from __future__ import annotations

from forensics.absence import Absence
from forensics.haproxy.chains import chained, listed
from forensics.haproxy.structs import Struct, TypedMemory
from forensics.haproxy.walks import Walk
from forensics.symbols.layout import Field, Layout
from tests.builders.memory import SIZE, START, memory_of
from tests.builders.typed import MadeUp

POINTERS = {"next": Field(0, 8, "pointer"), "list": Field(8, 16, "struct", "list"), "id": Field(24, 8, "uint")}
THING = Layout("thing", 32, POINTERS)
FIRST, SECOND, LAST = START + 0x100, START + 0x200, START + SIZE - 16


class Space(MadeUp):
    """Structures of the made-up memory."""

    def at(self, name: str, address: int) -> Struct | Absence:
        """The structure there, if its 32 bytes are."""
        layout, data = self.layout(name), self.memory.read(address, 32)
        if isinstance(layout, Absence) or isinstance(data, Absence):
            return Absence(name, "it cannot be read")
        return Struct(self, layout, address, data)


def space(words: dict[int, int]) -> TypedMemory:
    return Space(memory_of(words), {}, THING)


def test_a_chain_is_read_from_its_first_structure_on() -> None:
    made = space({FIRST: SECOND, FIRST + 24: 1, SECOND: LAST, SECOND + 24: 2})
    walk = Walk()
    found = chained(made, "thing", FIRST, walk)
    assert not isinstance(found, Absence)
    # The last one is cut off by the end of the memory: it is left out, and no link is broken.
    assert [one.number("id") for one in found] == [1, 2]
    assert (walk.visited, walk.broken) == (3, None)


def test_a_list_is_read_from_its_head_on() -> None:
    head = START + 0x40
    made = space({head: FIRST + 8, head + 8: FIRST + 8, FIRST + 8: head, FIRST + 16: head, FIRST + 24: 7})
    found = listed(made, "thing", head, Walk())
    assert not isinstance(found, Absence)
    assert [(one.address, one.number("id")) for one in found] == [(FIRST, 7)]


def test_what_the_build_does_not_have_is_told() -> None:
    made = space({})
    missing = chained(made, "thing", FIRST, Walk(), member="following")
    assert isinstance(missing, Absence)
    assert "struct thing of this build has no such member" in missing.reason
    assert isinstance(listed(made, "nothing", FIRST, Walk()), Absence)
