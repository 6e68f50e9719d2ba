"""Whole backtraces of real cores are those of gdb, frame by frame."""

from __future__ import annotations

import importlib
import os
import platform
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from forensics.elf.core import read_core
from forensics.memory.open import open_bytes
from forensics.unwind.frame import Frame
from samples.lab import builds, loaded
from tests.oracles.compare import EU_STACK, agree, differences, our_pcs, pcs_of_eu_stack
from tests.oracles.gdb import GDB, MULTIARCH, GdbFrame
from tests.oracles.programs import COMPILER, compile_c, core_of, kernel_writes_cores

pytestmark = pytest.mark.skipif(not GDB, reason="gdb is not installed")

ROOT = Path(__file__).parents[2]
LAB = ROOT / ".lab"
SOURCE = ROOT / "tests" / "oracles" / "deep.c"
HAPROXY = shutil.which("haproxy")

#: Where the package of a version lies, for cores of packaged builds.
SYSROOTS = {"3.0.11": LAB / "roots" / "trixie", "3.4.7": LAB / "roots" / "experimental"}

#: gdb loses the libraries of a core that is cut short, as the list of them is lost; NT_FILE is not.
lab_cores = sorted(
    path.parent.name for path in LAB.glob("cores/*/core") if not path.parent.name.startswith("truncated")
)
own_libraries = [name for name in lab_cores if name.rsplit("-", 1)[-1] not in SYSROOTS]
NO_LAB = "no raw core in .lab: `python -m samples.lab all` makes them"


def executable_of(name: str) -> tuple[Path, Path | None]:
    """The executable of a core of the lab, and its sysroot."""
    built = LAB / "builds" / name
    for file in (built / "haproxy", built / "foreign"):
        if file.exists():
            return file, None
    root = SYSROOTS.get(name.rsplit("-", 1)[-1])
    return (root / "usr/sbin/haproxy", root) if root else (Path(HAPROXY or "/usr/sbin/haproxy"), None)


@pytest.mark.skipif(not lab_cores, reason=NO_LAB)
@pytest.mark.parametrize("name", lab_cores or [""])
def test_backtraces_of_the_samples_are_those_of_gdb(name: str) -> None:
    """Function, file, line, inlined calls and order, of all threads."""
    executable, sysroot = executable_of(name)
    if not executable.exists():
        pytest.skip(f"the executable of {name} is not there: {executable}")
    assert differences(LAB / "cores" / name / "core", executable, sysroot) == []


#: A build of the lab with DWARF.
BUILT = LAB / "builds/requeue-race-2.9.6/haproxy"


def fresh_core(executable: Path, directory: Path, command: str, threads: int) -> Path:
    """The core of a HAProxy that was just crashed through its CLI."""
    if not kernel_writes_cores():
        pytest.skip("the kernel does not write cores into the working directory (kernel.core_pattern, ulimit -c)")
    lab: ModuleType = importlib.import_module("samples.lab.haproxy")
    open_files = max(256, 32 * threads)
    with lab.HAProxy(executable, lab.config_text(threads), directory, open_files=open_files) as running:
        running.cli(f"expert-mode on; {command}", 1.0)
        running.wait_end(60.0)
    core = running.core()
    assert isinstance(core, Path)
    return core


@pytest.mark.parametrize(
    ("command", "threads"), [("debug dev bug", 2), ("debug dev panic", 8), ("debug dev panic", 64)]
)
def test_backtraces_of_a_fresh_haproxy_core_are_those_of_gdb(tmp_path: Path, command: str, threads: int) -> None:
    """With whatever version and symbols this machine has."""
    if not HAPROXY:
        pytest.skip("haproxy is not installed")
    core = fresh_core(Path(HAPROXY), tmp_path, command, threads)
    assert differences(core, Path(HAPROXY)) == []


