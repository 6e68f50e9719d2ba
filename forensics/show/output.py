"""Answers as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator

from forensics.report.render_json import plain_text
from forensics.report.safe_text import harmless
from forensics.show.answer import Answer

#: Longest line of an answer, in characters.
_LONGEST = 20_000


def text_lines(answer: Answer) -> Iterator[str]:
    """The lines of the answer, each with its end, without anything that acts on a terminal."""
    for line in answer.lines():
        yield harmless(line, _LONGEST).rstrip() + "\n"


def json_text(answer: Answer) -> str:
    """``{"data", "gaps"}`` as one JSON document."""
    data = answer.data()
    return plain_text({"data": data, "gaps": answer.gaps()})
