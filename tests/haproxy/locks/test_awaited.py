"""Circles of waits, and what a lock's record says of its owner; real locks are in tests/show/test_locks.py."""

from __future__ import annotations

from forensics.absence import Absence
from forensics.haproxy.locks.awaited import Edge, Isolation, Lock, Locks, cycles_of
from forensics.haproxy.locks.holders import Holder, kind_of
from forensics.haproxy.locks.places import LockPlace
from forensics.haproxy.locks.spin import Spin
from forensics.haproxy.locks.waits import Wait
from forensics.haproxy.plock import lock_word

WRITTEN = 0x500000004


def edge(waiter: int, holder: int, what: str = "A", *, certain: bool = True) -> Edge:
    return Edge(waiter, holder, what, certain)


def circles(*edges: Edge) -> list[list[tuple[int, int]]]:
    return [[(one.waiter, one.holder) for one in cycle] for cycle in cycles_of(edges)]


def test_two_threads_that_wait_for_each_other_are_a_deadlock() -> None:
    cycles = tuple(cycles_of([edge(2, 5, "table st, lock"), edge(5, 2, "wq_lock", certain=False), edge(1, 2)]))
    found = Locks((), (), Isolation(0, (), (), ()), cycles)
    assert found.deadlocks == (
        (
            "thread 2 waits for table st, lock (held by thread 5)"
            " -> thread 5 waits for wq_lock (probably held by thread 2)"
        ),
    )


def test_circles_are_told_once_whatever_leads_to_them() -> None:
    assert circles(edge(1, 2), edge(2, 3), edge(3, 1), edge(4, 1)) == [[(1, 2), (2, 3), (3, 1)]]
    assert circles(edge(7, 7)) == [[(7, 7)]]
    assert circles(edge(1, 2), edge(2, 3), edge(1, 3)) == []
    assert circles(edge(1, 2), edge(2, 1), edge(3, 4), edge(4, 3)) == [[(1, 2), (2, 1)], [(3, 4), (4, 3)]]


def test_many_threads_in_many_circles_take_no_time() -> None:
    edges = [edge(one, other) for one in range(1, 200) for other in range(1, 200) if one != other]
    assert len(circles(*edges)) == 10


def lock(*holders: Holder, word: int = WRITTEN, orphaned: bool = False) -> Lock:
    wait = Wait(1000, 1, "f", 0, Spin(0x1000, 0xFFFFFFFF00000000, "register rdi"))
    place = LockPlace("table st", "stktable", "updt_lock")
    return Lock(0x1000, place, lock_word(word), (wait,), holders, orphaned)


def test_the_owner_is_said_as_far_as_it_is_known() -> None:
    sure, likely = Holder(2, "cur_writer", True), Holder(3, "stack", False)
    assert lock(sure).owner == "thread 2"
    assert lock(likely).owner == "probably thread 3"
    assert lock(orphaned=True).owner == lock(word=0).owner == "nobody"
    assert lock().owner == "unknown"
    assert lock(sure).words == ("thread 2 holds it: cur_writer",)
    assert lock(likely).words == ("thread 3 may hold it: stack",)
    assert lock().title == "lock table st, updt_lock at 0x1000"
    assert Locks((lock(),), (), Isolation(0, (), (), ()), ()).of_thread(1000)
    assert not Locks((lock(),), (), Isolation(0, (), (), ()), ()).of_thread(1001)


def test_places_of_locks_have_their_labels() -> None:
    def label(owner: str, struct: str = "", member: str = "") -> str:
        found = kind_of(LockPlace(owner, struct, member))
        return found[0] if found else ""

    assert label("table st", "stktable", "updt_lock") == "STK_TABLE_UPDT"
    assert label("table st", "stktable", "shards[3].sh_lock") == "STK_TABLE"
    assert label("wq_lock") == "TASK_WQ"
    assert label("thread 3", "thread_ctx", "rqsh_lock") == "TASK_RQ"
    assert label("server b/s", "server", "lock") == "SERVER"
    assert label("server b/s", "server", "queue.lock") == "QUEUE"
    assert label("proxy b", "proxy", "lbprm.lock") == "LBPRM"
    assert label("proxy b", "proxy", "lock") == "PROXY"
    assert label("peer a/b", "peer", "lock") == "PEER"
    assert label("lock.0") == ""
    assert kind_of(Absence("owner", "none")) is None


def test_isolation_is_said_in_words() -> None:
    assert Isolation(0, (), (), ()).words == ()
    assert Isolation(0, (1,), (), (2, 3)).words == (
        "thread 1 waits to be isolated; threads that are not harmless: 2, 3",
    )
    unknown = Absence("harmless", "not told")
    assert Isolation(4, (), (1, 2), unknown).words == (
        "thread 4 is isolated: it has the process for itself",
        "threads held back by an isolation: 1, 2",
    )
