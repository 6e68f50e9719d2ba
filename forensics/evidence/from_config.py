"""Facts that haproxy.cfg tells. The same names are told by the core where no file is given (``settings``)."""

from __future__ import annotations

from collections.abc import Iterator

from forensics.absence import Absence
from forensics.config import ConfigEvidence
from forensics.config.settings import Setting
from forensics.evidence.fact import Fact
from forensics.source import Source

#: Facts that are whole numbers, by the keyword of section ``global`` that sets them.
_NUMBERS = {
    "config.threads": "nbthread",
    "config.thread_groups": "thread-groups",
    "config.processes": "nbproc",
    "config.maxconn": "maxconn",
}
#: Facts that are true when a keyword is on.
_SWITCHES = {"config.set_dumpable": "set-dumpable", "config.master_worker": "master-worker"}
_LUA = ("lua-load", "lua-load-per-thread")
#: Keywords with facts of their own.
_TOLD = frozenset((*_NUMBERS.values(), *_SWITCHES.values(), *_LUA, "cpu-map", "localpeer"))


def collect_config(config: ConfigEvidence, path: str) -> Iterator[Fact | Absence]:
    """What signatures ask of the configuration; ``path`` names it where a line does not say of which file it is."""
    yield from _tables(config, path)
    yield from _peers(config, path)
    for name, keyword in _NUMBERS.items():
        yield from _number(name, keyword, config.all(keyword), path)
    for name, keyword in _SWITCHES.items():
        setting = config.last(keyword)
        if setting is not None:
            yield from _unless_conditional(name, setting, setting.value != "off", keyword, path)
    yield from _lua(config, path)
    yield from _settings(config, path)
    proxies = Source(path, "sections frontend, backend and listen")
    yield Fact("config.proxies", len(config.proxies), proxies)


def _source(setting: Setting, what: str, path: str) -> Source:
    return Source(setting.path or path, what, line=setting.line)


def _tables(config: ConfigEvidence, path: str) -> Iterator[Fact]:
    yield Fact("config.stick_tables", len(config.tables), Source(path, "stick-table lines"))
    with_peers = config.tables_with_peers
    if with_peers:
        first = with_peers[0]
        where = Source(first.path or path, "stick-table lines with peers", line=first.line)
        yield Fact("config.tables_with_peers", tuple(table.name for table in with_peers), where)
    used = tuple(dict.fromkeys(use.table for use in config.uses))
    if used:
        first_use = config.uses[0]
        where = Source(first_use.path or path, f"{first_use.by} and others", line=first_use.line)
        yield Fact("config.tables_in_use", used, where)


def _peers(config: ConfigEvidence, path: str) -> Iterator[Fact | Absence]:
    """Peers are in use where a table that HAProxy surely reads has them."""
    with_peers = config.tables_with_peers
    sure = next((table for table in with_peers if not table.conditional), None)
    if sure is not None:
        where = Source(sure.path or path, f"stick-table with peers `{sure.peers}`", line=sure.line)
        yield Fact("peers.in_use", True, where)
    elif with_peers:
        yield Absence("peers.in_use", f"line {with_peers[0].line} of {path} depends on a condition (`.if`)", "the core")
    elif not config.peers:
        yield Fact("peers.in_use", False, Source(path, "no section `peers`, no stick-table with peers"))
    if config.peers:
        first = config.peers[0]
        where = Source(first.path or path, "sections peers", line=first.line)
        yield Fact("config.peers", tuple(section.name for section in config.peers), where)
        yield Fact("config.remote_peers", sum(section.remote for section in config.peers), where, "derived")


def _number(name: str, keyword: str, settings: tuple[Setting, ...], path: str) -> Iterator[Fact | Absence]:
    if not settings:
        return
    last = settings[-1]
    if not last.value.isdecimal() or len(last.value) > 15:
        yield Absence(name, f"{keyword} is `{last.value}` (line {last.line} of {last.path or path})", "the core")
        return
    yield from _unless_conditional(name, last, int(last.value), keyword, path)


def _unless_conditional(
    name: str, setting: Setting, value: int | bool, what: str, path: str
) -> Iterator[Fact | Absence]:
    if setting.conditional:
        where = f"{what} on line {setting.line} of {setting.path or path}"
        yield Absence(name, f"{where} depends on a condition (`.if`)", "the core")
    else:
        yield Fact(name, value, _source(setting, what, path))


def _lua(config: ConfigEvidence, path: str) -> Iterator[Fact | Absence]:
    """Scripts are loaded where any line says so; a configuration without one loads none."""
    found = [(keyword, setting) for keyword in _LUA for setting in config.all(keyword)]
    sure = next((one for one in found if not one[1].conditional), None)
    if sure is not None:
        yield Fact("config.lua", True, _source(sure[1], sure[0], path))
    elif found:
        yield Absence("config.lua", f"line {found[0][1].line} of {path} depends on a condition (`.if`)", "the core")
    else:
        yield Fact("config.lua", False, Source(path, "no lua-load"))


def _settings(config: ConfigEvidence, path: str) -> Iterator[Fact]:
    """All other settings of section ``global`` that HAProxy surely reads, as lists of words."""
    tune = {name: one for name, one in config.tune.items() if not one.conditional}
    if tune:
        first = next(iter(tune.values()))
        values = tuple(f"{name}={one.value}" for name, one in sorted(tune.items()))
        yield Fact("config.tune", values, _source(first, "settings tune.*", path))
    others = {name: found[-1] for name, found in (config.globals or {}).items()
              if name not in _TOLD and not name.startswith("tune.") and not found[-1].conditional}  # fmt: skip
    if others:
        first = next(iter(others.values()))
        values = tuple(
            name if one.value in ("", "on") else f"{name}={one.value}" for name, one in sorted(others.items())
        )
        yield Fact("config.global", values, _source(first, "section global", path))
