"""Locks that threads wait for: whose they are, what their words say, who holds them, and waits that close a circle."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from forensics.absence import Absence
from forensics.haproxy.locks.spin import Spin
from forensics.haproxy.locks.waits import Wait, isolating, iter_waits
from forensics.haproxy.plock import LockWord, lock_word
from forensics.haproxy.state import State
from forensics.haproxy.threads import Thread
from forensics.record import record

if TYPE_CHECKING:
    from forensics.haproxy.locks.holders import Holder
    from forensics.haproxy.locks.places import LockPlace

#: Circles that are told.
_MOST_CYCLES = 10


@record
class Lock:
    """A lock that somebody waits for.

    ``orphaned`` is set where it is held, and no thread is left that could release it: all others wait for it too, or
    sleep in the poller. Whoever took it left without releasing it, or its memory was overwritten.
    """

    address: int
    place: LockPlace | Absence
    word: LockWord | Absence
    waits: tuple[Wait, ...]
    holders: tuple[Holder, ...]
    orphaned: bool = False

    @property
    def name(self) -> str:
        """Whose lock it is, else its address."""
        return f"{self.address:#x}" if isinstance(self.place, Absence) else self.place.words

    @property
    def title(self) -> str:
        """``lock wq_lock at 0x55d0``; ``lock at 0x55d0`` where nobody tells whose it is."""
        return (
            f"lock at {self.address:#x}"
            if isinstance(self.place, Absence)
            else f"lock {self.name} at {self.address:#x}"
        )

    @property
    def owner(self) -> str:
        """``thread 5``, with ``probably`` before it where that was inferred; ``nobody``; ``unknown``."""
        if self.holders:
            certain = all(one.certain for one in self.holders)
            numbers = ", ".join(f"thread {one.number}" for one in self.holders)
            return numbers if certain else f"probably {numbers}"
        free = isinstance(self.word, LockWord) and self.word.free
        return "nobody" if free or self.orphaned else "unknown"

    @property
    def words(self) -> tuple[str, ...]:
        """Who holds it, or why nobody is named; a sentence each."""
        if self.holders:
            return tuple(one.words for one in self.holders)
        if isinstance(self.word, LockWord) and self.word.free:
            return ("it was released just then",)
        if self.orphaned:
            return (
                "nobody is left to release it: all other threads wait for it, or sleep",
                "whoever took it left without releasing it, or its memory was overwritten",
            )
        return ("no thread is known to hold it",)


@record
class Isolation:
    """thread_isolate() (thread.c): ``isolated`` has the process for itself (0: nobody), ``isolating`` want that.

    ``held_back`` wait for them to finish; ``harmful`` are the threads that ``isolating`` ones still wait for, absent
    where the build does not tell. All are HAProxy's numbers.
    """

    isolated: int
    isolating: tuple[int, ...]
    held_back: tuple[int, ...]
    harmful: tuple[int, ...] | Absence

    @property
    def words(self) -> tuple[str, ...]:
        """A sentence each, () where nobody is alone or wants to be."""
        found = [f"thread {self.isolated} is isolated: it has the process for itself"] if self.isolated else []
        others = "not known" if isinstance(self.harmful, Absence) else ", ".join(map(str, self.harmful)) or "none"
        waits = "waits to be isolated; threads that are not harmless:"
        found += [f"thread {number} {waits} {others}" for number in self.isolating]
        if self.held_back:
            found.append(f"threads held back by an isolation: {', '.join(map(str, self.held_back))}")
        return tuple(found)


@record
class Edge:
    """One wait: ``waiter`` cannot go on before ``holder`` does something about ``what``."""

    waiter: int
    holder: int
    what: str
    certain: bool

    @property
    def words(self) -> str:
        """``thread 2 waits for wq_lock (held by thread 5)``."""
        sure = "" if self.certain else "probably "
        return f"thread {self.waiter} waits for {self.what} ({sure}held by thread {self.holder})"


@record
class Locks:
    """All of it; ``unknown`` are threads that wait for a lock which could not be told."""

    locks: tuple[Lock, ...]
    unknown: tuple[Wait, ...]
    isolation: Isolation
    cycles: tuple[tuple[Edge, ...], ...]

    @property
    def waiting(self) -> tuple[int, ...]:
        """The numbers of the threads that wait for a lock, ascending."""
        found = [wait.number for lock in self.locks for wait in lock.waits] + [wait.number for wait in self.unknown]
        return tuple(sorted(found))

    @property
    def deadlocks(self) -> tuple[str, ...]:
        """Each circle in words: ``thread 2 waits for A (held by thread 5) -> thread 5 waits for ...``."""
        return tuple(" -> ".join(edge.words for edge in cycle) for cycle in self.cycles)

    def of_thread(self, lwp: int) -> Lock | Absence:
        """The lock that this thread waits for."""
        found = (lock for lock in self.locks if any(wait.lwp == lwp for wait in lock.waits))
        return next(found, Absence(f"lock that LWP {lwp} waits for", "it waits for none that is known"))


def read_locks(state: State) -> Locks:
    """The locks of the dead process that matter: those that its threads wait for."""
    threads = state.threads
    waits = list(iter_waits(state))
    isolation = _isolation(state, threads)
    locks = tuple(_locks(state, threads, waits)) if waits else ()
    unknown = tuple(wait for wait in waits if isinstance(wait.spin, Absence))
    return Locks(locks, unknown, isolation, tuple(cycles_of(_edges(locks, isolation))))


def _locks(state: State, threads: Sequence[Thread], waits: Sequence[Wait]) -> Iterator[Lock]:
    from forensics.haproxy.locks.holders import iter_holders
    from forensics.haproxy.locks.places import LockPlaces

    places = LockPlaces(state)
    by_address: dict[int, list[Wait]] = {}
    for wait in waits:
        if isinstance(wait.spin, Spin):
            by_address.setdefault(wait.spin.address, []).append(wait)
    for address, waiting in by_address.items():
        word, place = state.space.memory.word(address), places.find(address)
        numbers = frozenset(wait.number for wait in waiting)
        holders = tuple(iter_holders(state, place, address, threads, numbers))
        decoded = word if isinstance(word, Absence) else lock_word(word)
        alone = isinstance(decoded, LockWord) and not decoded.free and not holders
        orphaned = alone and not _others_run(state, {wait.lwp for wait in waiting})
        yield Lock(address, place, decoded, tuple(waiting), holders, orphaned)


def _others_run(state: State, lwps: set[int]) -> bool:
    """Whether a thread that is not one of ``lwps`` does anything."""
    from forensics.haproxy.occupation import IDLE, occupation_of

    others = [stack for stack in state.stacks if stack.lwp not in lwps]
    return any(occupation_of([frame.function for frame in stack.frames]).rank != IDLE for stack in others)


def _isolation(state: State, threads: Sequence[Thread]) -> Isolation:
    numbers = state.numbers
    wanting = {numbers.get(stack.lwp, stack.number): isolating(stack) for stack in state.stacks}
    alone = tuple(sorted(number for number, what in wanting.items() if what == "isolating"))
    known = [one for one in threads if isinstance(one.harmless, int)]
    harmful: tuple[int, ...] | Absence = tuple(one.number for one in known if not one.harmless)
    if alone and not known:
        harmful = Absence("threads that are not harmless", "the build does not tell", "the debug symbols of this build")
    isolated = next((one.number for one in threads if one.isolated == 1), 0)
    back = tuple(sorted(number for number, what in wanting.items() if what == "held back"))
    if isinstance(harmful, tuple):
        harmful = tuple(one for one in harmful if alone and one not in alone)
    return Isolation(isolated, alone, back, harmful)


def _edges(locks: Sequence[Lock], isolation: Isolation) -> Iterator[Edge]:
    for lock in locks:
        for wait in lock.waits:
            for holder in lock.holders:
                yield Edge(wait.number, holder.number, lock.name, holder.certain)
    for waiter in isolation.isolating:
        for number in isolation.harmful or ():
            yield Edge(waiter, number, "all threads to become harmless (thread_isolate)", True)
    for waiter in isolation.held_back:
        if isolation.isolated:
            yield Edge(waiter, isolation.isolated, "the end of the isolation", True)


def cycles_of(edges: Iterable[Edge]) -> Iterator[tuple[Edge, ...]]:
    """Circles of waits, each once: it begins with its lowest thread."""
    onward: dict[int, list[Edge]] = {}
    for edge in edges:
        onward.setdefault(edge.waiter, []).append(edge)
    found = 0
    for start in sorted(onward):
        path = _way_back(start, onward)
        if path:
            yield path
            found += 1
        if found >= _MOST_CYCLES:
            return


def _way_back(start: int, onward: Mapping[int, list[Edge]]) -> tuple[Edge, ...]:
    """The shortest way from ``start`` to itself over higher threads, () where there is none."""
    ways: list[tuple[Edge, ...]] = [(edge,) for edge in onward.get(start, ())]
    seen = {start}
    for way in ways:  # grows while it is walked: breadth first
        last = way[-1].holder
        if last == start:
            return way
        if last > start and last not in seen:
            seen.add(last)
            ways += [(*way, edge) for edge in onward.get(last, ())]
    return ()
