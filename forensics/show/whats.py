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
    "address": What("What addresses are: stack, variable, object of a pool; those of the crash.", "[ADDRESS...]"),
    "libs": What("The executable and the libraries with their addresses."),
    "pools": What("Memory pools.", "[byname|bysize|byusage|suspicious] [match PREFIX] [N]"),
}
