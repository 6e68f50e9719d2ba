"""Collecting: every witness asked, one failing collector becomes a gap."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from forensics.absence import Absence
from forensics.evidence.catalogue import KINDS
from forensics.evidence.fact import Crash, Fact
from forensics.evidence.from_history import collect_history, is_assertion

#: A collector that already knows its witness; ``name`` is for the gap that it may become.
Bound = tuple[str, Callable[[], Iterator[Fact | Absence]]]


def collect(collectors: Iterable[Bound], gaps: Iterable[Absence] = ()) -> Crash:
    """The facts of all collectors, in their order, what follows from them together, and every gap."""
    facts: list[Fact] = []
    missing = list(gaps)
    for name, collector in collectors:
        found, lost = _ask(name, collector)
        facts += found
        missing += lost
    read = Crash.of(facts)
    if is_assertion(read):
        found, lost = _ask("releases with this assertion", partial(collect_history, read))
        facts += found
        missing += lost
    known = {fact.name for fact in facts}
    # What one witness lacks and another one has is no gap.
    return Crash.of(facts, [gap for gap in missing if gap.subject not in known])


def _ask(name: str, collector: Callable[[], Iterator[Fact | Absence]]) -> tuple[list[Fact], list[Absence]]:
    facts: list[Fact] = []
    missing: list[Absence] = []
    try:
        for one in collector():
            if isinstance(one, Absence):
                missing.append(one)
            else:
                assert one.name in KINDS, f"{one.name} is not in the catalogue of facts"
                facts.append(one)
    except Exception as error:  # noqa: BLE001 - the one door where a failing collector must not stop the others
        missing.append(
            Absence(name, f"reading it failed: {type(error).__name__}: {error}", "please report this with the input")
        )
    return facts, missing
