"""The cores that are compared on: of the lab where it has been run, else of the machine's own HAProxy."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from samples.lab.haproxy import PACKAGED, LabError, crash

CHECKOUT = Path(__file__).resolve().parents[1]
LAB = CHECKOUT / ".lab"


@dataclass(frozen=True, slots=True)
class Subject:
    """A core with its executable, which has ``symbols``: "exported names only" or "DWARF"."""

    name: str
    symbols: str
    core: Path
    executable: Path


def find_subjects(directory: Path) -> list[Subject]:
    """Cores of a stripped package, with few and with many threads, and one with DWARF if ``make samples`` made it."""
    return [*stripped(directory, 2), *with_dwarf(), *stripped(directory, 6)]


def stripped(directory: Path, threads: int) -> list[Subject]:
    """The machine's HAProxy, crashed now."""
    if not PACKAGED.exists():
        return []
    try:
        left = crash(PACKAGED, "debug dev bug", Path(tempfile.mkdtemp(dir=directory)), threads=threads)
    except LabError:
        return []
    if left.core is None:
        return []
    return [Subject(f"HAProxy of the distribution, {threads} threads", "exported names only", left.core, PACKAGED)]


def with_dwarf(lab: Path = LAB) -> list[Subject]:
    """The lab's own build."""
    name = "requeue-race-2.9.6"
    core, executable = lab / "cores" / name / "core", lab / "builds" / name / "haproxy"
    if not (core.exists() and executable.exists()):
        return []
    return [Subject(f"HAProxy built with -g ({name}), 2 threads", "DWARF", core, executable)]
