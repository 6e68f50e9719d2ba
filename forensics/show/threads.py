"""`show threads`: each thread as HAProxy dumps it, then what it printed about itself, else its stack.

The shape is that of HAProxy's own dump (ha_thread_dump_one() in src/debug.c). `cpu_ns` lacks what only the kernel knew:
how much processor time a thread had used when it died.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from forensics.absence import Absence
from forensics.haproxy.death.dump_text import DumpText, iter_dumps
from forensics.haproxy.locks.holders import held, history
from forensics.haproxy.locks.waits import running_frames
from forensics.haproxy.occupation import IDLE, occupation_of
from forensics.haproxy.state import State
from forensics.haproxy.structs import known
from forensics.haproxy.task import Task, read_task
from forensics.haproxy.threads import Thread
from forensics.report.scrub import scrub_text
from forensics.show.answer import Answer, Question
from forensics.unwind.frame import ThreadStack

_INDENT = " " * 13
_UNKNOWN = "?"


def answer(state: State, question: Question) -> Answer | Absence:
    """The threads in HAProxy's order."""
    threads = list(state.threads)
    if not threads:
        return Absence("threads", "the core holds no thread", "the complete core")
    threads = threads[question.offset : question.offset + question.limit if question.limit else None]
    dumps = list(iter_dumps(state.space, threads))
    return Answer(
        lambda: _lines(state, threads, dumps, question),
        lambda: [_plain(state, thread, dumps, question) for thread in threads],
        lambda: _gaps(threads),
    )


def _gaps(threads: list[Thread]) -> tuple[Absence, ...]:
    lacking = next((thread.context for thread in threads if isinstance(thread.context, Absence)), None)
    return (Absence("queues and tasks of threads", lacking.reason, lacking.remedy),) if lacking else ()


def _lines(state: State, threads: list[Thread], dumps: list[DumpText], question: Question) -> Iterator[str]:
    own = {dump.number: dump for dump in dumps}
    for thread in threads:
        yield from _thread(state, thread)
        dump = own.get(thread.number)
        if dump is not None:
            yield f"{_INDENT}panic text ({dump.where}, at {dump.address:#x}):"
            yield from _indented(dump, question)
        else:
            yield from _trace(state, thread)
    if 0 in own:
        yield f"panic text of all threads ({own[0].where}, at {own[0].address:#x}):"
        yield from _indented(own[0], question)


def _indented(dump: DumpText, question: Question) -> Iterator[str]:
    for line in _shown(dump, question).splitlines():
        yield f"{_INDENT}| {line}"


def _shown(dump: DumpText, question: Question) -> str:
    return scrub_text(dump.text) if question.scrub else dump.text


def _thread(state: State, thread: Thread) -> Iterator[str]:
    stack = stack_of(state, thread)
    flags = thread.flags
    stuck = flags if isinstance(flags, Absence) else flags & 1
    crashed = "*" if stack is not None and stack.crashed else " "
    yield (
        f"{crashed}{'>' if stuck else ' '}Thread {thread.number:<2}: id={_hex(thread.pthread)} act={_active(thread)}"
        f" glob={_shared(state, thread)} wq={_number(thread.holds_tree('timers'))}"
        f" rq={_number(thread.holds_tree('rqueue'))} tl={_number(thread.has_tasklets)}"
        f" tlsz={_number(thread.value('tasks_in_list', 'task_list_size'))}"
        f" rqsz={_number(thread.value('rq_total', 'rqueue_size'))}"
    )
    yield (
        f"{_place(thread)}{_counts(thread)}stuck={_number(stuck)} prof={_profiled(thread)}"
        f" harmless={_number(thread.harmless)}{_alone(thread)}{_locks(thread)}"
    )
    polled = _number(thread.value("prev_cpu_time"))
    yield f"{_INDENT}cpu_ns: poll={polled} now={_UNKNOWN} diff={_UNKNOWN}"
    yield f"{_INDENT}lwp={thread.lwp or _UNKNOWN} ({thread.how or 'no thread of the core'})" + (
        f" flags={'|'.join(thread.flag_names)}" if thread.flag_names else ""
    )
    yield from task_lines(state, thread.current)
    steps = history(state.space, thread)
    if steps:
        still = "".join(f" {one.label}({one.step})" for one in held(state.space, thread))
        yield f"{_INDENT}lock_hist: {' '.join(one.words for one in steps)}{f' locked:{still}' if still else ''}"


def _place(thread: Thread) -> str:
    """Group and number in the group, which builds since 2.5 have."""
    group, local = thread.group, thread.value("ltid")
    if isinstance(group, Absence) or isinstance(local, Absence):
        return _INDENT
    return f"     {group:>2}/{local + 1:<2}   "


def _counts(thread: Thread) -> str:
    """`loops` and `ctxsw`, which dumps have since 3.3 (and 3.2.x)."""
    if isinstance(thread.value("lock_history"), Absence):
        return ""
    found = next(islice(thread.space.array("activity", "activity", thread.number), thread.tid, None), None)
    values = [(name, found.number(name)) for name in ("loops", "ctxsw")] if found is not None else []
    return "".join(f"{name}={_number(value)} " for name, value in values)


def _locks(thread: Thread) -> str:
    """`locks`, the number that it holds or waits for (3.3 on)."""
    level = thread.value("lock_level")
    return "" if isinstance(level, Absence) else f" locks={level}"


