"""Arguments and locals are those of gdb's `bt full`."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.oracles.gdb import GDB
from tests.oracles.gdb_variables import compare
from tests.oracles.programs import COMPILER, compile_c, core_of

pytestmark = pytest.mark.skipif(not GDB, reason="gdb is not installed")

ROOT = Path(__file__).parents[2]
LAB = ROOT / ".lab"
SOURCE = ROOT / "tests" / "oracles" / "variables.c"

#: Flags, and how many scalars and aggregates gdb gives at least: a comparison of nothing proves nothing.
FLAGS = {
    "O0": (("-g", "-O0"), 25, 6),
    "O1": (("-g", "-O1"), 10, 1),
    "O2": (("-g", "-O2"), 10, 1),
    "O2, DWARF 4": (("-g", "-gdwarf-4", "-O2"), 10, 1),
    "O2, split": (("-g", "-O2", "-gsplit-dwarf"), 10, 1),
    "O2, split DWARF 4": (("-g", "-O2", "-gsplit-dwarf", "-gdwarf-4"), 10, 1),
    "O2, 64-bit DWARF": (("-g", "-O2", "-gdwarf64"), 10, 1),
    "O1, type units": (("-g", "-O1", "-fdebug-types-section"), 10, 1),
    "O2, link-time optimisation": (("-g", "-O2", "-flto"), 10, 1),
    "O0, DWARF 3": (("-g", "-gdwarf-3", "-gstrict-dwarf", "-O0"), 25, 6),
    "O2, frame pointers, not PIE": (("-g", "-O2", "-fno-omit-frame-pointer", "-no-pie"), 10, 1),
}


@pytest.mark.skipif(not COMPILER, reason="no C compiler")
@pytest.mark.parametrize("name", FLAGS)
def test_variables_of_a_program_are_those_of_gdb(name: str, tmp_path: Path) -> None:
    flags, scalars, aggregates = FLAGS[name]
    try:
        executable = compile_c(tmp_path, "variables", SOURCE.read_text(), *flags)
    except subprocess.CalledProcessError:
        pytest.skip(f"the compiler does not know {' '.join(flags)}")
    core = core_of(executable, tmp_path / "core")
    if core is None:
        pytest.skip("no core could be made")
    found = compare(core, executable)
    assert found.differences == []
    assert found.different_aggregates == []
    assert found.equal >= scalars
    assert found.aggregates >= aggregates


lab_builds = sorted(
    path.parent.name for path in LAB.glob("builds/*/haproxy") if (LAB / "cores" / path.parent.name / "core").exists()
)


@pytest.mark.skipif(not lab_builds, reason="no build with its core in .lab: `python -m samples.lab all` makes them")
@pytest.mark.parametrize("name", lab_builds or [""])
def test_scalars_of_real_cores_of_haproxy_are_those_of_gdb(name: str) -> None:
    """All numbers and pointers; gdb also shows statics of blocks that are not in scope (`__dbg_cnt_*`)."""
    found = compare(LAB / "cores" / name / "core", LAB / "builds" / name / "haproxy")
    assert found.differences == []
    assert found.equal >= 20
    assert [line for line in found.different_aggregates if "__dbg_cnt_" not in line] == []
