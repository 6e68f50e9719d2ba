"""An answer that was read by kept layouts says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from forensics.haproxy.state import State
from forensics.show import asked
from forensics.show.answer import Answer, Question
from forensics.symbols.places import Places

SAMPLES = Path(__file__).parents[2] / "samples"


def gaps_of(monkeypatch: pytest.MonkeyPatch, sample: str) -> tuple[str, ...]:
    """The gaps of an answer that reads one structure."""

    def answer(state: State, _what: str, _question: Question) -> Answer:
        return Answer(lambda: iter(()), lambda: state.space.layout("stktable"))

    monkeypatch.setattr(asked, "answer_of", answer)
    core = str(SAMPLES / sample / "core.zst")
    found = asked.ask(core, "libs", Question(), Places(packs=(str(SAMPLES / "symbols"),)))
    assert found.gaps() == ()  # nothing was read so far
    assert found.data()
    return tuple(gap.reason for gap in found.gaps())


def test_layouts_of_another_build_are_a_gap_of_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    (reason,) = gaps_of(monkeypatch, "bug-on-2.6.12")
    assert reason.startswith("layout kept for 2.6.12, ")
    assert reason.endswith(" of them checked in memory, stands for this build's own")


def test_layouts_of_the_build_itself_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert gaps_of(monkeypatch, "requeue-race-2.9.6") == ()
