"""A HAProxy that lives: it is asked through its CLI, and a core of it is taken while it goes on.

What a live process answers and what its core answers must agree: that is how reading of state is tested.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from samples.lab.haproxy import OPEN_FILES, HAProxy, LabError, work_folder
from samples.lab.loaded import Runnable

#: Seconds that gdb may take to write a core of a small HAProxy: usually one.
_GDB = 60


@dataclass
class Living:
    """A running HAProxy, what it answered last, and the core that was taken right after."""

    running: HAProxy
    executable: Path
    root: Path | None = None
    answers: dict[str, str] = field(default_factory=dict)

    def ask(self, command: str) -> str:
        """What the CLI answers to one line."""
        return self.running.cli(command)

    def take(self, core: Path, commands: Sequence[str] = ()) -> Path:
        """Ask each of ``commands`` (see ``answers``), then write a core to ``core``; the process goes on."""
        self.answers = {command: self.ask(command) for command in commands}
        return write_core(self.running.pid, core)


def write_core(pid: int, core: Path) -> Path:
    """A core of a living process, by gdb, which stops it for a second."""
    done = subprocess.run(
        ["gdb", "--batch", "-nx", "-p", str(pid), "-ex", f"generate-core-file {core}", "-ex", "detach"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_GDB, check=False,
    )  # fmt: skip
    if not core.is_file():
        raise LabError(f"gdb wrote no core of {pid}: {done.stdout[-500:]} {done.stderr[-1500:]}")
    return core


@contextmanager
def living(subject: Runnable, config: str, name: str, *, files: int = 0) -> Iterator[Living]:
    """A running HAProxy of the lab (not under qemu) with this configuration, which needs `stats socket unix@cli`.

    ``name`` is that of its folder; ``files`` the descriptors that it may open.
    """
    if subject.guest:
        raise LabError("a process below qemu cannot be asked for a core")
    executable, arguments = subject.command()
    folder = work_folder(name, subject.jail)
    options = {"sysroot": subject.jail, "arguments": arguments, "open_files": files or 4 * OPEN_FILES}
    with HAProxy(executable, config, folder, **options) as running:  # type: ignore[arg-type]  # by name
        yield Living(running, subject.executable, subject.root)
