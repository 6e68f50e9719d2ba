"""Questions and answers of `show`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from forensics.absence import Absence
from forensics.record import record


@record
class Question:
    """What was asked: the words behind the command, which part of a long answer, and whether secrets are hidden.

    ``limit`` is the number of entries of a list that are shown, 0 for all; ``offset`` how many are left out before.
    """

    arguments: tuple[str, ...] = ()
    limit: int = 0
    offset: int = 0
    scrub: bool = True


@record
class Answer:
    """An answer: ``lines`` makes its text in HAProxy's own form, line by line; ``data`` makes what JSON shows.

    Either is called once and may read memory while it goes. ``gaps`` is asked after that, for what was not there.
    """

    lines: Callable[[], Iterator[str]]
    data: Callable[[], object]
    gaps: Callable[[], tuple[Absence, ...]] = tuple
