"""Reading haproxy.cfg: sections, stick-tables and who uses peers (doc/configuration.txt, 2.5 and 11)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise

from forensics.record import record

#: Keywords that open a section, in any release from 2.0 to 3.5.
SECTIONS = frozenset(
    """
    global defaults frontend backend listen peers resolvers mailers userlist cache program ring http-errors
    log-forward log-profile fcgi-app crt-store acme traces healthcheck spoe-agent spoe-message
    """.split()
)

_WORDS = re.compile(r'"[^"\n]{0,4096}"|\'[^\'\n]{0,4096}\'|[^\s#]+|#')

#: A line of a configuration holds at most 2048 bytes by default (LINESIZE); a file some thousand lines.
_MAX_LINE = 16384


@record
class Setting:
    """A value and the 1-based line where it stands."""

    value: str
    line: int


@record
class ConfigEvidence:
    """What a configuration says.

    ``tables`` are the stick-tables, each with the peers section it uses ("" for
    none); tables declared inside a peers section use that one. ``peers`` are the
    names of the peers sections.
    """

    sections: tuple[Setting, ...]
    peers: tuple[Setting, ...]
    tables: tuple[Setting, ...]
    threads: Setting | None

    @property
    def tables_with_peers(self) -> tuple[Setting, ...]:
        """The stick-tables that are synchronised with peers."""
        return tuple(table for table in self.tables if table.value)


def looks_like_config(head: bytes) -> bool:
    """Whether text begins like haproxy.cfg: a section keyword alone at the start of a line, and no log lines."""
    found = 0
    for line in head.decode("utf-8", "replace").splitlines():
        words = line.split()
        if not words or words[0].startswith("#") or line[0] in " \t":
            continue
        if words[0] not in SECTIONS or len(words) > 4:
            return False
        found += 1
    return found > 0


def parse(lines: Iterable[bytes]) -> ConfigEvidence:
    """Read a configuration; what is not understood is passed over."""
    sections, peers, tables = [], [], []
    threads: Setting | None = None
    section, name = "", ""
    for number, raw in enumerate(lines, 1):
        words = _words(raw)
        if not words:
            continue
        if words[0] in SECTIONS:
            section, name = words[0], words[1] if len(words) > 1 else ""
            sections.append(Setting(section, number))
            if section == "peers":
                peers.append(Setting(name, number))
        elif words[0] == "nbthread" and section == "global" and len(words) > 1:
            threads = Setting(words[1], number)
        elif words[0] == "stick-table" or (words[0] == "table" and section == "peers"):
            tables.append(Setting(_peers_of(words, section, name), number))
    return ConfigEvidence(tuple(sections), tuple(peers), tuple(tables), threads)


def _words(raw: bytes) -> list[str]:
    words: list[str] = []
    for match in _WORDS.finditer(raw[:_MAX_LINE].decode("utf-8", "replace")):
        if match.group() == "#":
            break
        words.append(match.group().strip("\"'"))
    return words


def _peers_of(words: list[str], section: str, name: str) -> str:
    """The peers section of a stick-table: the one it stands in, else the one it names."""
    if section == "peers":
        return name or "peers"
    for keyword, value in pairwise(words):
        if keyword == "peers":
            return value
    return ""
