"""Stripped executables: no frame lacks a name that gdb gives it, and none has a wrong one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from samples.lab import builds, loaded
from tests.oracles.gdb import GDB
from tests.oracles.stripped import STRIP, compare, strip
from tests.unwind.test_gdb_oracle import LAB, skip_unless_it_runs

pytestmark = pytest.mark.skipif(not GDB, reason="gdb is not installed")

#: Builds that have names to lose.
TWINS = (*builds.BUILDS, *builds.WHEELS)


@pytest.mark.parametrize("name", TWINS)
def test_stripped_backtraces_lack_no_name_that_gdb_has_and_none_is_wrong(tmp_path: Path, name: str) -> None:
    """A core of the stripped executable; the truth comes from the twin that it was made from."""
    subject = builds.runnable(LAB, name)
    if not subject.executable.is_file():
        pytest.skip(f"not made: `python -m samples.lab.builds {name}` makes it")
    skip_unless_it_runs(subject)
    if not STRIP[subject.guest]:
        pytest.skip("strip (binutils) for the executable's machine is not installed")
    copy = strip(subject.executable, tmp_path / "stripped", arm64=subject.guest)
    (tmp_path / "run").mkdir()
    core = loaded.crash_at_work(replace(subject, executable=copy), "panic", tmp_path / "run", 8)
    found = compare(core, copy, subject.executable, subject.root)
    assert found.wrong == []
    assert found.frames > 40
    assert found.missed == []
    assert found.ours >= found.theirs
    if name.startswith("haproxy-3"):  # older ones have few assertions that tell where code without a name comes from
        assert found.ours + found.hints > found.theirs