@pytest.mark.skipif(not BUILT.is_file(), reason="no HAProxy with DWARF: `python -m samples.lab requeue-race-2.9.6`")
@pytest.mark.parametrize("command", ["debug dev bug", "debug dev panic", "debug dev loop 30000"])
def test_backtraces_of_64_threads_with_dwarf_are_those_of_gdb(tmp_path: Path, command: str) -> None:
    """Function, file, line and inlined calls of every frame of every thread."""
    assert differences(fresh_core(BUILT, tmp_path, command, 64), BUILT) == []


THEIRS = GdbFrame("poll", "src/poll.c", 7, 0x1234, "INLINE")
OURS = Frame(0, 0x1234, "poll", "", 4, "src/poll.c", 7, "/haproxy", True, "cfi", "symbolicated")
OTHERS = (
    replace(THEIRS, function="pool"), replace(THEIRS, file="src/pool.c"), replace(THEIRS, line=8),
    replace(THEIRS, pc=0x1238), replace(THEIRS, kind="NORMAL"),
)  # fmt: skip


@pytest.mark.parametrize("other", OTHERS)
def test_frames_that_differ_in_one_thing_do_not_agree(other: GdbFrame) -> None:
    """The comparison itself is held to its word."""
    assert agree(THEIRS, OURS)
    assert not agree(other, OURS)


#: How each HAProxy dies at work, and with how many threads. Assertions of 2.2 are off unless it is built for debugging,
#: and qemu has no watchdog for more than 32 threads.
WORKLOADS = [("kill", 2), ("bug", 8), ("loop", 16), ("panic", 64)]


@pytest.mark.parametrize(("death", "threads"), WORKLOADS)
@pytest.mark.parametrize("name", builds.NAMES)
def test_backtraces_of_a_haproxy_at_work_are_those_of_gdb(tmp_path: Path, name: str, death: str, threads: int) -> None:
    """Every version and architecture of the lab: every frame of every thread, wherever it stood."""
    if name == "haproxy-2.2" and death == "bug":
        pytest.skip("`debug dev bug` of 2.2 does nothing unless HAProxy is built with DEBUG_STRICT")
    subject = builds.runnable(LAB, name)
    if not subject.executable.is_file():
        pytest.skip(f"not made: `python -m samples.lab.builds {name}` makes it")
    skip_unless_it_runs(subject)
    core = loaded.crash_at_work(subject, death, tmp_path, threads)
    assert differences(core, subject.executable, subject.root) == []


def skip_unless_it_runs(subject: loaded.Runnable) -> None:
    """What an executable of the lab needs of this machine."""
    if subject.guest:
        if not MULTIARCH or not shutil.which(loaded.QEMU):
            pytest.skip(f"gdb-multiarch or {loaded.QEMU} is not installed")
        return
    if platform.machine() != "x86_64":
        pytest.skip("the executable is one for x86-64")
    if not kernel_writes_cores():
        pytest.skip("the kernel does not write cores into the working directory (kernel.core_pattern, ulimit -c)")
    if subject.jail is not None and os.geteuid() != 0:
        pytest.skip("a HAProxy with a root of its own needs root")


#: How the program of eight threads dies.
CRASHES = ["handler", "fault", "libc", "null", "wild", "stack", "trap", "jump", "overflow", "abort"]

