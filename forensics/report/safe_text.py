"""Strings of inputs made harmless for a terminal and a page.

A hostile core can hold terminal escapes, direction marks and megabytes in its paths and
strings: nothing of that may reach a reader.
"""

from __future__ import annotations

import re
import unicodedata

#: Longest text shown for one value.
LONGEST = 600

#: Escape sequences of terminals: the whole sequence goes, not only its first byte.
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]?|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[PX^_][^\x1b]*(?:\x1b\\)?|.)?", re.S)

#: Categories that print nothing, or act on what stands around them: control, format, surrogate, private.
_ACTING = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")


def one_line(text: str, longest: int = LONGEST) -> str:
    """The text on one line without anything that acts, cut at ``longest`` characters."""
    # Cut first, generously: a megabyte of escapes must not cost time.
    head = _ESCAPE.sub("\ufffd", text[: 4 * longest])
    line = " ".join("".join(map(_harmless, head)).split())
    return line if len(line) <= longest and len(text) <= 4 * longest else f"{line[: longest - 3]}..."


def harmless(text: str, longest: int = LONGEST) -> str:
    """The text without anything that acts, its blanks as they are: for strings that are quoted."""
    if len(text) <= longest and text.isascii() and text.isprintable():
        return text  # nothing to do, and millions of lines to come
    line = "".join(map(_harmless, _ESCAPE.sub("\ufffd", text[: 4 * longest])))
    return line if len(line) <= longest and len(text) <= 4 * longest else f"{line[: longest - 3]}..."


def paragraphs(text: str, longest: int = 10 * LONGEST) -> tuple[str, ...]:
    """The text as one-line paragraphs: an empty line separates them, a single line break does not."""
    parts = re.split(r"\n\s*\n", text[:longest])
    return tuple(line for line in (one_line(part, longest) for part in parts) if line)


def _harmless(character: str) -> str:
    if character in "\t\n\r":
        return " "
    return "\ufffd" if unicodedata.category(character) in _ACTING else character
