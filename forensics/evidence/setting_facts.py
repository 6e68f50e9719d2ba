"""The part of the catalogue for how a process was configured (from_config.py, settings.py)."""

from __future__ import annotations

from forensics.evidence.fact_kind import FactKind
from forensics.evidence.supplies import CONFIG, SYMBOLS

SETTING_FACTS: tuple[FactKind, ...] = (
    FactKind("config.thread_groups", "thread groups", "int", "number of thread groups", f"{CONFIG}, or {SYMBOLS}"),
    FactKind("config.processes", "nbproc", "int", "nbproc of the configuration (up to 2.4)", CONFIG),
    FactKind("config.maxconn", "maxconn", "int", "maxconn of the process", f"{CONFIG}, or {SYMBOLS}"),
    FactKind(
        "config.proxies", "proxies", "int", "number of frontends, backends and listens", f"{CONFIG}, or {SYMBOLS}"
    ),
    FactKind("config.peers", "sections peers", "list", "names of the sections peers", f"{CONFIG}, or {SYMBOLS}"),
    FactKind(
        "config.remote_peers", "remote peers", "int", "number of peers but the local ones", f"{CONFIG}, or {SYMBOLS}"
    ),
    FactKind(
        "config.tables_with_peers", "stick-tables with peers", "list", "names of the stick-tables with peers", CONFIG
    ),
    FactKind("config.tables_in_use", "stick-tables in use", "list", "names of the stick-tables that rules use", CONFIG),
    FactKind("config.lua", "Lua", "bool", "a Lua script is loaded", f"{CONFIG}, or {SYMBOLS}"),
    FactKind("config.master_worker", "master-worker", "bool", "master-worker mode", f"{CONFIG}, or {SYMBOLS}"),
    FactKind("config.set_dumpable", "set-dumpable", "bool", "set-dumpable is on", f"{CONFIG}, or {SYMBOLS}"),
    FactKind(
        "config.tune",
        "tune.*",
        "list",
        "settings tune.* as `NAME=VALUE`; of a core all that are known, of a configuration those that it makes",
        f"{CONFIG}, or {SYMBOLS}",
    ),
    FactKind(
        "config.global",
        "other global settings",
        "list",
        "other settings of section global as `NAME` or `NAME=VALUE`",
        CONFIG,
    ),
)
