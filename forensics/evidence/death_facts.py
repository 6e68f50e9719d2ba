"""The part of the catalogue for how a process died, as its memory keeps it (from_death.py, from_panic.py)."""

from __future__ import annotations

from forensics.evidence.fact_kind import FactKind
from forensics.evidence.supplies import CORE, SYMBOLS, THE_LOG

DEATH_FACTS: tuple[FactKind, ...] = (
    FactKind(
        "crash.message",
        "last words",
        "str",
        "what libc, a library or HAProxy itself said last, as memory keeps it or the log has it",
        f"{CORE}, or {THE_LOG}",
    ),
    FactKind("signal.sender", "sender of the signal", "int", "process id of who sent the fatal signal (si_pid)", CORE),
    FactKind("signal.user", "user of the sender", "int", "user id of who sent the fatal signal (si_uid)", CORE),
    FactKind(
        "watchdog.stuck_in",
        "stuck in",
        "str",
        "what the thread that made no progress was stuck in: lock, isolation, malloc_trim, malloc, regex, lua, dns, "
        "ssl, map, tree, list, cli, poller or code (none of these)",
        CORE,
    ),
    FactKind("watchdog.thread", "stuck thread", "int", "HAProxy's number of the thread that was stuck", CORE),
    FactKind(
        "watchdog.function", "function it was stuck in", "str", "function that tells what it was stuck in", SYMBOLS
    ),
    FactKind(
        "watchdog.victim",
        "stuck thread waits for another",
        "bool",
        "the stuck thread waited for something that another thread has",
        CORE,
    ),
    FactKind(
        "watchdog.suspects",
        "threads that may have it",
        "list",
        "numbers of the threads that were at work while the stuck one waited",
        CORE,
    ),
    FactKind("stack.recursion", "functions that repeat", "list", "functions that call each other over and over", CORE),
    FactKind(
        "pool.name",
        "damaged pool",
        "str",
        "the pool that was damaged; HAProxy merges pools of one size",
        f"{CORE}, or {THE_LOG}",
    ),
    FactKind(
        "pool.first_free", "freed before in", "str", "function that freed the object before", f"{SYMBOLS}, or {THE_LOG}"
    ),
    FactKind(
        "pool.second_free",
        "freed now in",
        "str",
        "function that freed the object when it died",
        f"{CORE}, or {THE_LOG}",
    ),
    FactKind(
        "pool.damage", "damage of the pool", "str", "what was found wrong with the object", f"{CORE}, or {THE_LOG}"
    ),
    FactKind(
        "memory.failed_allocations", "failed allocations", "int", "allocations from pools that had failed", SYMBOLS
    ),
    FactKind(
        "debug.commands_issued", "`debug dev` commands given", "int", "how many `debug dev` commands were given", CORE
    ),
)
