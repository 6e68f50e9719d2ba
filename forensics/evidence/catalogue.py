"""The catalogue of fact names: what signatures may ask.

A clause naming a fact that is not here is an error, and so is a collector that
yields one. ``supply`` is the remedy shown when a verdict depends on the fact and
no input had it.
"""

from __future__ import annotations

from forensics.evidence.death_facts import DEATH_FACTS
from forensics.evidence.fact_kind import FactKind
from forensics.evidence.process_facts import PROCESS_FACTS
from forensics.evidence.report_facts import REPORT_FACTS
from forensics.evidence.setting_facts import SETTING_FACTS
from forensics.evidence.supplies import CONFIG, CORE, EITHER, EXECUTABLE, SYMBOLS, THE_LOG

CATALOGUE: tuple[FactKind, ...] = (
    FactKind(
        "process.version", "version", "str", "HAProxy's version string, as it calls itself", f"{CORE}, or {THE_LOG}"
    ),
    FactKind("process.pid", "process id", "int", "process id", f"{CORE}, or {THE_LOG}"),
    FactKind("process.threads", "number of threads", "int", "number of threads of the process", CORE),
    FactKind(
        "crash.kind", "how it died", "str", "how it died: the `crash.kind` of the report", f"{CORE}, or {THE_LOG}"
    ),
    FactKind("crash.signal", "signal", "str", "name of the fatal signal, such as SIGILL", f"{CORE}, or {THE_LOG}"),
    FactKind("crash.address", "address that was touched", "int", "faulting address (si_addr)", CORE),
    FactKind(
        "crash.condition",
        "check that failed",
        "str",
        "condition of the assertion, as logs print it (macro-expanded)",
        THE_LOG,
    ),
    FactKind(
        "crash.source_file",
        "file of the code that stopped",
        "str",
        "file of the assertion or of the faulting code",
        f"{THE_LOG}, or {SYMBOLS}",
    ),
    FactKind(
        "crash.source_line",
        "line of the code that stopped",
        "int",
        "line of the assertion or of the faulting code",
        f"{THE_LOG}, or {SYMBOLS}",
    ),
    FactKind("crash.function", "function that stopped", "str", "function at the kernel's fault address", EXECUTABLE),
    FactKind("crash.library", "library that stopped", "str", "library of the culprit: `libc`, `vdso`", EITHER),
    FactKind("crash.offset", "place that stopped", "int", "bytes into the file, of a culprit without name", EITHER),
    FactKind("assertion.function", "function of the failed check", "str", "function that has it in releases", THE_LOG),
    FactKind("assertion.releases", "releases with this check at this line", "list", "ranges of releases", THE_LOG),
    FactKind(
        "assertion.candidates", "checks at this line", "list", "`KIND in FUNCTION(): RELEASES`, if several", THE_LOG
    ),
    FactKind("crash.explanation", "text below the failed check", "str", "text printed below the assertion", THE_LOG),
    FactKind(
        "stack",
        "functions, innermost first",
        "stack",
        "functions of the crashed thread, innermost first, from the culprit on: frames of the "
        "signal, the panic and libc's abort are cut off; `?` stands for a frame without a name, "
        "`[name]` for an inlined one, which other witnesses of the same stack do not show",
        f"{CORE}, or {THE_LOG}",
    ),
    FactKind(
        "stack.functions",
        "functions on the whole stack",
        "list",
        "functions anywhere in the crashed thread's whole stack",
        f"{CORE}, or {THE_LOG}",
    ),
    FactKind("stack.places", "call trace by the executable", "list", "`function at file:line` of frames", EXECUTABLE),
    FactKind(
        "threads.functions",
        "functions of the other threads",
        "list",
        "functions in the stacks of all the other threads",
        CORE,
    ),
    FactKind("threads.stuck", "stuck threads", "int", "threads the watchdog found stuck (panic dump)", THE_LOG),
    FactKind(
        "task.function",
        "task that was running",
        "str",
        "function of the task that the crashed thread was running",
        f"{SYMBOLS}, or {THE_LOG}",
    ),
    FactKind("task.applet", "applet that was running", "str", "as the thread dump has it: `<CLI>`, `<PEER>`", THE_LOG),
    FactKind(
        "peers.in_use",
        "peers in use",
        "bool",
        "a peers section, peer session or table with peers is there",
        f"{CONFIG}, or {THE_LOG}",
    ),
    FactKind(
        "config.stick_tables",
        "stick-tables in the configuration",
        "int",
        "number of stick-tables in the configuration",
        CONFIG,
    ),
    FactKind("config.threads", "nbthread", "int", "number of threads that was configured", f"{CONFIG}, or {SYMBOLS}"),
    FactKind(
        "stktable.sharded",
        "stick-tables are split into shards",
        "bool",
        "struct stktable has an array of shards or buckets",
        SYMBOLS,
    ),
    FactKind(
        "debug.command",
        "`debug dev` command",
        "str",
        "the `debug dev` command that made the crash on purpose",
        f"{CORE}, or {THE_LOG}",
    ),
    # The task that __task_queue() was given, and the stick-table that it belongs to (evidence/from_tables.py).
    FactKind(
        "task.expire",
        "date of the task that was queued",
        "int",
        "`expire` of the task that __task_queue() was given, a tick; 0 for none",
        SYMBOLS,
    ),
    FactKind(
        "task.process",
        "function of the task that was queued",
        "str",
        "`process` of the task that __task_queue() was given",
        SYMBOLS,
    ),
    FactKind(
        "task.caller",
        "who woke or queued the task last",
        "str",
        "`caller` of the task that __task_queue() was given, as `function (file:line)`",
        SYMBOLS,
    ),
    FactKind(
        "task.in_wait_queue",
        "the task is in a queue of timers",
        "bool",
        "whether the task that __task_queue() was given hangs in a tree of timers",
        SYMBOLS,
    ),
    FactKind(
        "task.owner_table",
        "table whose expiration task was queued",
        "str",
        "name of the stick-table that has the queued task as `exp_task`, empty where none has",
        SYMBOLS,
    ),
    FactKind(
        "table.lock_state",
        "lock of that table",
        "str",
        "what the word of that table's `lock` said at death: `free`, `read`, `seek` (also a spin lock) or `write`",
        SYMBOLS,
    ),
    FactKind(
        "requeue.window",
        "table's lock while its task was queued",
        "str",
        "`unlocked` if the crashed thread did not hold the table's lock while it queued the table's task (GH-2508); "
        "`locked` if it did, as since the fix",
        SYMBOLS,
    ),
    FactKind(
        "stktable.peers",
        "stick-tables with peers",
        "bool",
        "whether a peers section is attached to a stick-table in memory",
        SYMBOLS,
    ),
    FactKind(
        "lock.table",
        "table whose lock is waited for",
        "str",
        "name of the stick-table whose lock the crashed thread waits for, or another thread if the watchdog struck",
        SYMBOLS,
    ),
    FactKind(
        "lock.member",
        "lock that is waited for",
        "str",
        "member of struct stktable that is this lock",
        SYMBOLS,
    ),
    FactKind(
        "lock.table_peers",
        "peers are attached to that table",
        "bool",
        "whether a peers section is attached to the stick-table whose lock is waited for",
        SYMBOLS,
    ),
    # Threads, the task that the crashed one ran, and locks (evidence/from_state_threads.py).
    FactKind(
        "task.woken_by",
        "who woke the task that was running",
        "str",
        "function and place that woke the task last which the crashed thread was running (HAProxy 2.7 or newer)",
        SYMBOLS,
    ),
    FactKind(
        "task.freed",
        "the task that was running was freed",
        "bool",
        "whether the task that the crashed thread was running says that it was freed (HAProxy 2.7 or newer)",
        SYMBOLS,
    ),
    FactKind(
        "threads.waiting",
        "threads that wait for a lock",
        "int",
        "number of threads that spin for a lock, by the code at their pc",
        f"{CORE}, and the executable",
    ),
    FactKind(
        "threads.isolating",
        "threads that want to be alone",
        "int",
        "number of threads inside thread_isolate(), which waits until all others are harmless",
        CORE,
    ),
    FactKind(
        "threads.isolated",
        "thread that has the process for itself",
        "int",
        "HAProxy's number of the isolated thread, 0 for none (HAProxy 2.7 or newer)",
        CORE,
    ),
    FactKind(
        "lock.address",
        "address of the lock that is waited for",
        "int",
        "address of the lock that the crashed thread waits for, else of the one that most threads wait for",
        f"{CORE}, and the executable",
    ),
    FactKind(
        "lock.name",
        "lock that is waited for",
        "str",
        "whose lock that is: `table NAME, updt_lock`, `server BACKEND/NAME, lock`, or a variable such as `wq_lock`",
        SYMBOLS,
    ),
    FactKind(
        "lock.word",
        "word of that lock",
        "int",
        "the 64-bit word of that lock at death (include/import/plock.h)",
        f"{CORE}, and the executable",
    ),
    FactKind(
        "lock.state",
        "what the lock's word says",
        "str",
        "the word of the lock that is waited for, decoded: `free`, `read`, `seek` (also a spin lock) or `write`",
        f"{CORE}, and the executable",
    ),
    FactKind(
        "lock.owner",
        "who holds the lock",
        "str",
        "`thread N`, `probably thread N` where history or stacks suggest it, `nobody` where no thread is left that "
        "could release it",
        SYMBOLS,
    ),
    FactKind(
        "deadlock.cycle",
        "threads that wait for each other",
        "str",
        "a circle of waits: each thread, what it waits for, and who holds that",
        SYMBOLS,
    ),
    FactKind(
        "address.what",
        "what the address is",
        "str",
        "what the faulting address is: null, non-canonical, unmapped, guard, stack, thread-local, module, vdso, "
        "mapping, pool object, freed object, object, heap, anonymous or kernel",
        CORE,
    ),
    FactKind("address.pool", "pool of the address", "str", "name of the pool whose object was touched", SYMBOLS),
    FactKind("address.freed", "address was freed", "bool", "the object that was touched is free", SYMBOLS),
    FactKind(
        "address.poison",
        "pattern in the address",
        "str",
        "pattern that the faulting address is made of, or that lies there: `byte 0x50` (of -dM), `fill pattern` "
        "(of -dMintegrity: a freed object), `0xdeadadd4` (of -dMuaf), `text`",
        CORE,
    ),
    *DEATH_FACTS,
    *REPORT_FACTS,
    *PROCESS_FACTS,
    *SETTING_FACTS,
)

__all__ = ["CATALOGUE", "KINDS", "FactKind"]

#: The catalogue by name.
KINDS: dict[str, FactKind] = {kind.name: kind for kind in CATALOGUE}
