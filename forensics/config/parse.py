"""Reading haproxy.cfg (doc/configuration.txt, 2 to 4, and 11): what signatures ask, and nothing that may be secret."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from forensics.config.lines import Line, iter_lines
from forensics.config.settings import ConfigEvidence, Peer, PeersSection, Proxy, Setting, Table, TableUse
from forensics.config.tables import iter_uses, table_of
from forensics.record import open_record, replace

#: Settings of section ``global`` whose values are no secret: numbers, words, and the paths of scripts.
_VALUES = frozenset(
    """
    nbthread nbproc thread-groups thread-hard-limit maxconn maxconnrate maxsessrate maxsslconn maxpipes ulimit-n
    hard-stop-after grace cpu-map cpu-policy localpeer lua-load lua-load-per-thread mworker-max-reloads
    fd-hard-limit spread-checks stress-level warn-blocked-traffic-after numa-cpu-mapping shards
    """.split()
)
#: Those that are on when they stand there.
_SWITCHES = frozenset(
    """
    set-dumpable master-worker daemon busy-polling strict-limits insecure-fork-wanted insecure-setuid-wanted
    no-memory-trimming noepoll nokqueue noevports nopoll nosplice noreuseport no-quic zero-warning quick-exit
    expose-experimental-directives expose-deprecated-directives ssl-mode-async profiling.memory profiling.tasks
    """.split()
)
#: A value that can be shown.
_PLAIN = re.compile(r"[\w.,:/%+@${}-]{1,256}$")
#: What stands for a value that cannot.
HIDDEN = "(hidden)"

_PROXIES = frozenset(("frontend", "backend", "listen"))
#: Entries of each kind that are kept, and peers of one section.
_MOST, _MOST_PEERS = 100_000, 1000


@open_record
class _Reading:
    """What was read so far."""

    sections: list[Setting]
    peers: list[PeersSection]
    tables: list[Table]
    uses: list[TableUse]
    proxies: list[Proxy]
    globals: dict[str, tuple[Setting, ...]]
    #: By name: what a section ``defaults`` sets; the last one is in force for proxies that name none.
    defaults: dict[str, dict[str, str]]
    current: str = ""


def parse(lines: Iterable[bytes], path: str = "") -> ConfigEvidence:
    """Read one file; what is not understood is passed over."""
    return parse_files([(path, lines)])


def parse_files(files: Iterable[tuple[str, Iterable[bytes]]]) -> ConfigEvidence:
    """Read several files in the order that HAProxy reads them: paths and their lines."""
    found = _Reading([], [], [], [], [], {}, {"": {}})
    for path, lines in files:
        for line in iter_lines(lines, path):
            if line.opens:
                _open(found, line)
            else:
                _read(found, line)
    return _finished(found)


def _open(found: _Reading, line: Line) -> None:
    """A section begins."""
    if len(found.sections) >= _MOST:
        return
    found.sections.append(Setting(line.section, line.number, line.path, line.conditional))
    if line.section == "peers":
        found.peers.append(PeersSection(line.name, (), line.number, line.path, line.conditional))
    elif line.section == "defaults":
        inherited = _from(line)
        found.current = line.name
        found.defaults[line.name] = dict(found.defaults.get(inherited, {})) if inherited else {}
    elif line.section in _PROXIES:
        base = _from(line) or found.current
        told = found.defaults.get(base, {})
        found.proxies.append(Proxy(line.section, line.name, base, line.number, line.path, told.get("mode", ""),
                                   told.get("maxconn", "")))  # fmt: skip


def _from(line: Line) -> str:
    """The section ``defaults`` that a section names: `frontend web from common` (2.4 on)."""
    return line.words[3] if len(line.words) > 3 and line.words[2] == "from" else ""


def _read(found: _Reading, line: Line) -> None:
    """A line within a section."""
    if line.section == "global":
        _read_global(found, line)
    elif line.section == "peers" and found.peers:
        _read_peers(found, line)
    elif line.section == "defaults" or (line.section in _PROXIES and found.proxies):
        _read_proxy(found, line)
    table = table_of(line)
    if table is not None and len(found.tables) < _MOST:
        found.tables.append(table)
    if len(found.uses) < _MOST:
        found.uses += iter_uses(line)


def _read_global(found: _Reading, line: Line) -> None:
    keyword = line.words[0]
    if keyword in _SWITCHES:
        value = "off" if line.prefix == "no" or line.words[1:2] == ("off",) else _shown(line.words[1:2], "on")
    elif keyword in _VALUES or keyword.startswith("tune."):
        value = _shown(line.words[1 : 3 if keyword == "cpu-map" else 2], "")
    else:
        return
    setting = Setting(value, line.number, line.path, line.conditional)
    if line.prefix == "default":
        found.globals.pop(keyword, None)
    elif len(found.globals.get(keyword, ())) < 1000 and len(found.globals) < 1000:
        found.globals[keyword] = (*found.globals.get(keyword, ()), setting)


def _shown(words: tuple[str, ...], otherwise: str) -> str:
    text = " ".join(words)
    if not text:
        return otherwise
    return text if all(_PLAIN.match(word) for word in words) else HIDDEN


def _read_peers(found: _Reading, line: Line) -> None:
    """``peer NAME ADDRESS``, or ``server NAME [ADDRESS]``: one without address is the local one (2.0 on)."""
    words = line.words
    if words[0] not in ("peer", "server") or len(words) < 2:
        return
    section = found.peers[-1]
    if len(section.peers) < _MOST_PEERS:
        local = True if words[0] == "server" and len(words) == 2 else None
        found.peers[-1] = replace(section, peers=(*section.peers, Peer(words[1], local, line.number)))


def _read_proxy(found: _Reading, line: Line) -> None:
    keyword, value = line.words[0], _shown(line.words[1:2], "")
    if keyword not in ("mode", "maxconn"):
        return
    if line.section == "defaults":
        found.defaults.setdefault(found.current, {})[keyword] = value
    else:
        found.proxies[-1] = replace(found.proxies[-1], **{keyword: value})


def _finished(found: _Reading) -> ConfigEvidence:
    known = {table.name for table in found.tables}
    local = found.globals.get("localpeer", ())
    peers = tuple(_with_local(section, local[-1].value if local else "") for section in found.peers)
    uses = tuple(_known_uses(found.uses, known))
    return ConfigEvidence(tuple(found.sections), peers, tuple(found.tables), uses, tuple(found.proxies), found.globals)


def _with_local(section: PeersSection, name: str) -> PeersSection:
    """Which peer is the local one, where ``localpeer`` names it (else it is the host's name)."""
    if not any(peer.name == name for peer in section.peers):
        return section
    return replace(section, peers=tuple(replace(peer, local=peer.name == name) for peer in section.peers))


def _known_uses(uses: list[TableUse], known: set[str]) -> Iterator[TableUse]:
    """Uses of tables that are declared: other words between brackets are counters, and perhaps nobody's business."""
    return (use for use in uses if use.table in known)
