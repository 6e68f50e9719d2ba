"""gdb as an oracle: its backtraces, parsed frame by frame."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

GDB = shutil.which("gdb")
#: The gdb for cores of other machines than the one that it runs on.
GDB_MULTIARCH = shutil.which("gdb-multiarch")

_THREAD = re.compile(r"^Thread \d+ \((?:Thread 0x[0-9a-f]+ )?\(?LWP (\d+)\)?")
_FRAME = re.compile(
    r"^#(?P<index>\d+)\s+(?:(?P<pc>0x[0-9a-f]+) (?:\[PAC\] )?in )?"
    r"(?P<function><signal handler called>|\?\?|[^\s(]+)(?: \(.*?\))?(?: at (?P<file>\S+):(?P<line>\d+)| from \S+)?$"
)


@dataclass(frozen=True, slots=True)
class GdbFrame:
    """One frame as gdb prints it; ``pc`` is 0 where gdb prints none."""

    function: str
    file: str
    line: int
    pc: int


def backtraces(
    core: Path, executable: Path, *, sysroot: Path | None = None, foreign: bool = False, base: int = 0
) -> dict[int, list[GdbFrame]]:
    """``thread apply all bt`` of ``core``: frames by LWP.

    ``foreign`` asks the gdb for other machines; ``base`` is the load bias of the executable, where the core has no
    NT_FILE and gdb does not find it out.
    """
    gdb = GDB_MULTIARCH if foreign else GDB
    assert gdb
    root = ["-iex", f"set sysroot {sysroot}"] if sysroot else []
    moved = ["-ex", f"symbol-file -o {base:#x} {executable}", "-ex", "sharedlibrary"] if base else []
    command = [gdb, "-nx", "-batch", "-iex", "set width 0", "-iex", "set print frame-arguments none", *root,
               *moved, "-ex", "thread apply all bt", str(executable), str(core)]  # fmt: skip
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60, check=False
    )
    return parse(done.stdout.decode("utf-8", "replace"))


def lines(executable: Path, addresses: list[int]) -> list[tuple[str, int]]:
    """``info line`` of each address: file and line, ("", 0) where gdb knows none."""
    assert GDB
    script = executable.with_suffix(".gdb")
    script.write_text("".join(f"info line *{at}\n" for at in addresses))
    command = [GDB, "-nx", "-batch", "-ex", "set width 0", "-x", str(script), str(executable)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL)
    answers = re.findall(r'^Line (\d+) of "([^"]*)"|^No line', done.stdout, re.MULTILINE)
    assert len(answers) == len(addresses)
    return [(file, int(line or 0)) for line, file in answers]


def parse(text: str) -> dict[int, list[GdbFrame]]:
    """The frames of each thread in what gdb printed."""
    found: dict[int, list[GdbFrame]] = {}
    current: list[GdbFrame] | None = None
    for line in text.splitlines():
        thread = _THREAD.match(line)
        if thread:
            current = found.setdefault(int(thread[1]), [])
            continue
        frame = _FRAME.match(line)
        if frame and current is not None:
            name = "" if frame["function"] == "??" else frame["function"]
            current.append(GdbFrame(name, frame["file"] or "", int(frame["line"] or 0), int(frame["pc"] or "0", 16)))
    return found
