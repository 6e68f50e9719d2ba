"""The part of the catalogue for what texts say of the process and of its host (from_process.py)."""

from __future__ import annotations

from forensics.evidence.fact_kind import FactKind
from forensics.evidence.supplies import THE_LOG

_COLLECTOR = f"what keeps crashes (`coredumpctl info`, apport, ABRT), or {THE_LOG}"

PROCESS_FACTS: tuple[FactKind, ...] = (
    FactKind("process.executable", "executable", "str", "path of the executable, as a text names it", _COLLECTOR),
    FactKind("process.command_line", "command line", "str", "command line, as a text has it", _COLLECTOR),
    FactKind("process.features", "features of the build", "list", "`+NAME` and `-NAME`, of a panic (3.3 on)", THE_LOG),
    FactKind(
        "process.platform",
        "platform",
        "list",
        "`kernel: X`, `distribution: X`, `machine: X`, `virtual machine: X`, `container: X`",
        _COLLECTOR,
    ),
    FactKind(
        "libraries.inconsistent",
        "libraries with other definitions of symbols",
        "list",
        "`LIBRARY: SYMBOL` of each that dlopen() brought in and HAProxy warned of (2.7 on)",
        THE_LOG,
    ),
    FactKind("watchdog.disabled", "watchdog is off", "bool", "HAProxy could not set up its watchdog at start", THE_LOG),
    FactKind("master.reaction", "what the master did", "list", "what the master did when the worker had died", THE_LOG),
)
