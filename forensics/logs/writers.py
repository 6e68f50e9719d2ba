"""Records sorted by who wrote them, so that what several processes write at one time does not mix."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Protocol

from forensics.logs.addresses import AddressRecogniser, MappingRecogniser
from forensics.logs.bug import BugRecogniser
from forensics.logs.container import ContainerRecogniser
from forensics.logs.coredump import CoredumpRecogniser
from forensics.logs.gdb import BacktraceRecogniser
from forensics.logs.happenings.lifecycle import LifecycleRecogniser
from forensics.logs.kernel import KernelRecogniser
from forensics.logs.limits import Kept
from forensics.logs.line import Record
from forensics.logs.master import WorkerExitRecogniser
from forensics.logs.mentions import MentionRecogniser
from forensics.logs.out_of_memory import OutOfMemoryRecogniser
from forensics.logs.panic import PanicRecogniser
from forensics.logs.places import PlaceRecogniser
from forensics.logs.process_lines import ProcessRecogniser
from forensics.logs.systemd import SystemdRecogniser

#: Writers whose reports are open at one time; the one that was silent for longest goes first.
MAX_WRITERS = 64

_Source = tuple[str | None, str | None, int | None]
_NOBODY: _Source = (None, None, None)


class _Recogniser(Protocol):
    """One shape of evidence, as it is written by one process."""

    found: Any

    def feed(self, record: Record) -> None:
        """Read one record."""

    def close(self) -> None:
        """End what is open."""


_RECOGNISERS: dict[str, type[_Recogniser]] = {
    "bug_reports": BugRecogniser,
    "panics": PanicRecogniser,
    "exits": WorkerExitRecogniser,
    "kernel_faults": KernelRecogniser,
    "systemd_exits": SystemdRecogniser,
    "out_of_memory": OutOfMemoryRecogniser,
    "coredumps": CoredumpRecogniser,
    "backtraces": BacktraceRecogniser,
    "mentions": MentionRecogniser,
    "happenings": LifecycleRecogniser,
    "places": PlaceRecogniser,
    "process_lines": ProcessRecogniser,
    "container_exits": ContainerRecogniser,
    "address_lists": AddressRecogniser,
    "mappings": MappingRecogniser,
}


#: What is no death, however much of it there is.
_NO_DEATHS = ("mentions", "happenings", "places", "process_lines", "container_exits", "address_lists", "mappings")


class Writers:
    """Every writer has recognisers of its own; what all of them found is kept together.

    A line without any tag goes on with what the writer above it said.
    """

    def __init__(self) -> None:
        self._kept: dict[str, Kept[Any]] = {name: Kept() for name in _RECOGNISERS}
        self._of: OrderedDict[_Source, tuple[_Recogniser, ...]] = OrderedDict()
        self._last: _Source = _NOBODY
        self._current: tuple[_Recogniser, ...] = ()

    def feed(self, record: Record) -> None:
        """Read one record."""
        source = record.source
        if source not in (_NOBODY, self._last) or not self._current:
            self._turn_to(source)
        for recogniser in self._current:
            recogniser.feed(record)

    def close(self) -> None:
        """End what is open."""
        for recognisers in self._of.values():
            for recogniser in recognisers:
                recogniser.close()

    def found(self, name: str) -> tuple[Any, ...]:
        """All evidence of one kind, named as in `LogEvidence`, in the order of lines."""
        return tuple(sorted(self._kept[name], key=lambda one: one.line))

    @property
    def dropped(self) -> int:
        """How many deaths, at the least, were too many to keep."""
        return max(kept.dropped for name, kept in self._kept.items() if name not in _NO_DEATHS)

    @property
    def complete_from(self) -> int:
        """The line from which on all that tells of deaths is kept; 0 where nothing was too much."""
        kept = [one for name, one in self._kept.items() if name not in _NO_DEATHS and one.dropped]
        return max((next(iter(one)).line for one in kept), default=0)

    def _turn_to(self, source: _Source) -> None:
        self._last = source
        if source in self._of:
            self._of.move_to_end(source)
        else:
            self._of[source] = tuple(self._made(name) for name in _RECOGNISERS)
            if len(self._of) > MAX_WRITERS:
                _source, silent = self._of.popitem(last=False)
                for recogniser in silent:
                    recogniser.close()
        self._current = self._of[source]

    def _made(self, name: str) -> _Recogniser:
        made: _Recogniser = _RECOGNISERS[name]()
        made.found = self._kept[name]
        return made
