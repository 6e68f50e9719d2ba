"""``python -m benchmarks [--rounds N] [--drgn DIR]``: Markdown on stdout."""

from __future__ import annotations

import argparse
import compileall
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import forensics
from benchmarks.contestants import BARE_GDB, COLD, GDB, OURS, cache, contestants_for, find_drgn
from benchmarks.further_cores import further_cores
from benchmarks.long_log import long_log
from benchmarks.machine import machine_line
from benchmarks.million_entries import million_entries
from benchmarks.sparse_core import append_segment
from benchmarks.store import building
from benchmarks.subjects import Subject, find_subjects
from benchmarks.tables import against, memory, table
from benchmarks.timing import BenchmarkError, Contestant, Result, compare, run_once

MIB = 1 << 20
SPARSE = 8 << 30
LEAST_ROUNDS = 7


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmarks; 1 when there is nothing to compare on."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=11, help=f"runs of each command (at least {LEAST_ROUNDS})")
    parser.add_argument("--drgn", type=Path, metavar="DIR", help="a virtual environment with drgn, made if needed")
    options = parser.parse_args(arguments)
    rounds = max(options.rounds, LEAST_ROUNDS)
    drgn = find_drgn(options.drgn)
    compileall.compile_dir(Path(forensics.__file__).parent, quiet=1)  # as an installed package is
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as name:
        scratch = Path(name)
        subjects = find_subjects(scratch)
        if not subjects:
            print("error: no core to compare on\n\nhint: install haproxy, or run `make samples`", file=sys.stderr)
            return 1
        print(f"Medians of {rounds} runs. {machine_line(drgn)}.\n")
        try:
            for lines in sections(subjects, scratch, drgn, rounds):
                print(*lines, "", sep="\n", flush=True)
        except BenchmarkError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
    return 0


def sections(subjects: list[Subject], scratch: Path, drgn: Path | None, rounds: int) -> Iterator[list[str]]:
    """All tables, each as soon as it is measured."""
    for subject in subjects:
        results = compare(contestants_for(subject, scratch, drgn), rounds)
        title = f"{subject.name}; {subject.symbols}; core of {subject.core.stat().st_size / MIB:.0f} MiB"
        yield [f"**{title}**", "", *against(results, (GDB, BARE_GDB))]
        if subject.symbols == "DWARF":
            yield ["**Building the store entry**", "", *building(subject.executable, scratch, rounds)]
            more = further_cores(subject.executable, scratch)
            yield ["**Further cores of a known build, in one process**", "", *more]
    yield ["**The command itself**", "", *floor(rounds)]
    yield ["**A core of 8 GB (a hole for the most part)**", "", *sparse(subjects[0], scratch, drgn)]
    found = long_log(scratch, rounds)
    if found:
        yield ["**An incident at the end of 2 GiB of traffic log**", "", *found]
    entries = million_entries(scratch, rounds)
    if entries:
        yield ["**A stick-table of a million entries**", "", *entries]
    yield ["**Imports of a warm triage** (milliseconds, under -X importtime)", "", *imports(subjects[-1], scratch)]


def floor(rounds: int) -> list[str]:
    """What starting costs, against Python alone."""
    bare, helped = compare(
        [
            Contestant("`python -c pass`", (sys.executable, "-c", "pass")),
            Contestant("`haproxy-forensics --help`", (str(OURS), "--help")),
        ],
        max(rounds, 15),
    )
    return table(
        ("whole process", "seconds", "more than Python", "ratio"),
        ((each.name, *seconds(each, bare)) for each in (bare, helped)),
    )


def seconds(result: Result, bare: Result) -> tuple[str, str, str]:
    """Seconds, and how they compare, as table cells."""
    mine, other = result.seconds, bare.seconds
    return f"{mine:.3f}", f"{mine - other:.3f}", f"{mine / other:.1f}"


def sparse(subject: Subject, scratch: Path, drgn: Path | None) -> list[str]:
    """Memory and bytes read on a huge core. One run each: nothing here depends on the clock."""
    core = scratch / "sparse-core"
    append_segment(subject.core, core, SPARSE)
    huge = Subject("", "", core, subject.executable)
    results = [Result(each.name, (run_once(each),)) for each in contestants_for(huge, scratch, drgn)]
    rows = ((result.name, f"{result.seconds:.3f}", *memory(result)) for result in results if result.name != COLD)
    lines = table(("whole process", "seconds", "peak memory", "read"), rows)
    core.unlink()
    return lines


def imports(subject: Subject, scratch: Path) -> list[str]:
    """What importing costs: the whole, and the dearest modules."""
    program = "from forensics.cli.main import main; main()"
    triage = ["triage", str(subject.core), "--exe", str(subject.executable)]
    command = [sys.executable, "-X", "importtime", "-c", program, *triage]
    environment = {**os.environ, **cache(scratch / "warm")}
    totals = []
    for _ in range(LEAST_ROUNDS):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        totals.append(dict(own_times(done.stderr)))
    last = sorted(totals[-1].items(), key=lambda item: -item[1])[:8]
    whole = statistics.median(sum(times.values()) for times in totals)
    rows = [("all", f"{whole:.1f}"), *((f"`{name}`", f"{time:.1f}") for name, time in last)]
    return table((f"module (of {len(totals[-1])})", "itself"), rows)


def own_times(text: str) -> Iterator[tuple[str, float]]:
    """Module and milliseconds of each line that -X importtime prints."""
    for found in re.finditer(r"^import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)$", text, re.MULTILINE):
        yield found[2], int(found[1]) / 1000


if __name__ == "__main__":
    sys.exit(main())
