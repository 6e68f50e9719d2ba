"""Steps ask for nothing twice, and for nothing that is there."""

from __future__ import annotations

from pathlib import Path

from forensics.api import triage
from forensics.report.document import Report
from samples.golden import evidence, options

TEXTS = Path(__file__).parents[1] / "logs" / "texts"
REPORT = "No known crash matches: report it"


def told(name: str) -> Report:
    """What the text of one real death gives."""
    return triage([str(TEXTS / name)])


def test_a_signal_from_outside_is_no_bug_to_report() -> None:
    """Neither another release nor symbols would tell more."""
    report = triage(evidence("signal-from-outside-2.6.12"), options())
    assert [step.split(":")[0] for step in report.next_steps] == ["Find who sent the signal"]


def test_symbols_come_before_the_report_that_needs_them() -> None:
    steps = triage(evidence("segfault-2.6.12"), options()).next_steps
    symbols, reported = (
        next(at for at, step in enumerate(steps) if step.startswith(word)) for word in ("Get the debug", REPORT)
    )
    assert symbols < reported


def test_one_thing_is_asked_for_once() -> None:
    """The complete core closes the gaps of a finding and of the input."""
    steps = triage(evidence("truncated-2.9.6"), options()).next_steps
    assert len([step for step in steps if "the complete core" in step]) == 1


def test_a_dump_that_is_there_is_not_asked_for() -> None:
    """What a thread dump without names lacks is names; who spun wrote no thread dump at all."""
    for name in ("2.6.12-loop.log", "2.8.25-loop.log"):
        assert not any("log of the worker" in step or "panic dump" in step for step in told(name).next_steps)


def test_a_quoted_place_asks_for_the_whole_line_once(tmp_path: Path) -> None:
    path = tmp_path / "place.txt"
    path.write_text("matched at src/task.c:285\n", encoding="ascii")
    steps = triage([str(path)]).next_steps
    assert len([step for step in steps if "the whole line" in step]) == 1
    assert len([step for step in steps if "haproxy -v" in step]) == 1
