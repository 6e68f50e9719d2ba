"""`show counters [all]`: the checks that matched, as `debug counters` of 3.1 and later prints them."""

from __future__ import annotations

from collections.abc import Iterator

from forensics.absence import Absence
from forensics.errors import UsageError
from forensics.haproxy.counters import Counter, Counters, read_counters
from forensics.haproxy.state import State
from forensics.show.answer import Answer, Question

#: By ``Counter.kind``, as HAProxy abbreviates them (debug_iohandler_counters of src/debug.c).
_KINDS = {"bug": "BUG", "bug_once": "CHK", "count": "CNT", "glitch": "GLT"}


def answer(state: State, question: Question) -> Answer | Absence:
    """One check a line; those that never matched only with ``all``."""
    if question.arguments not in ((), ("all",)):
        raise UsageError(f"`show counters` takes `all` or nothing, not `{' '.join(question.arguments)}`")
    found = read_counters(state.process, zero=bool(question.arguments))
    if isinstance(found, Absence):
        return found
    end = question.offset + question.limit if question.limit else None
    shown = found.hits[question.offset : end]
    return Answer(lambda: _lines(found, shown), lambda: [_plain(one) for one in shown])


def _lines(counters: Counters, shown: tuple[Counter, ...]) -> Iterator[str]:
    yield 'Count     Type Location function(): "condition" [comment]'
    for one in shown:
        name = one.file.rsplit("/", 1)[-1]
        text = f"{one.count:<10} {_KINDS[one.kind]:>3} {name}:{one.line} {one.function}()"
        # What a glitch says is no condition, and not quoted.
        text += f": {one.condition}" if one.kind == "glitch" and one.condition else ""
        text += f': "{one.condition}"' if one.kind != "glitch" and one.condition else ""
        text += f" [{one.explanation}]" if one.explanation else ""
        yield f"{text} (stopped)" if one.kind == "count" and not counters.counting else text


def _plain(one: Counter) -> dict[str, object]:
    return {
        "count": one.count, "kind": one.kind, "file": one.file, "line": one.line, "function": one.function,
        "condition": one.condition, "explanation": one.explanation,
    }  # fmt: skip
