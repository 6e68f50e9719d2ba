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
    "libs": What("The executable and the libraries with their addresses."),
    "locks": What("Threads that wait for a lock: whose it is, who holds it, and circles of waits."),
    "tasks": What("Tasks in the run queues and wait queues, by function; `all` lists each.", "[all]"),
    "threads": What("Each thread with its queues, its task and its panic text."),
}
