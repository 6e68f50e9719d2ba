"""The catalogue of fact names: what signatures may ask.

A clause naming a fact that is not here is an error, and so is a collector that
yields one. ``supply`` is the remedy shown when a verdict depends on the fact and
no input had it.
"""

from __future__ import annotations

from forensics.evidence.fact_kind import FactKind
from forensics.evidence.process_facts import PROCESS_FACTS
from forensics.evidence.report_facts import REPORT_FACTS

_CORE = "the core file"
_SYMBOLS = "the core with debug symbols of its build-id"
_LOG = "the log of the worker (stderr, or the journal of the service)"
_EITHER = f"{_CORE}, or {_LOG}"
_CONFIG = "haproxy.cfg"
_EXECUTABLE = "the executable, beside the log"

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
    FactKind("crash.function", "function that stopped", "str", "function at the kernel's fault address", _EXECUTABLE),
    FactKind("crash.library", "library that stopped", "str", "library of the culprit: `libc`, `vdso`", _EITHER),
    FactKind("crash.offset", "place that stopped", "int", "bytes into the file, of a culprit without name", _EITHER),
    FactKind("assertion.function", "function of the failed check", "str", "function that has it in releases", _LOG),
    FactKind("assertion.releases", "releases with this check at this line", "list", "ranges of releases", _LOG),
    FactKind("assertion.candidates", "checks at this line", "list", "`KIND in FUNCTION(): RELEASES`, if several", _LOG),
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
    FactKind("stack.places", "call trace by the executable", "list", "`function at file:line` of frames", _EXECUTABLE),
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
        f"{_SYMBOLS}, or {_LOG}",
    ),
    FactKind("task.applet", "applet that was running", "str", "as the thread dump has it: `<CLI>`, `<PEER>`", _LOG),
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
    FactKind("config.threads", "nbthread", "int", "number of threads that was configured", f"{_CONFIG}, or {_SYMBOLS}"),
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
    # The task that __task_queue() was given, and the stick-table that it belongs to (evidence/from_tables.py).
    FactKind(
        "task.expire",
        "date of the task that was queued",
        "int",
        "`expire` of the task that __task_queue() was given, a tick; 0 for none",
        _SYMBOLS,
    ),
    FactKind(
        "task.process",
        "function of the task that was queued",
        "str",
        "`process` of the task that __task_queue() was given",
        _SYMBOLS,
    ),
    FactKind(
        "task.caller",
        "who woke or queued the task last",
        "str",
        "`caller` of the task that __task_queue() was given, as `function (file:line)`",
        _SYMBOLS,
    ),
    FactKind(
        "task.in_wait_queue",
        "the task is in a queue of timers",
        "bool",
        "whether the task that __task_queue() was given hangs in a tree of timers",
        _SYMBOLS,
    ),
    FactKind(
        "task.owner_table",
        "table whose expiration task was queued",
        "str",
        "name of the stick-table that has the queued task as `exp_task`, empty where none has",
        _SYMBOLS,
    ),
    FactKind(
        "table.lock_state",
        "lock of that table",
        "str",
        "what the word of that table's `lock` said at death: `free`, `read`, `seek` (also a spin lock) or `write`",
        _SYMBOLS,
    ),
    FactKind(
        "requeue.window",
        "table's lock while its task was queued",
        "str",
        "`unlocked` if the crashed thread did not hold the table's lock while it queued the table's task (GH-2508); "
        "`locked` if it did, as since the fix",
        _SYMBOLS,
    ),
    FactKind(
        "stktable.peers",
        "stick-tables with peers",
        "bool",
        "whether a peers section is attached to a stick-table in memory",
        _SYMBOLS,
    ),
    FactKind(
        "lock.table",
        "table whose lock is waited for",
        "str",
        "name of the stick-table whose lock the crashed thread waits for, or another thread if the watchdog struck",
        _SYMBOLS,
    ),
    FactKind(
        "lock.member",
        "lock that is waited for",
        "str",
        "member of struct stktable that is this lock",
        _SYMBOLS,
    ),
    FactKind(
        "lock.table_peers",
        "peers are attached to that table",
        "bool",
        "whether a peers section is attached to the stick-table whose lock is waited for",
        _SYMBOLS,
    ),
    # Threads, the task that the crashed one ran, and locks (evidence/from_state_threads.py).
    FactKind(
        "task.woken_by",
        "who woke the task that was running",
        "str",
        "function and place that woke the task last which the crashed thread was running (HAProxy 2.7 or newer)",
        _SYMBOLS,
    ),
    FactKind(
        "task.freed",
        "the task that was running was freed",
        "bool",
        "whether the task that the crashed thread was running says that it was freed (HAProxy 2.7 or newer)",
        _SYMBOLS,
    ),
    FactKind(
        "threads.waiting",
        "threads that wait for a lock",
        "int",
        "number of threads that spin for a lock, by the code at their pc",
        f"{_CORE}, and the executable",
    ),
    FactKind(
        "threads.isolating",
        "threads that want to be alone",
        "int",
        "number of threads inside thread_isolate(), which waits until all others are harmless",
        _CORE,
    ),
    FactKind(
        "threads.isolated",
        "thread that has the process for itself",
        "int",
        "HAProxy's number of the isolated thread, 0 for none (HAProxy 2.7 or newer)",
        _CORE,
    ),
    FactKind(
        "lock.address",
        "address of the lock that is waited for",
        "int",
        "address of the lock that the crashed thread waits for, else of the one that most threads wait for",
        f"{_CORE}, and the executable",
    ),
    FactKind(
        "lock.name",
        "lock that is waited for",
        "str",
        "whose lock that is: `table NAME, updt_lock`, `server BACKEND/NAME, lock`, or a variable such as `wq_lock`",
        _SYMBOLS,
    ),
    FactKind(
        "lock.word",
        "word of that lock",
        "int",
        "the 64-bit word of that lock at death (include/import/plock.h)",
        f"{_CORE}, and the executable",
    ),
    FactKind(
        "lock.state",
        "what the lock's word says",
        "str",
        "the word of the lock that is waited for, decoded: `free`, `read`, `seek` (also a spin lock) or `write`",
        f"{_CORE}, and the executable",
    ),
    FactKind(
        "lock.owner",
        "who holds the lock",
        "str",
        "`thread N`, `probably thread N` where history or stacks suggest it, `nobody` where no thread is left that "
        "could release it",
        _SYMBOLS,
    ),
    FactKind(
        "deadlock.cycle",
        "threads that wait for each other",
        "str",
        "a circle of waits: each thread, what it waits for, and who holds that",
        _SYMBOLS,
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
    # How it died, as memory keeps it
    FactKind(
        "crash.message",
        "last words",
        "str",
        "what libc, a library or HAProxy itself said last, as memory keeps it or the log has it",
        f"{_CORE}, or {_LOG}",
    ),
    FactKind("signal.sender", "sender of the signal", "int", "process id of who sent the fatal signal (si_pid)", _CORE),
    FactKind("signal.user", "user of the sender", "int", "user id of who sent the fatal signal (si_uid)", _CORE),
    FactKind(
        "watchdog.stuck_in",
        "stuck in",
        "str",
        "what the thread that made no progress was stuck in: lock, isolation, malloc_trim, malloc, regex, lua, dns, "
        "ssl, map, tree, list, cli, poller or code (none of these)",
        _CORE,
    ),
    FactKind("watchdog.thread", "stuck thread", "int", "HAProxy's number of the thread that was stuck", _CORE),
    FactKind(
        "watchdog.function", "function it was stuck in", "str", "function that tells what it was stuck in", _SYMBOLS
    ),
    FactKind(
        "watchdog.victim",
        "stuck thread waits for another",
        "bool",
        "the stuck thread waited for something that another thread has",
        _CORE,
    ),
    FactKind(
        "watchdog.suspects",
        "threads that may have it",
        "list",
        "numbers of the threads that were at work while the stuck one waited",
        _CORE,
    ),
    FactKind("stack.recursion", "functions that repeat", "list", "functions that call each other over and over", _CORE),
    FactKind(
        "pool.name",
        "damaged pool",
        "str",
        "the pool that was damaged; HAProxy merges pools of one size",
        f"{_CORE}, or {_LOG}",
    ),
    FactKind(
        "pool.first_free", "freed before in", "str", "function that freed the object before", f"{_SYMBOLS}, or {_LOG}"
    ),
    FactKind(
        "pool.second_free", "freed now in", "str", "function that freed the object when it died", f"{_CORE}, or {_LOG}"
    ),
    FactKind("pool.damage", "damage of the pool", "str", "what was found wrong with the object", f"{_CORE}, or {_LOG}"),
    *REPORT_FACTS,
    *PROCESS_FACTS,
    FactKind(
        "memory.failed_allocations", "failed allocations", "int", "allocations from pools that had failed", _SYMBOLS
    ),
    FactKind(
        "debug.commands_issued", "`debug dev` commands given", "int", "how many `debug dev` commands were given", _CORE
    ),
    # How it was configured
    FactKind("config.thread_groups", "thread groups", "int", "number of thread groups", f"{_CONFIG}, or {_SYMBOLS}"),
    FactKind("config.processes", "nbproc", "int", "nbproc of the configuration (up to 2.4)", _CONFIG),
    FactKind("config.maxconn", "maxconn", "int", "maxconn of the process", f"{_CONFIG}, or {_SYMBOLS}"),
    FactKind(
        "config.proxies", "proxies", "int", "number of frontends, backends and listens", f"{_CONFIG}, or {_SYMBOLS}"
    ),
    FactKind("config.peers", "sections peers", "list", "names of the sections peers", f"{_CONFIG}, or {_SYMBOLS}"),
    FactKind(
        "config.remote_peers", "remote peers", "int", "number of peers but the local ones", f"{_CONFIG}, or {_SYMBOLS}"
    ),
    FactKind(
        "config.tables_with_peers", "stick-tables with peers", "list", "names of the stick-tables with peers", _CONFIG
    ),
    FactKind(
        "config.tables_in_use", "stick-tables in use", "list", "names of the stick-tables that rules use", _CONFIG
    ),
    FactKind("config.lua", "Lua", "bool", "a Lua script is loaded", f"{_CONFIG}, or {_SYMBOLS}"),
    FactKind("config.master_worker", "master-worker", "bool", "master-worker mode", f"{_CONFIG}, or {_SYMBOLS}"),
    FactKind("config.set_dumpable", "set-dumpable", "bool", "set-dumpable is on", f"{_CONFIG}, or {_SYMBOLS}"),
    FactKind(
        "config.tune",
        "tune.*",
        "list",
        "settings tune.* as `NAME=VALUE`; of a core all that are known, of a configuration those that it makes",
        f"{_CONFIG}, or {_SYMBOLS}",
    ),
    FactKind(
        "config.global",
        "other global settings",
        "list",
        "other settings of section global as `NAME` or `NAME=VALUE`",
        _CONFIG,
    ),
)

__all__ = ["CATALOGUE", "KINDS", "FactKind"]

#: The catalogue by name.
KINDS: dict[str, FactKind] = {kind.name: kind for kind in CATALOGUE}
