"""What the process as a whole counts and was configured to: ``struct global`` (global-t.h) and variables beside it."""

from __future__ import annotations

from functools import cached_property

from forensics.absence import Absence
from forensics.haproxy.clock import Clock, read_clock
from forensics.haproxy.freq_ctr import read_rate
from forensics.haproxy.pool import Pools
from forensics.haproxy.structs import Struct, TypedMemory
from forensics.record import record

#: MAX_THREADS is 1,024 at most (3.2 and later).
MOST_THREADS = 1024
#: Longest list of features, in bytes: that of 3.4 has 900.
_LONGEST_FEATURES = 8192


@record
class PoolTotals:
    """Sums over all pools: bytes ``allocated`` and ``used``, and how many allocations ``failed``."""

    allocated: int
    used: int
    failed: int


class GlobalState:
    """The process: each number is read when it is asked for."""

    def __init__(self, space: TypedMemory) -> None:
        self.space = space

    @cached_property
    def settings(self) -> Struct | Absence:
        """``struct global``."""
        return self.space.object("global", "global")

    @cached_property
    def clock(self) -> Clock:
        """The process's dates."""
        return read_clock(self.space)

    @cached_property
    def features(self) -> str | Absence:
        """What the build was made with: ``+OPENSSL -ZLIB ...`` (``build_features``: 2.6 has it, 2.2 does not)."""
        target = self.space.word("build_features")
        return target if isinstance(target, Absence) else self.space.text(target, _LONGEST_FEATURES)

    @cached_property
    def threads(self) -> int | Absence:
        """The number of threads that the process had."""
        found = self.member("nbthread")
        if isinstance(found, int) and not 0 < found <= MOST_THREADS:
            return Absence("global.nbthread", f"{found} threads cannot be")
        return found

    def has_feature(self, name: str) -> bool:
        """Whether the build was made with it; what is not known counts as so."""
        return not isinstance(self.features, str) or f"+{name}" in self.features.split()

    def has_variable(self, *names: str) -> bool:
        """Whether the build has one of the variables, as far as its symbols tell; without symbols it may have all."""
        if isinstance(self.space.extent("start_date"), Absence):
            return True
        return any(not isinstance(self.space.extent(name), Absence) for name in names)

    def has_member(self, path: str) -> bool:
        """Whether ``struct global`` has the member; where its layout is not known it may have all."""
        return self.settings.has(path) if isinstance(self.settings, Struct) else True

    def member(self, *paths: str) -> int | Absence:
        """A number of ``struct global``: the first of the members that this build has."""
        if isinstance(self.settings, Absence):
            return self.settings
        return self.settings.any_number(*paths)

    def text(self, path: str) -> str | Absence:
        """A string of ``struct global``."""
        return self.settings if isinstance(self.settings, Absence) else self.settings.text(path)

    def variable(self, *names: str) -> int | Absence:
        """The first of these global variables, unsigned, of the size that its symbol has."""
        found: int | Absence = Absence("variable", "none was asked for")
        for name in names:
            extent = self.space.extent(name)
            found = extent if isinstance(extent, Absence) else self.space.number(name, min(extent[1] or 4, 8))
            if not isinstance(found, Absence):
                return found
        return found

    def rate(self, *paths: str) -> int | Absence:
        """Events per second of a counter in ``struct global``."""
        if isinstance(self.settings, Absence):
            return self.settings
        path = self.settings.first(*paths)
        return path if isinstance(path, Absence) else read_rate(self.settings.inner(path), self.clock.now)

    @cached_property
    def contexts(self) -> tuple[Struct, ...] | Absence:
        """What each thread's scheduler holds: ``ha_thread_ctx[]`` since 2.5, ``task_per_thread[]`` before."""
        found: tuple[Struct, ...] | Absence = Absence("contexts of threads", "the build has none that is known")
        for variable, struct in (("ha_thread_ctx", "thread_ctx"), ("task_per_thread", "task_per_thread")):
            found = self.per_thread(variable, struct)
            if not isinstance(found, Absence):
                return found
        return found

    def per_thread(self, variable: str, struct: str) -> tuple[Struct, ...] | Absence:
        """The elements of an array of one ``struct`` for each thread."""
        if isinstance(self.threads, Absence):
            return self.threads
        for needed in (self.space.extent(variable), self.space.layout(struct)):
            if isinstance(needed, Absence):
                return needed
        found = tuple(self.space.array(variable, struct, self.threads))
        if len(found) < self.threads:
            return Absence(variable, f"the core holds {len(found)} of {self.threads} elements", "a complete core")
        return found

    def has_context(self, member: str) -> bool:
        """Whether threads' contexts have the member; where they are not known they may have all."""
        return all(one.has(member) for one in self.contexts) if not isinstance(self.contexts, Absence) else True

    def of_threads(self, member: str) -> tuple[int, ...] | Absence:
        """A number of each thread's context."""
        if isinstance(self.contexts, Absence):
            return self.contexts
        return numbers_of(self.contexts, member)

    def sum_of_threads(self, member: str) -> int | Absence:
        """A number summed over all threads."""
        found = self.of_threads(member)
        return found if isinstance(found, Absence) else sum(found)

    def rate_of_threads(self, member: str) -> int | Absence:
        """Events per second of a counter that each thread has, summed."""
        if isinstance(self.contexts, Absence):
            return self.contexts
        total = 0
        for one in self.contexts:
            found = read_rate(one.inner(member), self.clock.now)
            if isinstance(found, Absence):
                return found
            total += found
        return total

    @cached_property
    def pools(self) -> PoolTotals | Absence:
        """Sums over the pools (list ``pools`` of struct pool_head, pool-t.h)."""
        pools = Pools(self.space)
        if isinstance(pools.pools, Absence):
            return pools.pools
        if (broken := pools.walk.broken) is not None:
            return Absence("pools", f"the list is broken at {broken.address:#x}: {broken.reason}")
        usage = [(one.size, pools.usage(one)) for one in pools.pools]
        return PoolTotals(
            sum(size * one.allocated for size, one in usage),
            sum(size * one.used for size, one in usage),
            sum(one.failed for _size, one in usage),
        )


def numbers_of(structs: tuple[Struct, ...], member: str) -> tuple[int, ...] | Absence:
    """One number of each structure."""
    found = []
    for one in structs:
        number = one.number(member)
        if isinstance(number, Absence):
            return number
        found.append(number)
    return tuple(found)
