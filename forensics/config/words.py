"""Words of a configuration's line, split as HAProxy does (parse_line() in src/tools.c; doc/configuration.txt, 2.2).

HAProxy joins no lines: a backslash at a line's end is a word of its own (tried with 2.2, 2.6 and 3.0). Variables of the
environment (``"${NAME}"``) stay as they are written: what they held when it started is not known.
"""

from __future__ import annotations

import re

#: Bytes of a line that are looked at: HAProxy's own lines have 2,048 by default and grow as needed, these never do.
MAX_LINE = 1 << 16
#: Words of a line: HAProxy takes 64 (MAX_LINE_ARGS).
MAX_WORDS = 1024

_PIECE = re.compile(r"""(\s+)|(\#)|"((?:[^"\\]|\\.)*)"?|'([^']*)'?|\\(.)|([^\s#"'\\]+|\\)""", re.S)
#: What a backslash makes of a letter; of any other character it makes that character.
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t"}
_IN_QUOTES = re.compile(r"\\([\\\"$])")

_VARIABLE = re.compile(r"\$(?:\{?\w)")


def split_words(raw: bytes) -> list[str]:
    """The words of one line without its comment, at most MAX_WORDS."""
    words: list[str] = []
    current: str | None = None
    for match in _PIECE.finditer(raw[:MAX_LINE].decode("utf-8", "replace").rstrip("\r\n")):
        space, comment, double, single, escaped, plain = match.groups()
        if space is not None or comment is not None:
            if current is not None:
                words.append(current)
            current = None
            if comment is not None or len(words) >= MAX_WORDS:
                return words
            continue
        current = (current or "") + _piece(double, single, escaped, plain)
    return words if current is None else [*words, current]


def _piece(double: str | None, single: str | None, escaped: str | None, plain: str | None) -> str:
    if double is not None:
        return _IN_QUOTES.sub(r"\1", double)
    if escaped is not None:
        return _ESCAPED.get(escaped, escaped)
    return single if single is not None else plain or ""


def is_unresolved(word: str) -> bool:
    """Whether the word holds a variable of the environment."""
    return _VARIABLE.search(word) is not None
