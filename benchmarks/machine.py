"""The machine and the versions, in one line."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

import forensics


def machine_line(drgn: Path | None) -> str:
    """Processor, cores, system, and the version of everyone who is compared."""
    cores = len(os.sched_getaffinity(0))
    versions = [f"haproxy-forensics {forensics.__version__}", f"Python {platform.python_version()}"]
    versions += [f"{name} {version_of(name)}" for name in ("gdb", "eu-stack") if shutil.which(name)]
    versions += [f"drgn {version_of(str(drgn))}"] if drgn else []
    return f"{processor()}, {cores} cores, Linux {platform.release().split('-')[0]}; {', '.join(versions)}"


def processor() -> str:
    """The name the processor gives itself."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    found = re.search(r"^model name\s*: (.+)$", text, re.MULTILINE)
    return found[1] if found else platform.machine()


def version_of(command: str) -> str:
    """The version number in the first line of ``--version``."""
    done = subprocess.run([command, "--version"], capture_output=True, text=True, timeout=20, check=False)
    found = re.findall(r"\d+(?:\.\d+)+", (done.stdout + done.stderr).partition("\n")[0])
    return found[0] if found else "?"
