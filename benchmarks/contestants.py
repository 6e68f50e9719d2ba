"""How each tool is asked for the backtraces of all threads."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from benchmarks.subjects import Subject
from benchmarks.timing import Contestant

OURS = Path(sys.executable).with_name("haproxy-forensics")
COLD, WARM, GDB = "`triage`, cold", "`triage`, warm", "gdb"
#: gdb on a machine where libc's debug symbols are not installed: it has less to read, and is faster.
BARE_GDB = "gdb, no separate debug files"

_DRGN_SCRIPT = "for thread in prog.threads():\n    print(thread.tid)\n    print(thread.stack_trace())\n"


def contestants_for(subject: Subject, scratch: Path, drgn: Path | None) -> list[Contestant]:
    """Ours with an empty and with a filled cache, and whoever else is on this machine."""
    core, executable = str(subject.core), str(subject.executable)
    ours = (str(OURS), "triage", core, "--exe", executable)
    stacks = (str(OURS), "backtrace", core, "--exe", executable)
    found = [
        Contestant("`backtrace`, warm", stacks, lambda: cache(scratch / "warm")),
        Contestant(WARM, ours, lambda: cache(scratch / "warm")),
        Contestant(COLD, ours, lambda: cache(Path(tempfile.mkdtemp(prefix="cold-", dir=scratch)))),
    ]
    if gdb := shutil.which("gdb"):
        question = ("-ex", "thread apply all bt", executable, core)
        found.append(Contestant(GDB, (gdb, "-nx", "-batch", *question)))
        nowhere = ("-iex", "set debug-file-directory /nonexistent")
        found.append(Contestant(BARE_GDB, (gdb, "-nx", "-batch", *nowhere, *question)))
    if eu_stack := shutil.which("eu-stack"):
        command = (eu_stack, "-i", "-s", "-e", executable, "--core", core)
        found.append(Contestant("eu-stack", command, accepted=frozenset({0, 1})))  # 1: some frames only
    if drgn:
        script = scratch / "stacks.py"
        script.write_text(_DRGN_SCRIPT, encoding="utf-8")
        found.append(Contestant("drgn", (str(drgn), "-q", "-c", core, "-s", executable, str(script))))
    return found


def cache(directory: Path) -> Mapping[str, str]:
    """The environment that makes ours keep its results there."""
    return {"HAPROXY_FORENSICS_CACHE": str(directory)}


def find_drgn(directory: Path | None) -> Path | None:
    """The drgn of a virtual environment (made when it is not there), else the one that is installed."""
    if directory is None:
        installed = shutil.which("drgn")
        return Path(installed) if installed else None
    if not (directory / "bin/drgn").exists():
        subprocess.run([sys.executable, "-m", "venv", str(directory)], check=True)
        subprocess.run([str(directory / "bin/python"), "-m", "pip", "install", "--quiet", "drgn"], check=True)
    return directory / "bin/drgn"
