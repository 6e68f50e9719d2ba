"""`show tasks`: what waits to run, by function, as HAProxy's own command; `show tasks all` lists every task.

HAProxy counts run queues only (cli_io_handler_show_tasks() in src/activity.c); the tasks that wait for their time
stand below, in the same form.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice

from forensics.absence import Absence
from forensics.errors import UsageError
from forensics.haproxy.clock import Moment, read_moment
from forensics.haproxy.queues import (
    RUN,
    WAIT,
    Queue,
    Queued,
    Queues,
    iter_addresses,
    iter_queued,
    iter_queues,
)
from forensics.haproxy.state import State
from forensics.haproxy.structs import known
from forensics.haproxy.task import Task
from forensics.haproxy.threads import thread_count
from forensics.show.answer import Answer, Question
from forensics.show.threads import plain_task

_HEAD = "  function                     places     %"
#: Width of a name and its count together, as HAProxy prints them.
_WIDTH = 35


def answer(state: State, question: Question) -> Answer | Absence:
    """The tasks of all queues, counted or one by one."""
    if question.arguments not in ((), ("all",)):
        raise UsageError(f"`show tasks` takes no `{' '.join(question.arguments)}`", "`show tasks`, or `show tasks all`")
    queues = list(iter_queues(state))
    if not queues:
        found = state.space.layout("thread_ctx")
        reason = found.reason if isinstance(found, Absence) else "the executable's symbols list no queue"
        return Absence("queues of tasks", reason, "the debug symbols of this build")
    told = Queues()
    every = bool(question.arguments)
    return Answer(
        lambda: _listed(state, queues, told, question) if every else _counted(state, queues, told),
        lambda: _plain(state, queues, told, question) if every else _plain_counts(state, queues, told),
        lambda: told.gaps,
    )


def _counts(state: State, queues: list[Queue], kind: str, told: Queues) -> list[tuple[str, int]]:
    """Functions and how many tasks have each; of a task nothing but its function is read, as there may be millions."""
    layout = state.space.layout("task")
    field = layout if isinstance(layout, Absence) else layout.fields.get("process")
    if field is None or isinstance(field, Absence):
        return []
    pointers: Counter[int] = Counter()
    for queue in queues:
        for address in iter_addresses(state, queue, told) if queue.kind == kind else ():
            pointers[known(state.space.memory.word(address + field.offset))] += 1
    found: Counter[str] = Counter()
    for pointer, count in pointers.items():
        found[_name(state, pointer)] += count
    return sorted(found.items(), key=lambda each: (-each[1], each[0]))


def _name(state: State, pointer: int) -> str:
    if not pointer:
        return "(not in the core)"
    name = state.space.function_name(pointer) if state.space.is_code(pointer) else ""
    return name or f"{pointer:#x}"


def _counted(state: State, queues: list[Queue], told: Queues) -> Iterator[str]:
    threads = thread_count(state.space)
    for kind, title in ((RUN, "Running tasks"), (WAIT, "Waiting tasks")):
        rows = _counts(state, queues, kind, told)
        total = sum(count for _name, count in rows)
        yield f"{title}: {total} ({threads if isinstance(threads, int) else '?'} threads)"
        yield _HEAD
        for name, count in rows:
            share = 1000 * count // total
            yield f"  {name}{count:>{max(_WIDTH - len(name), 1)}}  {share // 10:3}.{share % 10}"


def _chosen(state: State, queues: list[Queue], told: Queues, question: Question) -> Iterator[Queued]:
    every = (one for queue in queues for one in iter_queued(state, queue, told))
    return islice(every, question.offset, question.offset + question.limit if question.limit else None)


def _listed(state: State, queues: list[Queue], told: Queues, question: Question) -> Iterator[str]:
    now, last = read_moment(state.space), ""
    for one in _chosen(state, queues, told, question):
        if one.queue.name != last:
            last = one.queue.name
            yield f"{last}:"
        yield f"  {_line(one, now)}"


def _line(one: Queued, now: Moment | Absence) -> str:
    task = one.task
    if isinstance(task, Absence):
        return f"{one.address:#x} {task.reason}"
    state = "|".join(task.state_names) or "SLEEPING"
    timer = "" if task.tasklet else f" exp={when(task.expire, now)}"
    if not task.tasklet and task.waiting and isinstance(task.key, int) and task.key != _tick(task.expire):
        timer += f" (queued for {when(task.key, now)})"
    caller = "" if isinstance(task.caller, Absence) else f" {task.caller.words}"
    thread = f" tid={task.tid}" if isinstance(task.tid, int) else ""
    freed = " FREED" if task.freed else ""
    return (
        f"{task.address:#x} ({task.kind}) {task.function or hex(task.process)} ctx={task.context:#x}"
        f" state={task.state:#x} ({state}) calls={task.calls}{thread}{timer}{freed}{caller}"
    )


def _tick(value: int | Absence) -> int:
    return 0 if isinstance(value, Absence) else value & 0xFFFFFFFF


def when(tick: int | Absence, now: Moment | Absence) -> str:
    """``<NEVER>``, ``in 1200 ms``, ``350 ms ago``."""
    if isinstance(tick, Absence):
        return "?"
    if not tick & 0xFFFFFFFF:
        return "<NEVER>"
    if isinstance(now, Absence):
        return f"tick {tick & 0xFFFFFFFF}"
    left = now.left(tick)
    return f"in {left} ms" if left >= 0 else f"{-left} ms ago"


def _plain_counts(state: State, queues: list[Queue], told: Queues) -> dict[str, object]:
    return {
        name: [{"function": function, "places": count} for function, count in _counts(state, queues, kind, told)]
        for kind, name in ((RUN, "running"), (WAIT, "waiting"))
    }


def _plain(state: State, queues: list[Queue], told: Queues, question: Question) -> list[dict[str, object]]:
    now = read_moment(state.space)
    return [_plain_one(one, now) for one in _chosen(state, queues, told, question)]


def _plain_one(one: Queued, now: Moment | Absence) -> dict[str, object]:
    task = one.task
    found: dict[str, object] = {"queue": one.queue.name, "kind": one.queue.kind, "thread": one.queue.thread}
    if not isinstance(task, Task):
        return found | {"address": one.address}
    timer = {"expires": when(task.expire, now)} if not task.tasklet else {}
    return found | plain_task(task) | timer
