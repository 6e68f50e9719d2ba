"""What the report says of threads and locks: a wait, a circle, and nothing where nothing is wrong."""

from __future__ import annotations

from forensics.report.waits import wait_lines


def text(name: str, value: object, width: int = 100) -> list[str]:
    return [line.text for line in wait_lines(name, value, width)]


def test_threads_alone_say_nothing() -> None:
    assert text("threads", [{"number": 1}]) == []
    assert text("tasks", {"queued": 0, "allocated": 9}) == []
    assert text("tasks", {"queued": 3}) == ["  tasks that were to run: 3"]


def test_each_lock_is_told_with_who_waits_and_who_holds_it() -> None:
    waiting = [f"thread {number} waits" for number in range(1, 9)]
    lock = {"title": "lock wq_lock at 0x10", "state": "held for writing", "waiting": waiting, "holders": ["nobody"]}
    shown = text("locks", {"locks": [lock], "deadlocks": ["thread 1 waits for A (held by thread 2)"]})
    assert shown[0] == "  lock wq_lock at 0x10: held for writing"
    assert shown[1:7] == [f"    {one}" for one in waiting[:6]]
    assert shown[7:] == [
        "    and 2 threads more",
        "    nobody",
        "  deadlock: thread 1 waits for A (held by thread 2)",
    ]


def test_isolation_and_unknown_locks_are_told() -> None:
    shown = text(
        "locks", {"isolation": ["thread 1 waits to be isolated"], "unknown": ["thread 2 waits for it, in f()"]}
    )
    assert shown == [
        "  thread 2 waits for it, in f(); which lock that is could not be told",
        "  thread 1 waits to be isolated",
    ]


def test_a_document_of_another_shape_is_no_error() -> None:
    others: list[object] = [None, 3, "text", [], {"locks": 3}, {"locks": [3]}, {"locks": [{"waiting": 5}]}]
    for value in others:
        assert all(isinstance(line, str) for line in text("locks", value))
