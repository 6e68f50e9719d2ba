"""The batch scan: many inputs, each analysed on its own."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field

from forensics.api import Options
from forensics.batch.inputs import Ignored, find_inputs
from forensics.batch.pool import run
from forensics.batch.result import Input, ScanResult, Work, options_to_json

#: What a worker does with an input: by name, so that the work is plain data.
ANALYSE = "forensics.batch.worker:analyse"

_DEFAULTS = Options()


@dataclass(slots=True)
class Tally:
    """How far a scan is: inputs ``found`` so far, whether these are ``all`` of them, and what was passed over."""

    found: int = 0
    all: bool = False
    ignored: Ignored = field(default_factory=Ignored)

    @property
    def total(self) -> int | None:
        """The number of inputs, None as long as more may come."""
        return self.found if self.all else None


def scan(
    paths: Sequence[str],
    options: Options = _DEFAULTS,
    jobs: int | None = None,
    timeout: float = 120.0,
    memory: int = 2048,
    tally: Tally | None = None,
) -> Generator[ScanResult, None, None]:
    """What became of each input below ``paths``, as they are done.

    ``jobs`` worker processes (as many as there are processors), each with ``memory`` MiB
    of address space; ``timeout`` seconds for a file; ``tally`` is kept while it goes on.
    No process is left when the iterator ends or is closed. Raises ForensicsError when
    nothing can be analysed at all: broken signatures, no processes.
    """
    work = Work(ANALYSE, options_to_json(options), timeout, memory)
    return run(work, _counted(paths, tally or Tally()), jobs or os.cpu_count() or 1)


def _counted(paths: Sequence[str], tally: Tally) -> Iterator[Input | ScanResult]:
    for found in find_inputs(paths, tally.ignored):
        tally.found += 1
        yield found
    tally.all = True
