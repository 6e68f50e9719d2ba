"""Arguments and locals are those of gdb's `bt full`."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.oracles.gdb import GDB, MULTIARCH
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
    assert found.other_frames == []
    assert found.differences == []
    assert found.different_aggregates == []
    assert found.equal >= scalars
    assert found.aggregates >= aggregates


def _lab_cores() -> dict[str, tuple[Path, Path]]:
    """Cores with executables that have DWARF: two threads of every build, in two ways to die."""
    found = {}
    built, core = LAB / "builds/requeue-race-2.9.6/haproxy", LAB / "cores/requeue-race-2.9.6/core"
    if built.exists() and core.exists():
        found["requeue-race-2.9.6"] = (core, built)
    patterns = ["*-x86_64-2-*", *(["*-static-aarch64-2-*"] if MULTIARCH else [])]
    for named in sorted(path for one in patterns for path in LAB.glob(f"cores/{one}/executable")):
        executable, core = Path(named.read_text().strip()), named.parent / "haproxy.core"
        if named.parent.name.endswith(("-bug", "-loop")) and executable.exists() and core.exists():
            found[named.parent.name] = (core, executable)
    return {name: pair for name, pair in found.items() if "-package-" not in name}


CORES = _lab_cores()


@pytest.mark.skipif(not CORES, reason="no build with its core in .lab: `python -m samples.lab all` makes them")
@pytest.mark.parametrize("name", CORES or [""])
def test_scalars_of_real_cores_of_haproxy_are_those_of_gdb(name: str) -> None:
    """All numbers and pointers; gdb also shows statics of blocks that are not in scope (`__dbg_cnt_*`).

    gdb errs where an argument of an inlined call is what its physical function was entered with: in one
    core it shows `connect_server (s=0x0)` between callers and callees that have the right `s`.
    """
    found = compare(*CORES[name])
    assert found.differences == []
    assert found.equal >= 5
    assert [line for line in found.different_aggregates if "__dbg_cnt_" not in line] == []
