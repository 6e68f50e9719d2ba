"""The line that an assertion prints (include/haproxy/bug.h): where it stands in the source."""

from __future__ import annotations

import re

#: The condition may hold anything, also this.
_PLACE = re.compile(r'(?:" matched at |\AABORT at )([^\s"]+?):(\d+)(?=[\s:]|\Z)')


def place_of(sentence: str) -> tuple[str, int]:
    """File and line that a sentence names; ("", 0) for none."""
    # The last one counts: conditions are free text. An explanation is, too, but has a line of its own.
    found = [*_PLACE.finditer(sentence.split("\n", 1)[0])]
    return (found[-1][1], int(found[-1][2][:9])) if found else ("", 0)


def bug_sentence(condition: str, file: str, line: int, explanation: str) -> str:
    """The line that a BUG_ON prints, and its explanation below."""
    text = f'FATAL: bug condition "{condition}" matched at {file}:{line}'
    return f"{text}\n{explanation}" if explanation else text
