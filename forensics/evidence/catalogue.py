"""The catalogue of fact names: what signatures may ask.

A clause naming a fact that is not here is an error, and so is a collector that
yields one. ``supply`` is the remedy shown when a verdict depends on the fact and
no input had it.
"""

from __future__ import annotations

from forensics.record import record


@record
class FactKind:
    """One line of the catalogue. ``type`` is str, int, bool, list or stack; ``label`` what a reader calls it."""

    name: str
    label: str
    type: str
    meaning: str
    supply: str


_CORE = "the core file"
_SYMBOLS = "the core with debug symbols of its build-id"
_LOG = "the log of the worker (stderr, or the journal of the service)"
_CONFIG = "haproxy.cfg"

CATALOGUE: tuple[FactKind, ...] = (
    FactKind(
        "process.version", "version", "str", "HAProxy's version string, as it calls itself", f"{_CORE}, or {_LOG}"
    ),
    FactKind("process.pid", "process id", "int", "process id", f"{_CORE}, or {_LOG}"),
    FactKind("process.threads", "number of threads", "int", "number of threads of the process", _CORE),
    FactKind("crash.kind", "how it died", "str", "how it died: the `crash.kind` of the report", f"{_CORE}, or {_LOG}"),
    FactKind("crash.signal", "signal", "str", "name of the fatal signal, such as SIGILL", f"{_CORE}, or {_LOG}"),
    FactKind("crash.address", "address that was touched", "int", "faulting address (si_addr)", _CORE),
    FactKind(
        "crash.condition",
        "check that failed",
        "str",
        "condition of the assertion, as logs print it (macro-expanded)",
        _LOG,
    ),
    FactKind(
        "crash.source_file",
        "file of the code that stopped",
        "str",
        "file of the assertion or of the faulting code",
        f"{_LOG}, or {_SYMBOLS}",
    ),
    FactKind(
        "crash.source_line",
        "line of the code that stopped",
        "int",
        "line of the assertion or of the faulting code",
        f"{_LOG}, or {_SYMBOLS}",
    ),
    FactKind("crash.explanation", "text below the failed check", "str", "text printed below the assertion", _LOG),
    FactKind(
        "stack",
        "functions, innermost first",
        "stack",
        "functions of the crashed thread, innermost first, from the culprit on: frames of the "
        "signal, the panic and libc's abort are cut off; `?` stands for a frame without a name, "
        "`[name]` for an inlined one, which other witnesses of the same stack do not show",
        f"{_CORE}, or {_LOG}",
    ),
    FactKind(
        "stack.functions",
        "functions on the whole stack",
        "list",
        "functions anywhere in the crashed thread's whole stack",
        f"{_CORE}, or {_LOG}",
    ),
    FactKind(
        "threads.functions",
        "functions of the other threads",
        "list",
        "functions in the stacks of all the other threads",
        _CORE,
    ),
    FactKind("threads.stuck", "stuck threads", "int", "threads the watchdog found stuck (panic dump)", _LOG),
    FactKind(
        "task.function",
        "task that was running",
        "str",
        "function of the task that the crashed thread was running",
        _LOG,
    ),
    FactKind(
        "peers.in_use",
        "peers in use",
        "bool",
        "a peers section, peer session or table with peers is there",
        f"{_CONFIG}, or {_LOG}",
    ),
    FactKind(
        "config.stick_tables",
        "stick-tables in the configuration",
        "int",
        "number of stick-tables in the configuration",
        _CONFIG,
    ),
    FactKind("config.threads", "nbthread", "int", "nbthread of the configuration", _CONFIG),
    FactKind(
        "stktable.sharded",
        "stick-tables are split into shards",
        "bool",
        "struct stktable has an array of shards or buckets",
        _SYMBOLS,
    ),
    FactKind(
        "debug.command",
        "`debug dev` command",
        "str",
        "the `debug dev` command that made the crash on purpose",
        f"{_CORE}, or {_LOG}",
    ),
    FactKind(
        "address.what",
        "what the address is",
        "str",
        "what the faulting address is: null, non-canonical, unmapped, guard, stack, thread-local, module, vdso, "
        "mapping, pool object, freed object, object, heap, anonymous or kernel",
        _CORE,
    ),
    FactKind("address.pool", "pool of the address", "str", "name of the pool whose object was touched", _SYMBOLS),
    FactKind("address.freed", "address was freed", "bool", "the object that was touched is free", _SYMBOLS),
    FactKind(
        "address.poison",
        "pattern in the address",
        "str",
        "pattern that the faulting address is made of, or that lies there: `byte 0x50` (of -dM), `fill pattern` "
        "(of -dMintegrity: a freed object), `0xdeadadd4` (of -dMuaf), `text`",
        _CORE,
    ),
)

#: The catalogue by name.
KINDS: dict[str, FactKind] = {kind.name: kind for kind in CATALOGUE}
