"""Texts of panics in buffers: found where HAProxy leaves them, and nothing taken for one that is none."""

from __future__ import annotations

from typing import cast

import pytest

from forensics.absence import Absence
from forensics.haproxy.death.dump_text import buffer_text, iter_dumps
from forensics.haproxy.structs import TypedMemory
from forensics.memory.process import Memory
from tests.builders.memory import SIZE, START, memory_of
from tests.oracles.dying import died, lived, opened

pytestmark = [pytest.mark.xdist_group("haproxy")]

BUFFER, AREA = START + 0x100, START + 0x1000
TEXT = b"  Thread 1 : id=0x1 act=0"


class Space:
    """What buffer_text() asks of typed memory."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory


def text_of(size: int, area: int, data: int) -> str | Absence:
    memory = memory_of({BUFFER: size, BUFFER + 8: area, BUFFER + 16: data}, pieces={AREA: TEXT})
    return buffer_text(cast("TypedMemory", Space(memory)), BUFFER)


def test_a_buffer_has_as_much_text_as_it_says() -> None:
    assert text_of(16384, AREA, len(TEXT)) == TEXT.decode()
    assert text_of(16384, AREA, 10) == "  Thread 1"
    assert text_of(16384, AREA, 1000) == TEXT.decode()  # the text ends before


@pytest.mark.parametrize(
    ("size", "area", "data"),
    [
        (0, AREA, 5),
        (16384, AREA, 0),
        (4, AREA, 5),  # more than it can hold
        (1 << 40, AREA, 1 << 30),  # larger than any buffer
        (16384, 0, 5),
        (16384, START + SIZE - 2, 5),  # reaches beyond what the core holds
        (16384, 0xFFFFFFFFFFFFFFF0, 5),
    ],
)
def test_what_is_no_buffer_has_no_text(size: int, area: int, data: int) -> None:
    assert isinstance(text_of(size, area, data), Absence)


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("haproxy-2.2", ["trash of thread 2"]),
        ("haproxy-3.0", ["thread_dump_buffer of thread 1", "thread_dump_buffer of thread 2"]),
    ],
)
def test_each_release_keeps_it_somewhere(name: str, where: list[str]) -> None:
    core, log = died(name, "debug dev panic")
    state = opened(core, name)
    found = list(iter_dumps(state.space, state.threads))
    if name == "haproxy-2.2":
        # The thread that answered the CLI panicked, whichever that was.
        assert [one.where.rstrip("12") for one in found] == ["trash of thread "]
    else:
        assert [one.where for one in found] == where
    assert all(one.text in log for one in found)


def test_a_process_that_did_not_panic_has_none() -> None:
    core, _answers = lived("haproxy-3.0", "show info")
    state = opened(core, "haproxy-3.0")
    assert list(iter_dumps(state.space, state.threads)) == []
