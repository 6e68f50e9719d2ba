"""Crashes, verdicts and stacks in a line each."""

from __future__ import annotations

from collections.abc import Sequence

from forensics.absence import Absence
from forensics.evidence.fact import Crash, Fact, FactValue
from forensics.matching.signature import Clause, Signature
from forensics.matching.verdict import Deciding, Verdict
from forensics.source import Source
from forensics.unwind.frame import Frame, ThreadStack
from forensics.versions import Version

#: The stack of the stick-table race as every witness can name it.
STACK = ("__task_queue", "stktable_requeue_exp", "stktable_touch_with_exp", "process_stream", "run_tasks_from_lists")

RACE: dict[str, FactValue] = {
    "process.version": "2.9.6-9eafce5",
    "crash.kind": "bug_on",
    "crash.condition": "task->expire == 0",
    "crash.source_file": "src/task.c",
    "crash.source_line": 285,
    "stack": STACK,
}


def version(text: str) -> Version:
    """A version that parses."""
    parsed = Version.parse(text)
    assert isinstance(parsed, Version)
    return parsed


def fact(name: str, value: FactValue) -> Fact:
    """A fact read from a log."""
    return Fact(name, value, Source("worker.log", "bug line", line=1))


def crash(facts: dict[str, FactValue], gaps: Sequence[Absence] = (), /, **changed: FactValue) -> Crash:
    """A crash of these facts; ``crash__kind="x"`` changes one, and an empty string takes it away."""
    said = {**facts, **{name.replace("__", "."): value for name, value in changed.items()}}
    return Crash.of([fact(name, value) for name, value in said.items() if value != ""], gaps)


def frame(function: str, offset: int = 16, module: str = "/usr/sbin/haproxy", **more: object) -> Frame:
    """One frame."""
    given = {"index": 0, "pc": 4096, "symbol": function, "file": "", "line": 0, "inlined": False, "trust": "cfi"}
    given |= {"status": "symbolicated" if function else "no_symbol", **more}
    return Frame(function=function, offset=offset, module=module, **given)  # type: ignore[arg-type]


def stacks(*frames: Frame) -> tuple[ThreadStack, ...]:
    """The stacks of a process with one thread, which crashed."""
    return (ThreadStack(1, 1, True, frames, ""),)


def signature(name: str = "stick-table/race", **more: object) -> Signature:
    """A signature fixed in 2.9.7."""
    given: dict[str, object] = {
        "id": name,
        "title": f"title of {name}",
        "kind": "bug",
        "status": "tested",
        "explanation": "explained",
        "remedy": "upgrade",
        "workaround": "run with `nbthread 1`.",
        "references": (),
        "affects": (),
        "fixed_in": ("2.9.7", "3.0-dev7"),
        "lookalikes": (),
    }
    return Signature(**{**given, **more})  # type: ignore[arg-type]


def verdict(outcome: str, of: Signature | None = None, *deciding: Deciding, **more: object) -> Verdict:
    """A verdict on the race."""
    given: dict[str, object] = {"affected": True, **more}
    return Verdict(of or signature(), outcome, deciding, **given)  # type: ignore[arg-type]


def deciding(name: str, value: FactValue | Absence, held: bool | None = True, because: str = "") -> Deciding:
    """A clause that met this value."""
    met = value if isinstance(value, Absence) else fact(name, value)
    return Deciding(Clause(name, "is", "operand", because), held, met)