def _alone(thread: Thread) -> str:
    """`wantrdv` up to 2.7, `isolated` since 2.8."""
    wanted = thread.wants_isolation
    return f" wantrdv={wanted}" if isinstance(wanted, int) else f" isolated={_number(thread.isolated)}"


def _active(thread: Thread) -> str:
    """Whether it has anything to run (thread_has_tasks() in task.h)."""
    found = (thread.holds_tree("rqueue"), thread.holds_tree("rqueue_shared"), thread.value("tl_class_mask"),
             thread.holds_list("shared_tasklet_list"))  # fmt: skip
    known = [one for one in found if isinstance(one, int)]
    return str(int(any(known))) if known else _UNKNOWN


def _shared(state: State, thread: Thread) -> str:
    """Whether others woke tasks for it: a tree of its own since 2.7, before that a bit of global_tasks_mask."""
    mask = state.space.word("global_tasks_mask")
    return _number(thread.holds_tree("rqueue_shared")) if isinstance(mask, Absence) else str(mask >> thread.tid & 1)


def _profiled(thread: Thread) -> str:
    """TH_FL_TASK_PROFILING since 2.7, before that a bit of task_profiling_mask."""
    mask = thread.space.word("task_profiling_mask")
    if isinstance(mask, int):
        return str(mask >> thread.tid & 1)
    return _UNKNOWN if isinstance(thread.flags, Absence) else str(int(bool(thread.flags & 2)))


def _number(value: int | Absence) -> str:
    return _UNKNOWN if isinstance(value, Absence) else str(value)


def _hex(value: int | Absence) -> str:
    return _UNKNOWN if isinstance(value, Absence) else f"{value:#x}"


def stack_of(state: State, thread: Thread) -> ThreadStack | None:
    """The thread's stack, None where the core has no such thread."""
    return next((stack for stack in state.stacks if stack.lwp == thread.lwp), None)


def task_lines(state: State, address: int | Absence) -> Iterator[str]:
    """`curr_task=` and what it runs."""
    if isinstance(address, Absence) or not address:
        yield f"{_INDENT}curr_task={_number(address)}"
        return
    task = read_task(state.space, address)
    if isinstance(task, Absence):
        yield f"{_INDENT}curr_task={address:#x} ({task.reason})"
        return
    yield f"{_INDENT}curr_task={address:#x} ({task.kind}) calls={task.calls} state={task.state:#x}" + (
        f" ({'|'.join(task.state_names)})" if task.state_names else ""
    )
    applet = f"({task.applet})" if task.applet else ""
    yield f"{_INDENT}  fct={task.process:#x}({task.function or _UNKNOWN}) ctx={task.context:#x}{applet}"
    if task.freed:
        yield f"{_INDENT}  it was freed before"
    if not isinstance(task.caller, Absence):
        yield f"{_INDENT}  {task.caller.words}"


def _trace(state: State, thread: Thread) -> Iterator[str]:
    stack = stack_of(state, thread)
    if stack is None or occupation_of([frame.function for frame in stack.frames]).rank == IDLE:
        return
    frames = [frame for frame in running_frames(stack) if not frame.inlined]
    yield f"{_INDENT}call trace({len(frames)}):"
    for frame in frames:
        code = state.process.code(frame.pc, 8)
        shown = code.hex(" ") if isinstance(code, bytes) else " ".join(["--"] * 8)
        where = f"{frame.function or frame.module.rsplit('/', 1)[-1]}+{frame.offset:#x}"
        yield f"{_INDENT}| {frame.pc:#14x} [{shown}]: {where}"


def _plain(state: State, thread: Thread, dumps: list[DumpText], question: Question) -> dict[str, object]:
    numbers = {
        name: value for name, value in (
            ("group", thread.group), ("harmless", thread.harmless), ("idle", thread.idle),
            ("isolated", thread.isolated), ("run_queue", thread.value("rq_total", "rqueue_size")),
            ("tasks_in_lists", thread.value("tasks_in_list", "task_list_size")), ("tasks", thread.value("nb_tasks")),
            ("cpu_ns_at_poll", thread.value("prev_cpu_time")), ("mono_ns_at_poll", thread.value("prev_mono_time")),
            ("locks_held", thread.value("lock_level")),
        ) if isinstance(value, int)
    }  # fmt: skip
    texts = [_shown(dump, question) for dump in dumps if dump.number in (0, thread.number)]
    current = read_task(state.space, known(thread.current)) if thread.current else Absence("task", "it ran none")
    return {
        "number": thread.number, "lwp": thread.lwp, "identified_by": thread.how, "pthread": _hex(thread.pthread),
        "flags": list(thread.flag_names), **numbers,
        "task": plain_task(current) if isinstance(current, Task) else {},
        "lock_history": [one.words for one in history(state.space, thread)],
        "panic_text": texts[0] if texts else "",
    }  # fmt: skip


def plain_task(task: Task) -> dict[str, object]:
    """A task as JSON shows it."""
    return {
        "address": task.address, "kind": task.kind, "function": task.function, "process": f"{task.process:#x}",
        "context": f"{task.context:#x}", "applet": task.applet, "state": list(task.state_names), "calls": task.calls,
        "caller": task.caller.words if not isinstance(task.caller, Absence) else "", "freed": task.freed,
    }  # fmt: skip
