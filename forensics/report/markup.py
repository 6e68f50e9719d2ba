"""Text as Markdown that shows it and does nothing else.

Values of inputs become code spans, in which nothing acts. In prose, a pair of backticks
stays a code span, what a ticket system would act upon (links, mentions, issue numbers)
becomes one, and every other special character is escaped.
"""

from __future__ import annotations

import re

from forensics.report.safe_text import one_line

#: Links that our own words may make; any other address is shown as code.
_OWN_LINKS = ("https://github.com/haproxy/", "https://www.haproxy.org", "https://git.haproxy.org/")

_CODE = r"`[^`]+`"
_ACTING = r"@[\w-]+|#\d+|\b[a-z][a-z0-9+.-]*://[^\s`]+|\bwww\.[^\s`]+|\bmailto:[^\s`]+"
_TOKEN = re.compile(rf"({_CODE}|{_ACTING})", re.I)

#: A bare address between angle brackets is a link; these characters would end it.
_LINK = re.compile(r"[^\s<>`|\\]+")

#: An underscore inside a word, as in the names of functions, does nothing.
_SPECIAL = re.compile(r"([\\`*\[\]<~#|]|(?<!\w)_|_(?!\w))")
_STARTS_BLOCK = re.compile(r"^(?:([-+](?=[-\s]|$)|[=>])|(\d+)([.)](?=\s|$)))")


def code(text: str) -> str:
    """A code span around the text on one line, whatever backticks it holds."""
    line = one_line(text)
    if not line:
        return ""
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def cell(text: str) -> str:
    """A code span that does not end the cell of a table."""
    # A backslash before an escaped bar would escape the escape.
    return re.sub(r"(\\?)\|", lambda bar: f"{bar[1]} \\|" if bar[1] else "\\|", code(text))


def prose(text: str) -> str:
    """The text on one line, its own code spans kept, everything else without effect."""
    parts = _TOKEN.split(one_line(text, 4000))
    # The pattern has one group, so texts and tokens alternate.
    shown = [_token(part) if position % 2 else _escaped(part) for position, part in enumerate(parts)]
    return _STARTS_BLOCK.sub(_as_text, "".join(shown))


def link(address: str) -> str:
    """A link, where the address is one of ours and well made; else code."""
    line = one_line(address)
    return f"<{line}>" if line.startswith(_OWN_LINKS) and _LINK.fullmatch(line) else code(line)


def fenced(lines: list[str]) -> list[str]:
    """A block of code that no line in it can end."""
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}text", *lines, fence]


def _token(token: str) -> str:
    return code(token.strip("`")) if token.startswith("`") else link(token)


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text.replace("&", "&amp;"))


def _as_text(start: re.Match[str]) -> str:
    """What would begin a list or an underline, as plain text."""
    return f"\\{start[1]}" if start[1] else f"{start[2]}\\{start[3]}"
