"""One process that is given core after core of one build: what each further one costs."""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from unittest import mock

from benchmarks.tables import table
from forensics.api import Options, open_core
from forensics.symbols.find import Places
from samples.lab.haproxy import LabError, crash

#: Cores that one process is given after the first.
FURTHER = 20


def further_cores(executable: Path, scratch: Path) -> list[str]:
    """Milliseconds of CPU for all backtraces of one core, ours and gdb's."""
    rows = []
    for threads in (4, 64):
        try:
            left = crash(executable, "debug dev bug", Path(tempfile.mkdtemp(dir=scratch)), threads=threads)
        except LabError:
            continue
        if left.core is not None:
            mine, frames = ours(left.core, executable, scratch)
            other = gdb(left.core, executable)
            rows.append(
                (f"{threads} threads, {frames} frames", f"{mine:.2f}", f"{other:.1f}", f"{mine / other:.3f}")
                if other
                else (f"{threads} threads, {frames} frames", f"{mine:.2f}", "", "")
            )
    return table(("core", "ours, ms of CPU", "gdb's", "ratio"), rows)


def ours(core: Path, executable: Path, scratch: Path) -> tuple[float, int]:
    """The median of the further ones, and how many frames there are."""
    options = Options(Places(executable=str(executable)))
    times, frames = [], 0
    with mock.patch.dict(os.environ, {"HAPROXY_FORENSICS_CACHE": str(scratch / "further")}):
        for _one in range(FURTHER + 2):
            begin = time.process_time()
            process, stacks = open_core(str(core), options)
            process.save()
            times.append(time.process_time() - begin)
            frames = sum(len(stack.frames) for stack in stacks)
    return statistics.median(times[2:]) * 1000, frames


def gdb(core: Path, executable: Path) -> float:
    """One gdb that opens the core again and again; 0 where there is none."""
    program = shutil.which("gdb")
    if program is None:
        return 0.0
    question = ("-ex", f"core-file {core}", "-ex", "thread apply all bt")
    used = []
    for count in (1, FURTHER + 1):
        before = _children()
        command = (program, "-nx", "-batch", str(executable), *question * count)
        subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        used.append(_children() - before)
    return (used[1] - used[0]) / FURTHER * 1000


def _children() -> float:
    """CPU seconds of all processes that ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
