"""What inputs can do to a worker, by their names."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from forensics.errors import EmptyInput, SignatureError

#: The name by which a worker finds the function.
ANALYSE = "tests.batch.hostile:analyse"


def analyse(path: str, options: Mapping[str, Any]) -> Mapping[str, Any]:
    """A report that says who made it, unless the name of the input asks for something worse."""
    name = os.path.basename(path)
    if name in _DEEDS:
        _DEEDS[name]()
    if name.startswith("slow"):
        time.sleep(0.3)
    return {"pid": os.getpid(), "options": dict(options)}


def _hang() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        pass


def _hang_in_c() -> None:
    re.match(r"(a+)+$", "a" * 64 + "b")


def _hog() -> None:
    hoard = []
    while True:
        hoard.append(bytearray(16 << 20))


def _chatter() -> None:
    sys.stdout.write("no answer\n" * 100_000)
    sys.stdout.flush()
    sys.stderr.write("noise\n" * 100_000)
    os.write(1, b"nor this\n")


def _mute() -> None:
    os.closerange(3, 64)
    time.sleep(60)


def _raise(error: Exception) -> None:
    raise error


_DEEDS: dict[str, Callable[[], None]] = {
    "hang": _hang,
    "hang-in-c": _hang_in_c,
    "hog": _hog,
    "chatter": _chatter,
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "segfault": lambda: os.kill(os.getpid(), signal.SIGSEGV),
    "exit": lambda: os._exit(7),
    "mute": _mute,
    "bug": lambda: _raise(KeyError("lwp")),
    "empty": lambda: _raise(EmptyInput("`empty` is empty", "look at the disk")),
    "unreadable": lambda: _raise(PermissionError(13, "Permission denied")),
    "broken-signatures": lambda: _raise(SignatureError("`a/b.toml` breaks the rules", "mend it")),
}


def children(parent: int | None = None) -> set[int]:
    """The processes that a process has started and that still run."""
    wanted = os.getpid() if parent is None else parent
    found = set()
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, ppid = entry.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if int(ppid) == wanted and state not in "ZX":
            found.add(int(entry.parent.name))
    return found


def runs(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def until(condition: Callable[[], object], seconds: float = 10.0) -> bool:
    """Whether the condition comes true in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False
