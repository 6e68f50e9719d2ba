"""C programs of our own, compiled and killed where a test wants them."""

from __future__ import annotations

import resource
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from tests.oracles.gdb import GDB

COMPILER = shutil.which("cc")
CLANG = next((path for name in ("clang", "clang-14", "clang-16", "clang-19") if (path := shutil.which(name))), None)
_PATTERN = Path("/proc/sys/kernel/core_pattern")


def compile_c(folder: Path, name: str, source: str, *flags: str, compiler: str | None = COMPILER) -> Path:
    """``source`` as an executable ``name`` in ``folder``; CalledProcessError when a flag is not known."""
    assert compiler
    file = folder / f"{name}.c"
    file.write_text(source)
    # The compiler is given a relative path, as `make` gives it.
    command = [compiler, *flags, "-o", name, file.name, "-lpthread"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=60)
    return folder / name


def compile_files(
    folder: Path, name: str, sources: Iterable[Path], *flags: str, compiler: str | None = COMPILER
) -> Path:
    """Copies of ``sources`` compiled one by one and linked as ``name``, all in ``folder``."""
    assert compiler
    for source in sources:
        shutil.copy(source, folder)
    units = [source.stem for source in sources if source.suffix == ".c"]
    commands = [[compiler, *flags, "-c", f"{unit}.c"] for unit in units]
    commands.append([compiler, *flags, "-o", name, *(f"{unit}.o" for unit in units)])
    for command in commands:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=60)
    return folder / name


def unlimited_core() -> None:
    """Allow cores of any size, as far as this process may."""
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))


def _whole_core() -> None:
    """As ``unlimited_core``, and with all pages, those of files too (bits of coredump_filter, proc(5))."""
    unlimited_core()
    Path("/proc/self/coredump_filter").write_text("0x7f")


def whole_core_of(executable: Path, folder: Path, *arguments: str) -> Path | None:
    """The kernel's core of ``executable`` with the pages of all files, None where it writes none."""
    folder.mkdir(exist_ok=True)
    subprocess.run(
        [executable, *arguments], cwd=folder, preexec_fn=_whole_core, timeout=30, check=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    return next((path for path in folder.glob("*core*") if path.is_file()), None)


def kernel_writes_cores() -> bool:
    """Whether a core lands in the working directory of who died, and is allowed to."""
    try:
        pattern = _PATTERN.read_text().strip()
    except OSError:
        return False
    return not pattern.startswith(("|", "/")) and resource.getrlimit(resource.RLIMIT_CORE)[1] != 0


def core_of(executable: Path, folder: Path, *arguments: str) -> Path | None:
    """Run ``executable`` until it dies and return its core: the kernel's, else one by gdb; None without either."""
    folder.mkdir(exist_ok=True)
    if kernel_writes_cores():
        subprocess.run(
            [executable, *arguments], cwd=folder, preexec_fn=unlimited_core, timeout=30, check=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        cores = sorted(path for path in folder.glob("*core*") if path.is_file())
        return cores[0] if cores else None
    if not GDB:
        return None
    target = folder / "core"
    command = [GDB, "-nx", "-batch", "-ex", "run", "-ex", f"generate-core-file {target}", "-ex", "kill",
               "--args", str(executable), *arguments]  # fmt: skip
    subprocess.run(command, cwd=folder, timeout=60, check=False, capture_output=True, stdin=subprocess.DEVNULL)
    return target if target.exists() else None
