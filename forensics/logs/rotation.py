"""Rotated logs: which files are one log, and in which order they were written."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

#: What logrotate (a number; with `dateext` a date), the kubelet and `savelog` put behind a name, and compression.
_ROTATED = re.compile(
    r"(?P<stem>.{1,255}?)(?:[.-](?P<date>(?:19|20)\d{6}(?:[-.T]?\d{2,6})?)|\.(?P<number>\d{1,4}))?"
    r"(?:\.(?:gz|zst|xz|bz2|lz4))?\Z",
    re.DOTALL,
)
#: A number behind a number counts nothing: 10.0.0.1 is a host, haproxy-3.0.11 a release.
_NUMBERED = re.compile(r"(?:.*[.-])?\d{1,255}\Z", re.DOTALL)


def rotated_sets(paths: Iterable[str]) -> list[list[str]]:
    """The paths of each log, the oldest first; logs are in the order in which they first occur.

    The name without a date or a number is the youngest file. A higher number is older, a higher date younger.
    """
    sets: dict[str, list[tuple[tuple[int, int], str]]] = {}
    for path in paths:
        stem, age = age_of(path)
        sets.setdefault(stem, []).append((age, path))
    return [[path for _age_of, path in sorted(each)] for each in sets.values()]


def age_of(path: str) -> tuple[str, tuple[int, int]]:
    """The name that the files of one log share, and a key that grows with time."""
    directory, name = os.path.split(path)
    match = _ROTATED.match(name)
    if match is None or (match["number"] and _NUMBERED.match(match["stem"])):
        return os.path.abspath(path), (3, 0)
    stem = os.path.join(os.path.abspath(directory), match["stem"])
    if match["date"]:
        return stem, (1, int(re.sub(r"\D", "", match["date"]).ljust(14, "0")))
    return (stem, (0, -int(match["number"]))) if match["number"] else (stem, (3, 0))
