"""The dead process as readers of its state take it: its memory by HAProxy's types, and its stacks when asked for."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from forensics.absence import Absence
from forensics.haproxy.release import Release, find_release
from forensics.haproxy.structs import NO_SYMBOLS, TypedMemory
from forensics.symbols.layout import OF_THIS_BUILD
from forensics.unwind.backtrace import Process, backtraces
from forensics.unwind.frame import ThreadStack

if TYPE_CHECKING:
    from forensics.haproxy.locks.awaited import Locks
    from forensics.haproxy.threads import Thread


class State:
    """One process. ``stacks`` are unwound when first asked for, unless they were given."""

    def __init__(self, process: Process, stacks: tuple[ThreadStack, ...] | None = None) -> None:
        self.process = process
        self.space = TypedMemory(process)
        self._stacks = stacks

    @property
    def path(self) -> str:
        """The core's path, as sources name it."""
        return self.process.core.path

    @property
    def stacks(self) -> tuple[ThreadStack, ...]:
        """The stacks of all threads, the one that died first."""
        if self._stacks is None:
            self._stacks = backtraces(self.process)
        return self._stacks

    @cached_property
    def threads(self) -> tuple[Thread, ...]:
        """HAProxy's threads in their order."""
        from forensics.haproxy.threads import read_threads

        return tuple(read_threads(self.space))

    @cached_property
    def numbers(self) -> dict[int, int]:
        """HAProxy's numbers of its threads, from 1 as its dumps write them, by LWP."""
        return {thread.lwp: thread.number for thread in self.threads if thread.lwp}

    @cached_property
    def locks(self) -> Locks:
        """The locks that threads wait for."""
        from forensics.haproxy.locks.awaited import read_locks

        return read_locks(self)

    @cached_property
    def release(self) -> Release | Absence:
        """Which HAProxy it was."""
        return find_release(self.process)

    def assumptions(self) -> tuple[Absence, ...]:
        """What was taken for true so far without this build's own word: asked after reading."""
        found = []
        fit = self.space.fit if self.space.trust != OF_THIS_BUILD else None
        if fit:
            reason = f"{fit.layouts.source}, {len(fit.proven)} of them checked in memory, stands for this build's own"
            found.append(Absence("layouts of structures", reason, NO_SYMBOLS))
        if self.space.rooted:
            places = ", ".join(f"{name} ({root.source})" for name, root in sorted(self.space.rooted.items()))
            reason = f"the symbol tables do not list them, HAProxy's own record leads to them: {places}"
            found.append(Absence("variables", reason, NO_SYMBOLS))
        return tuple(found)
