"""Lines of the state of threads and locks: only where they say something, a wait or a circle of waits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from forensics.report.lines import Line, wrapped
from forensics.report.safe_text import one_line
from forensics.report.words import plural

#: Waiting threads that are listed of each lock; the first say what the others say.
_MOST = 6


def wait_lines(name: str, value: object, width: int) -> Iterator[Line]:
    """Of the entries `threads`, `tasks` and `locks` of the report's state."""
    if not isinstance(value, Mapping):
        return
    if name == "tasks" and value.get("queued"):
        yield Line("plain", f"  tasks that were to run: {value['queued']}")
    if name != "locks":
        return
    for lock in _rows(value.get("locks")):
        if isinstance(lock, Mapping):
            yield from _lock(lock, width)
    for each in _rows(value.get("unknown")):
        yield from _text(f"{each}; which lock that is could not be told", width)
    for each in _rows(value.get("isolation")):
        yield from _text(str(each), width)
    for each in _rows(value.get("deadlocks")):
        yield from _text(f"deadlock: {each}", width)


def _rows(value: object) -> Sequence[object]:
    return value if isinstance(value, list | tuple) else ()


def _text(text: str, width: int, indent: str = "  ") -> Iterator[Line]:
    yield from wrapped(one_line(text), width, "plain", indent, f"{indent}  ")


def _lock(lock: Mapping[str, object], width: int) -> Iterator[Line]:
    yield from _text(f"{lock.get('title')}: {lock.get('state')}", width)
    waiting = _rows(lock.get("waiting"))
    for each in waiting[:_MOST]:
        yield from _text(str(each), width, "    ")
    if len(waiting) > _MOST:
        yield Line("dim", f"    and {plural(len(waiting) - _MOST, 'thread')} more")
    for each in _rows(lock.get("holders")):
        yield from _text(str(each), width, "    ")
