"""`show counters`: as `debug counters` of a live process."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from forensics.errors import UsageError
from samples import golden
from tests.show.conftest import Taken

pytestmark = [pytest.mark.xdist_group("haproxy")]

HEADER = 'Count     Type Location function(): "condition" [comment]'


def compared(lines: list[str]) -> str:
    """One text with single blanks: live answers repeat the header for each buffer, and one comment has a line break."""
    return " ".join(" ".join(line for line in lines if line != HEADER).split()).replace(" ]", "]")


@pytest.mark.parametrize("name", ["haproxy-3.0", "package-3.2", "package-3.4"])
def test_all_checks_are_those_of_the_live_process(name: str, taken: Callable[[str], Taken]) -> None:
    process = taken(name)
    live, dead = process.live("debug counters all"), process.lines("counters", "all")
    assert dead[0] == HEADER
    assert len(dead) > 500
    assert compared(dead) == compared(live)


def test_only_those_that_matched_are_told_unless_all_are_asked_for() -> None:
    process = Taken({}, str(golden.SAMPLES / "bug-on-3.4.7/core.zst"), "")
    from forensics.show.answer import Answer, Question
    from forensics.show.asked import answer_of, open_state
    from forensics.symbols.places import Places

    state = open_state(process.core, Places(packs=(str(golden.SYMBOLS),)))
    found = answer_of(state, "counters", Question())
    assert isinstance(found, Answer)
    lines = list(found.lines())
    assert len(lines) == 2
    assert lines[1].split()[:2] == ["1", "BUG"]
    every = answer_of(state, "counters", Question(("all",), limit=10))
    assert isinstance(every, Answer)
    assert len(list(every.lines())) == 11


def test_other_words_are_refused(taken: Callable[[str], Taken]) -> None:
    with pytest.raises(UsageError, match="takes `all` or nothing"):
        taken("haproxy-3.0").lines("counters", "some")
