"""A core as the collectors of facts take it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from forensics.absence import Absence
from forensics.evidence.fact import Fact
from forensics.haproxy.counters import Counters, read_counters
from forensics.haproxy.death.cause import Death, decide
from forensics.haproxy.release import Release, find_release
from forensics.haproxy.state import State
from forensics.record import field, record
from forensics.unwind.backtrace import Process
from forensics.unwind.frame import ThreadStack

_NOT_READ = Absence("counters of checks", "they were not read")
#: The stack of a core that holds no thread.
NOBODY = ThreadStack(0, 0, False, (), "the core holds no thread")


@record
class CoreWitness:
    """A core and what was made of it: the input of the collectors.

    ``told`` is for what a collector found out beside its facts: entries of the report's ``state``.
    """

    process: Process
    stacks: tuple[ThreadStack, ...]
    release: Release | Absence
    death: Death
    counters: Counters | Absence = _NOT_READ
    told: dict[str, object] = field(default_factory=dict, compare=False)
    kept: dict[str, State] = field(default_factory=dict, compare=False, repr=False)

    @property
    def state(self) -> State:
        """The process as readers of its state take it; one for all collectors, which keeps what each has read."""
        if not self.kept:
            self.kept["state"] = State(self.process, self.stacks)
        return self.kept["state"]

    @property
    def last_clock(self) -> float | None:
        """The last time of day that the process knew, in seconds of UTC; None where it cannot be read."""
        from forensics.haproxy.clock import read_clock

        clock = read_clock(self.state.space)
        if isinstance(clock.start, Absence) or isinstance(clock.uptime, Absence) or not clock.start:
            return None
        return (clock.start + clock.uptime) / 1e6

    @property
    def path(self) -> str:
        """The core's path, as sources name it."""
        return self.process.core.path

    @property
    def crashed(self) -> ThreadStack:
        """The thread that died; for a living process the first one; one without frames if the core has none."""
        return self.stacks[0] if self.stacks else NOBODY


def examine(process: Process, stacks: tuple[ThreadStack, ...]) -> CoreWitness:
    """Everything about the core that several collectors need."""
    counters = read_counters(process)
    death = decide(process, stacks[0] if stacks else NOBODY, counters, stacks)
    return CoreWitness(process, stacks, find_release(process), death, counters)


#: A collector yields what it found.
Collector = Callable[[CoreWitness], Iterator[Fact | Absence]]