#: How it was compiled. Every build is compared by one crash at least.
BUILDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "optimised": (("-g", "-O2"), tuple(CRASHES)),
    "not optimised": (("-g", "-O0"), ("handler", "fault", "wild")),
    "DWARF 4": (("-gdwarf-4", "-O2"), ("handler",)),
    "DWARF 3": (("-gdwarf-3", "-O2"), ("handler",)),
    "DWARF 2": (("-gdwarf-2", "-O1"), ("handler",)),
    "frame pointers": (("-g", "-O2", "-fno-omit-frame-pointer"), ("handler", "wild")),
    "sections and fixed address": (("-g", "-O2", "-ffunction-sections", "-Wl,--gc-sections", "-no-pie"), ("fault",)),
    "link time optimisation": (("-g", "-O3", "-flto=auto"), ("handler",)),
    "compressed": (("-g3", "-O2", "-gz=zlib"), ("handler",)),
    "no debug information": (("-O2",), ("handler", "libc")),
    "stripped": (("-O2", "-s"), ("handler", "trap")),
    "exported only": (("-O2", "-s", "-rdynamic"), ("handler", "trap")),
    "static": (("-g", "-O2", "-static"), ("handler",)),
    "tables of the debugger only": (("-g", "-O2", "-fno-asynchronous-unwind-tables"), ("handler", "libc")),
}


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Executables, made when first asked for, by the name of the build."""
    return {"": tmp_path_factory.mktemp("programs")}


def core_and_program(programs: dict[str, Path], tmp_path: Path, build: str, how: str) -> tuple[Path, Path]:
    """A fresh core of the program."""
    if not COMPILER:
        pytest.skip("no C compiler is installed")
    if build not in programs:
        name = build.replace(" ", "-")
        try:
            programs[build] = compile_c(programs[""], name, SOURCE.read_text(), *BUILDS[build][0])
        except subprocess.CalledProcessError as error:
            pytest.skip(f"the compiler cannot do {BUILDS[build][0]}: {error.stderr.decode()[-300:]}")
    core = core_of(programs[build], tmp_path, how)
    if core is None:
        pytest.skip("no core: the kernel writes none here (kernel.core_pattern, ulimit -c), and gdb cannot either")
    return core, programs[build]


@pytest.mark.parametrize(("build", "how"), [(build, how) for build in BUILDS for how in BUILDS[build][1]])
def test_backtraces_of_a_program_of_ours_are_those_of_gdb(
    programs: dict[str, Path], tmp_path: Path, build: str, how: str
) -> None:
    """Inlining five deep, recursion, tail calls, callbacks of libc, the vdso, locks, alloca, signal handlers."""
    core, program = core_and_program(programs, tmp_path, build, how)
    assert differences(core, program) == []


@pytest.mark.skipif(not EU_STACK, reason="eu-stack is not installed")
@pytest.mark.parametrize("build", ["optimised", "not optimised", "stripped"])
def test_program_counters_are_those_of_elfutils(programs: dict[str, Path], tmp_path: Path, build: str) -> None:
    """A second, independent unwinder; it goes on below main()."""
    core, program = core_and_program(programs, tmp_path, build, "handler")
    theirs = pcs_of_eu_stack(core, program)
    for lwp, ours in our_pcs(core, program).items():
        assert ours == theirs[lwp][: len(ours)]


@pytest.mark.skipif(not EU_STACK, reason="eu-stack is not installed")
@pytest.mark.skipif(not own_libraries, reason=NO_LAB)
@pytest.mark.parametrize("name", own_libraries or [""])
def test_program_counters_of_the_samples_are_those_of_elfutils(name: str) -> None:
    """Those whose libraries are the machine's own: eu-stack knows no sysroot."""
    executable, _sysroot = executable_of(name)
    if not executable.exists():
        pytest.skip(f"the executable of {name} is not there: {executable}")
    core = LAB / "cores" / name / "core"
    theirs = pcs_of_eu_stack(core, executable)
    for lwp, ours in our_pcs(core, executable).items():
        assert ours == theirs[lwp][: len(ours)]


def test_a_core_of_a_living_process_by_gcore_is_read_like_one_of_the_kernel(tmp_path: Path) -> None:
    """It lists no code among its segments; nothing killed the process."""
    if not COMPILER:
        pytest.skip("no C compiler is installed")
    program = compile_c(tmp_path, "deep", SOURCE.read_text(), "-g", "-O2")
    target = tmp_path / "living.core"
    command = [str(GDB), "-nx", "-batch", "-ex", "break crash", "-ex", "run", "-ex", f"generate-core-file {target}",
               "-ex", "kill", "--args", str(program), "abort"]  # fmt: skip
    subprocess.run(command, cwd=tmp_path, timeout=60, check=False, capture_output=True, stdin=subprocess.DEVNULL)
    if not target.exists():
        pytest.skip("gdb cannot run programs here")
    dump = read_core(open_bytes(str(target)))
    assert dump.signal is None
    assert differences(target, program) == []
