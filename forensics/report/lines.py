"""Lines of a rendering: a style and a text, and how texts become lines of a width."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from forensics.report.safe_text import one_line, paragraphs

#: Widths that read well; a terminal outside is treated as the nearest of them.
NARROWEST, WIDEST = 80, 120

#: What a line is. Colour comes from it on a terminal, and never carries meaning of its own.
STYLES = tuple("title confirmed probable possible nothing heading plain step warning culprit dim".split())


class Line(NamedTuple):
    """One line of output, no wider than asked for."""

    style: str
    text: str


def wrapped(text: str, width: int, style: str = "plain", first: str = "", rest: str | None = None) -> Iterator[Line]:
    """One value as lines; ``first`` and ``rest`` are what the first and the other lines begin with."""
    return _filled(one_line(text), width, style, first, " " * len(first) if rest is None else rest)


def prose(text: str, width: int, indent: str, style: str = "plain") -> Iterator[Line]:
    """Every paragraph of a text, which may be longer than a value."""
    for paragraph in paragraphs(text):
        yield from _filled(paragraph, width, style, indent, indent)


def _filled(text: str, width: int, style: str, first: str, rest: str) -> Iterator[Line]:
    found = textwrap.wrap(text, width, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)
    return (Line(style, line) for line in found)


def heading(title: str, width: int, note: str = "") -> Iterator[Line]:
    """An empty line and a heading; the note beside it keeps its letters as they are."""
    yield Line("plain", "")
    yield Line("heading", clipped(f"{title.upper()} {note}", width))


def section(title: str, body: Iterable[Line], width: int, note: str = "") -> Iterator[Line]:
    """A heading with its lines, or nothing when there are none."""
    lines = list(body)
    if lines:
        yield from heading(title, width, note)
        yield from lines


def clipped(text: str, width: int) -> str:
    """The text on one line, cut in the middle of nowhere rather than wrapped."""
    return one_line(text, max(width, 4))


def bounded(width: int) -> int:
    """The width to use for a terminal of this width."""
    return max(NARROWEST, min(WIDEST, width))
