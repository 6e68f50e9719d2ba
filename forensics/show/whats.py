"""What `show` can answer: each name, one line about it, and the words that it takes.

The module of that name in this package (`_` for `-`) has ``answer(state, question) -> Answer | Absence``.
"""

from __future__ import annotations

from forensics.record import record


@record
class What:
    """One command: ``about`` in a line; ``words`` are the arguments it takes, as usage shows them ("" for none)."""

    about: str
    words: str = ""


WHATS: dict[str, What] = {
    "fd": What("The open descriptors, and whom they belong to.", "[FD]"),
    "libs": What("The executable and the libraries with their addresses."),
    "proxies": What("Frontends and backends with their servers: states, and what they handled."),
    "sess": What("The streams: one a line, all in detail, or one of them.", "[all|susp|ADDRESS]"),
}
