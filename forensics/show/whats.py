"""What `show` can answer: each name, one line about it, and the words that it takes.

The module of that name in this package (`_` for `-`) has ``answer(state, question) -> Answer | Absence``.
"""

from __future__ import annotations

from forensics.record import record


@record
class What:
    """One command: ``about`` in a line; ``words`` are the arguments it takes, as usage shows them ("" for none)."""

    about: str
    words: str = ""


WHATS: dict[str, What] = {
    "activity": What("What each thread counted: loops, wakeups, tasks, accepted connections."),
    "address": What("What addresses are: stack, variable, object of a pool; those of the crash.", "[ADDRESS...]"),
    "counters": What("Checks that matched (BUG_ON, WARN_ON, CHECK_IF, COUNT_IF); `all` for every check.", "[all]"),
    "dev": What("The machine and the process as HAProxy noted them: versions, limits, user, command line."),
    "events": What("Sinks of events and traces, and the messages of one (`buf0` holds traces).", "[SINK]"),
    "fd": What("The open descriptors, and whom they belong to.", "[FD]"),
    "info": What("The process as a whole: limits, counters, rates."),
    "libs": What("The executable and the libraries with their addresses."),
    "locks": What("Threads that wait for a lock: whose it is, who holds it, and circles of waits."),
    "peers": What("Peers sections, each peer's state and the tables that it shares.", "[SECTION]"),
    "pools": What("Memory pools.", "[byname|bysize|byusage|suspicious] [match PREFIX] [N]"),
    "proxies": What("Frontends and backends with their servers: states, and what they handled."),
    "sess": What("The streams: one a line, all in detail, or one of them.", "[all|susp|ADDRESS]"),
    "startup-logs": What("What HAProxy said while it started."),
    "table": What("Stick-tables; with a name the entries of that one (--limit, --offset).", "[NAME]"),
    "tasks": What("Tasks in the run queues and wait queues, by function; `all` lists each.", "[all]"),
    "threads": What("Each thread with its queues, its task and its panic text."),
}
