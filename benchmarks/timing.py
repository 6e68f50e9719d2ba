"""Whole processes, timed: wall clock, peak memory, bytes read, in alternating order."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

TIMEOUT = 120.0


class BenchmarkError(RuntimeError):
    """A process that is compared did not do its work."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """A command under a name; ``prepare`` gives each run its environment (a cold cache, say)."""

    name: str
    command: tuple[str, ...]
    prepare: Callable[[], Mapping[str, str]] = dict
    accepted: frozenset[int] = frozenset({0})


@dataclass(frozen=True, slots=True)
class Run:
    """One run: seconds, peak resident bytes, bytes that read calls asked the kernel for."""

    seconds: float
    peak: int
    read: int
    output: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Result:
    """The runs of one contestant."""

    name: str
    runs: tuple[Run, ...]

    @property
    def seconds(self) -> float:
        """Median of the wall clock."""
        return statistics.median(run.seconds for run in self.runs)

    @property
    def peak(self) -> int:
        """The largest peak."""
        return max(run.peak for run in self.runs)

    @property
    def read(self) -> int:
        """Median of the bytes read."""
        return int(statistics.median(run.read for run in self.runs))


def run_once(contestant: Contestant) -> Run:
    """Start it with its text into a pipe, wait for its end.

    The peak of a child is never below that of this process, which it was forked from: some 15 MB.
    """
    environment = {**os.environ, "DEBUGINFOD_URLS": "", "LC_ALL": "C.UTF-8", **contestant.prepare()}
    begin = time.perf_counter()
    with subprocess.Popen(
        contestant.command,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment,
    ) as child:  # fmt: skip
        assert child.stdout is not None
        output = child.stdout.read()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # ended, but still there to be asked
        seconds = time.perf_counter() - begin
        read = bytes_read(child.pid)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in contestant.accepted:
        raise BenchmarkError(f"`{' '.join(contestant.command)}` ended with status {child.returncode}")
    return Run(seconds, usage.ru_maxrss * 1024, read, output)


def bytes_read(pid: int) -> int:
    """What the process got by read calls; pages of mapped files do not count."""
    for line in Path(f"/proc/{pid}/io").read_text(encoding="ascii").splitlines():
        if line.startswith("rchar:"):
            return int(line.split()[1])
    return 0


def compare(contestants: list[Contestant], rounds: int) -> list[Result]:
    """Every contestant ``rounds`` times, in alternating order, after one round that does not count."""
    runs: dict[str, list[Run]] = {contestant.name: [] for contestant in contestants}
    for number in range(-1, rounds):
        for contestant in contestants if number % 2 else reversed(contestants):
            run = run_once(contestant)
            if number >= 0:
                runs[contestant.name].append(run)
    return [Result(name, tuple(each)) for name, each in runs.items()]
