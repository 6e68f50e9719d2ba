"""Worker processes over a stream of inputs.

One thread, one loop: it hands out paths, looks ahead for more while all are busy, takes
in answers, and ends whoever is late. A worker that dies takes one input with it, which is
reported; another takes its place.
"""

from __future__ import annotations

import selectors
from collections import deque
from collections.abc import Generator, Iterable, Iterator

from forensics.batch.process import WorkerProcess
from forensics.batch.result import Input, ScanResult, Work
from forensics.errors import ForensicsError

#: Inputs that are found ahead of the workers.
AHEAD = 1000

#: So many workers in a row that die before their first input: something is wrong with all of them.
_HOPELESS = 3

#: Seconds after which the loop looks around at the latest.
_PATIENCE = 1.0


def run(work: Work, inputs: Iterable[Input | ScanResult], jobs: int) -> Generator[ScanResult, None, None]:
    """What became of each input, in the order of completion; results among the inputs are passed on.

    An input that tells of several incidents has a result for each.

    However it ends (all done, an exception, a consumer that has seen enough), no worker
    is left. Raises ForensicsError when workers cannot work at all.
    """
    pool = _Pool(work, iter(inputs), jobs)
    try:
        yield from pool.results()
    finally:
        pool.close()


class _Pool:
    def __init__(self, work: Work, inputs: Iterator[Input | ScanResult], jobs: int) -> None:
        self._work = work
        self._inputs: Iterator[Input | ScanResult] | None = inputs
        self._jobs = jobs
        self._queue: deque[Input] = deque()
        self._passed: deque[ScanResult] = deque()
        self._crew: set[WorkerProcess] = set()
        self._selector = selectors.DefaultSelector()
        self._failed_starts = 0

    def results(self) -> Iterator[ScanResult]:
        """All results."""
        while True:
            self._look_ahead()
            while self._passed:
                yield self._passed.popleft()
            self._hand_out()
            if self._inputs is None and not self._queue and not any(one.path for one in self._crew):
                return
            yield from self._take_in()

    def close(self) -> None:
        """End every worker."""
        for one in list(self._crew):
            self._dismiss(one)
        self._selector.close()

    def _look_ahead(self) -> None:
        """Find inputs as long as no worker has anything to say; at least one where somebody waits for it."""
        while self._inputs is not None and len(self._queue) + len(self._passed) < AHEAD:
            found = next(self._inputs, None)
            if found is None:
                self._inputs = None
            elif isinstance(found, ScanResult):
                self._passed.append(found)
            else:
                self._queue.append(found)
            if self._has_work_for_idle() or (self._crew and self._selector.select(0)):
                return

    def _has_work_for_idle(self) -> bool:
        """Whether a path can be handed out now, to a worker that waits or to a new one."""
        free = len(self._crew) < self._jobs or any(one.idle for one in self._crew)
        return bool(self._queue) and free

    def _hand_out(self) -> None:
        idle = [one for one in self._crew if one.idle]
        while self._queue and idle:
            wanted, one = self._queue.popleft(), idle.pop()
            if not one.give(wanted):
                # It died while it had nothing to do: the input is not to blame.
                self._queue.appendleft(wanted)
                self._dismiss(one)
        starting = sum(not one.ready for one in self._crew)
        for _ in range(min(self._jobs - len(self._crew), len(self._queue) - starting)):
            self._hire()

    def _hire(self) -> None:
        try:
            one = WorkerProcess(self._work)
        except OSError as error:
            if self._crew:
                self._jobs = len(self._crew)  # the system gives no more: go on with those that are there
                return
            raise ForensicsError(f"cannot start a worker process: {error.strerror}", "try fewer `--jobs`") from error
        self._crew.add(one)
        for pipe in one.pipes:
            self._selector.register(pipe, selectors.EVENT_READ, one)

    def _dismiss(self, one: WorkerProcess) -> None:
        """End a worker that has nothing more to say."""
        self._release(one)
        one.end()

    def _release(self, one: WorkerProcess) -> None:
        for pipe in one.pipes:
            self._selector.unregister(pipe)
        self._crew.discard(one)

    def _take_in(self) -> Iterator[ScanResult]:
        ready = self._selector.select(max(0.0, min([_PATIENCE, *(one.left for one in self._crew)])))
        for one in {key.data for key, _events in ready}:
            yield from self._hear(one)
        for one in [each for each in self._crew if each.left <= 0]:
            self._release(one)
            if one.ready:
                yield one.overdue()
            else:
                self._start_failed(one)

    def _hear(self, one: WorkerProcess) -> Iterator[ScanResult]:
        started = one.ready
        try:
            answer = one.receive()
        except EOFError:
            yield from self._bury(one)
            return
        if answer is None:
            return
        if not started:
            self._failed_starts = 0
        elif "stop" in answer:
            raise ForensicsError(answer["stop"], answer["hint"])
        else:
            yield from one.finished(answer)

    def _bury(self, one: WorkerProcess) -> Iterator[ScanResult]:
        self._release(one)
        if not one.ready:
            self._start_failed(one)
        elif one.path:
            yield one.dead()
        else:
            one.end()

    def _start_failed(self, one: WorkerProcess) -> None:
        error, _hint = one.last_words()
        one.end()
        self._failed_starts += 1
        if self._failed_starts >= _HOPELESS:
            raise ForensicsError(f"no worker process can be started: {error}", "allow more with `--memory`")
