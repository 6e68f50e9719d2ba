"""`show locks`: which threads wait for which lock, whose it is, what its word says, and who holds it.

HAProxy has no such command: a live process whose threads wait for each other does not answer.
"""

from __future__ import annotations

from collections.abc import Iterator

from forensics.absence import Absence
from forensics.haproxy.locks.awaited import Lock, Locks
from forensics.haproxy.locks.holders import held, history
from forensics.haproxy.locks.spin import Spin
from forensics.haproxy.plock import LockWord
from forensics.haproxy.state import State
from forensics.show.answer import Answer, Question


def answer(state: State, _question: Question) -> Answer | Absence:
    """The locks that matter."""
    if not state.stacks:
        return Absence("locks", "the core holds no thread whose stack could tell", "the complete core")
    found = state.locks
    return Answer(lambda: _lines(state, found), lambda: _plain(found), lambda: _gaps(found))


def _gaps(found: Locks) -> tuple[Absence, ...]:
    return tuple(
        Absence(f"lock that thread {wait.number} waits for", wait.spin.reason, "the executable, with `--exe`")
        for wait in found.unknown
        if isinstance(wait.spin, Absence)
    )


def _lines(state: State, found: Locks) -> Iterator[str]:
    if not found.waiting:
        yield "no thread waits for a lock"
    for lock in found.locks:
        yield from _lock(lock)
    for wait in found.unknown:
        yield f"{wait.words}; which lock that is could not be told"
    yield from found.isolation.words
    for words in found.deadlocks:
        yield f"deadlock: {words}"
    for thread in state.threads:
        steps = history(state.space, thread)
        if steps:
            still = ", ".join(one.words for one in held(state.space, thread)) or "none"
            yield f"thread {thread.number}: held by its history: {still}; last steps {' '.join(s.words for s in steps)}"


def _lock(lock: Lock) -> Iterator[str]:
    word = f"{lock.word.word:#x}: {lock.word.words}" if isinstance(lock.word, LockWord) else lock.word.reason
    yield f"{lock.title} ({word})"
    for wait in lock.waits:
        yield f"  {wait.words}{f' ({wait.spin.how})' if isinstance(wait.spin, Spin) else ''}"
    for words in lock.words:
        yield f"  {words}"


def _plain(found: Locks) -> dict[str, object]:
    return {
        "locks": [
            {
                "address": lock.address, "name": lock.name, "owner_known": not isinstance(lock.place, Absence),
                "word": f"{lock.word.word:#x}" if isinstance(lock.word, LockWord) else "",
                "state": lock.word.state if isinstance(lock.word, LockWord) else "",
                "owner": lock.owner, "orphaned": lock.orphaned,
                "waiting": [
                    {"thread": wait.number, "lwp": wait.lwp, "function": wait.function,
                     "wants": wait.spin.wants if isinstance(wait.spin, Spin) else ""}
                    for wait in lock.waits
                ],
                "holders": [{"thread": one.number, "how": one.how, "certain": one.certain} for one in lock.holders],
            }
            for lock in found.locks
        ],
        "unknown": [{"thread": wait.number, "lwp": wait.lwp, "function": wait.function} for wait in found.unknown],
        "isolated": found.isolation.isolated,
        "isolating": list(found.isolation.isolating),
        "not_harmless": list(found.isolation.harmful or ()),
        "deadlocks": list(found.deadlocks),
    }  # fmt: skip
