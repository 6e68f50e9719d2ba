"""Whether a process was HAProxy at all."""

from __future__ import annotations

from forensics.elf.module import Module
from forensics.haproxy.release import Release, find_release
from forensics.unwind.backtrace import Process

#: HAProxy and HAProxy Enterprise.
_NAMES = ("haproxy", "hapee")


def program_of(process: Process) -> str:
    """The program's name: that of its executable, else of the process."""
    main = process.core.main_module
    if isinstance(main, Module):
        return main.name
    return process.core.process.name if process.core.process else "unknown"


def is_haproxy(process: Process) -> bool:
    """Whether the name says so, or the memory holds HAProxy's version (a renamed executable)."""
    info = process.core.process
    names = (program_of(process), info.name if info else "")
    if any(word in name.lower() for name in names for word in _NAMES):
        return True
    return isinstance(find_release(process), Release)
