"""Streams and descriptors of a real process with single words overwritten: what is damaged is told, the rest is shown."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from forensics.absence import Absence
from forensics.haproxy.state import State
from forensics.haproxy.stream import Streams
from forensics.memory.process import Memory
from forensics.show.answer import Question
from forensics.show.asked import answer_of
from forensics.show.output import json_text, text_lines
from tests.builders.bounds import within_seconds
from tests.show.held_streams import taken

pytestmark = [pytest.mark.xdist_group("haproxy")]

NOWHERE = 0xDEAD0000


class Overwritten(Memory):
    """The memory of a process, some of its words replaced."""

    def __init__(self, sound: Memory, words: dict[int, int]) -> None:
        super().__init__(sound._source, sound.segments)
        self.words = words

    def read(self, address: int, size: int, *, alone: bool = False) -> bytes | Absence:
        """As before, but for the words."""
        data = super().read(address, size, alone=alone)
        if isinstance(data, Absence):
            return data
        changed = bytearray(data)
        for place, word in self.words.items():
            for count, byte in enumerate(word.to_bytes(8, "little"), place - address):
                if 0 <= count < size:
                    changed[count] = byte
        return bytes(changed)


@pytest.fixture
def sound() -> State:
    """The dead process as it is."""
    return taken("haproxy-3.0").state


def damaged(words: dict[int, int]) -> State:
    """A process like it with these words in its memory."""
    sound = taken("haproxy-3.0").state
    state = State(sound.process)
    state.space.memory = Overwritten(sound.space.memory, words)
    return state


def shown(state: State, what: str, *words: str) -> tuple[list[str], list[str]]:
    """The lines and the gaps of an answer, which must come soon."""
    answer = answer_of(state, what, Question(words))
    assert not isinstance(answer, Absence)
    with within_seconds(20):
        lines = list(text_lines(answer))
    document = answer_of(state, what, Question(words))
    assert not isinstance(document, Absence)
    assert json_text(document)
    return lines, [f"{gap.subject}: {gap.reason}" for gap in answer.gaps()]


def streams_of(state: State) -> list[int]:
    """Their addresses."""
    from forensics.haproxy.clock import read_moment

    moment = read_moment(state.space)
    assert not isinstance(moment, Absence)
    return list(Streams(state.space, moment).addresses())


def offset_of(state: State, struct: str, member: str) -> int:
    """Where a member lies."""
    layout = state.space.layout(struct)
    assert not isinstance(layout, Absence)
    return layout.fields[member].offset


def test_a_list_that_runs_in_a_circle_ends_where_it_is_broken(sound: State) -> None:
    first, second, *_others = streams_of(sound)
    link = offset_of(sound, "stream", "list")
    lines, gaps = shown(damaged({second + link: first + link}), "sess")
    assert len(lines) == len(streams_of(sound)) - streams_on_first_thread(sound) + 2
    assert any(f"streams behind {first + link:#x}" in gap and "back link" in gap for gap in gaps)


def streams_on_first_thread(sound: State) -> int:
    """How many streams the first list has: those before the list's own head comes again."""
    link, addresses = offset_of(sound, "stream", "list"), streams_of(sound)
    count = 1
    while count < len(addresses) and sound.space.memory.word(addresses[count - 1] + link) == addresses[count] + link:
        count += 1
    return count


def test_a_link_to_nowhere_ends_one_list_and_not_the_others(sound: State) -> None:
    first = streams_of(sound)[0]
    lines, gaps = shown(damaged({first + offset_of(sound, "stream", "list"): NOWHERE}), "sess")
    assert len(lines) == len(streams_of(sound)) - streams_on_first_thread(sound) + 1
    assert any("not in the core" in gap and hex(NOWHERE) in gap for gap in gaps)


@pytest.mark.parametrize("member", ["sess", "be", "task", "txn", "scf", "scb", "current_rule_list", "target"])
@pytest.mark.parametrize("value", [NOWHERE, 0, 0x5050505050505050, 0x1])
def test_a_wild_pointer_of_a_stream_leaves_the_rest_of_it(sound: State, member: str, value: int) -> None:
    first = streams_of(sound)[0]
    state = damaged({first + offset_of(sound, "stream", member): value})
    lines, gaps = shown(state, "sess", "all")
    assert sum(line.startswith("0x") for line in lines) == len(streams_of(sound))
    assert lines[0].startswith(f"{first:#x}: ")
    if value and member not in ("current_rule_list", "target"):
        assert any(f"stream.{member} of {first:#x}" in gap for gap in gaps)
    short, _gaps = shown(state, "sess")
    assert len(short) == len(streams_of(sound))


def test_a_wild_type_is_told(sound: State) -> None:
    first = streams_of(sound)[0]
    place = first + offset_of(sound, "stream", "obj_type")
    word = sound.space.memory.word(place)
    assert isinstance(word, int)
    _lines, gaps = shown(damaged({place: word & ~0xFF | 0xEE}), "sess")
    assert f"stream {first:#x}: its type: it says !INVAL!" in gaps


def owners(sound: State) -> tuple[int, int]:
    """The place of the owner of the last open descriptor, and that descriptor."""
    table = sound.space.word("fdtab")
    layout = sound.space.layout("fdtab")
    assert isinstance(table, int)
    assert not isinstance(layout, Absence)
    last = int(shown(sound, "fd")[0][-1].split(":")[0])
    return table + last * layout.size + layout.fields["owner"].offset, last


@pytest.mark.parametrize("value", [NOWHERE, 0x5050505050505050])
def test_a_descriptor_whose_owner_is_nowhere_is_still_shown(sound: State, value: int) -> None:
    place, fd = owners(sound)
    lines, gaps = shown(damaged({place: value}), "fd")
    assert len(lines) == len(shown(sound, "fd")[0])
    assert f"owner={value:#x}" in lines[-1]
    assert any(gap.startswith(f"owner of descriptor {fd}: ") for gap in gaps)


def test_a_table_of_descriptors_that_is_nowhere_is_a_gap(sound: State) -> None:
    variable = sound.space.variable("fdtab")
    assert isinstance(variable, int)
    lines, gaps = shown(damaged({variable: NOWHERE}), "fd")
    assert lines == []
    assert gaps
    assert gaps[0].startswith("fdtab[0]")


def test_a_number_of_descriptors_that_cannot_be_ends_with_the_memory(sound: State) -> None:
    settings, layout = sound.space.variable("global"), sound.space.layout("global")
    assert isinstance(settings, int)
    assert not isinstance(layout, Absence)
    lines, gaps = shown(damaged({settings + layout.fields["maxsock"].offset: 0x7FFFFFFF}), "fd")
    assert len(lines) >= len(shown(sound, "fd")[0])
    # It ends with the segment, or with a hundred entries that cannot be ones, whichever comes first behind the table.
    assert any(gap.startswith(("fdtab[", "fdtab at ")) for gap in gaps), gaps


@pytest.mark.parametrize("choose", [lambda first, _second: first, lambda _first, _second: NOWHERE])
def test_a_chain_of_proxies_that_is_damaged_is_told(sound: State, choose: Callable[[int, int], int]) -> None:
    first = sound.space.word("proxies_list")
    assert isinstance(first, int)
    following = offset_of(sound, "proxy", "next")
    second = sound.space.memory.word(first + following)
    assert isinstance(second, int)
    lines, gaps = shown(damaged({second + following: choose(first, second)}), "proxies")
    assert sum(not line.startswith(" ") for line in lines) == 2
    assert any("list behind" in gap for gap in gaps)
