"""Which functions HAProxy's own call trace can name: those that its executable exports.

HAProxy names the frames of its trace by dladdr(), which knows exported functions only; so do gdb, eu-stack and
systemd-coredump where an executable is stripped. A witness with debug symbols names static functions as well, so that
two witnesses of one stack agree on the exported ones alone.

``data/exported.txt`` has the functions of the dynamic symbol tables of 2.2.9, 2.6.12, 2.8.25, 2.9.6, 3.0.11, 3.2.26 and
3.4.7, without those that one of these builds from 2.6 on has as a static function, or that have clones: of these a name
does not tell which of the two it is. Functions that are exported since 2.8 or 2.9 are marked.
``tools/make_exported.py`` makes it.
"""

from __future__ import annotations

import os
from functools import cache

_DATA = os.path.join(os.path.dirname(__file__), "data", "exported.txt")


def is_exported(function: str, recent: bool = False) -> bool:
    """Whether every release that has this function exports it; ``recent`` asks about 2.9 and later ones."""
    since = _names().get(function)
    return since is not None and (recent or not since)


@cache
def _names() -> dict[str, str]:
    with open(_DATA, encoding="ascii") as file:
        rows = (line.partition(" ") for line in file.read().splitlines())
        return {name: since for name, _, since in rows}
