"""Stick-tables of a configuration, and who uses them (doc/configuration.txt: stick-table, track-sc, stick on)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from forensics.config.lines import Line
from forensics.config.settings import Table, TableUse

PROXIES = frozenset(("frontend", "backend", "listen", "defaults"))

_TRACK = re.compile(r"track-sc\d{0,3}$")
_STICK = ("on", "match", "store-request", "store-response")
#: Sample fetches and converters that name a table among their arguments.
_FETCH = re.compile(r"\b((?:sc\d{0,2}|src|table)_\w{1,40}|in_table)\(([^()]{1,256})\)")
_SIZE = re.compile(r"(\d{1,15})([kmgKMG]?)$")
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_NAME = re.compile(r"[\w./:@-]{1,128}$")
#: Types of keys that take a length.
_SIMPLE = re.compile(r"[\w()<>.,$%{}-]{1,64}$")


def table_of(line: Line) -> Table | None:
    """The table that the line declares, None for any other line."""
    words = list(line.words)
    if words[0] == "stick-table" and line.section in PROXIES:
        name, peers = line.name, ""
    elif words[0] == "table" and line.section == "peers" and len(words) > 1:
        name, peers = f"{line.name}/{words[1]}", line.name or "peers"
        words = words[1:]
    else:
        return None
    told = _arguments(words[1:])
    return Table(
        name, told.get("type", ""), _size(told.get("size", "")), told.get("expire", ""),
        peers or told.get("peers", ""), tuple(told.get("store", "").split(",")) if "store" in told else (),
        line.number, line.path, line.conditional,
    )  # fmt: skip


def _arguments(words: list[str]) -> dict[str, str]:
    """Values by keyword; several ``store`` add up."""
    found: dict[str, str] = {}
    for keyword, value in pairwise(words):
        if keyword not in ("type", "size", "expire", "peers", "store"):
            continue
        shape = _NAME if keyword == "peers" else _SIMPLE
        if not shape.match(value) and not (keyword == "store" and len(value) < 1024):
            continue
        found[keyword] = f"{found[keyword]},{value}" if keyword == "store" and "store" in found else value
    return found


def _size(text: str) -> int:
    match = _SIZE.match(text)
    return int(match[1]) * _UNITS[match[2].lower()] if match else 0


def iter_uses(line: Line) -> Iterator[TableUse]:
    """The tables that the line of a proxy uses."""
    if line.section not in PROXIES:
        return
    words = line.words
    rule = next((word for word in words[:4] if _TRACK.match(word)), "")
    if not rule and words[0] == "stick" and len(words) > 1 and words[1] in _STICK:
        rule = f"stick {words[1]}"
    if rule:
        named = next((value for word, value in pairwise(words) if word == "table"), line.name)
        yield TableUse(named, rule, line.section, line.name, line.number, line.path)
    for word in words:
        for match in _FETCH.finditer(word) if "(" in word else ():
            for argument in match[2].split(","):
                yield TableUse(argument.strip(), match[1], line.section, line.name, line.number, line.path)
