"""Building the entry of the symbol store, against gdb building its own index of the same executable."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from benchmarks.contestants import OURS
from benchmarks.tables import against
from benchmarks.timing import Contestant, compare

_GDB = "gdb, `save gdb-index`"


def building(executable: Path, scratch: Path, rounds: int) -> list[str]:
    """Whole processes: `symbols add` into an empty store; gdb's index has names only, no lines and no frames."""

    def empty() -> Mapping[str, str]:
        place = tempfile.mkdtemp(prefix="store-", dir=scratch)
        return {"HAPROXY_FORENSICS_SYMBOLS": place, "HAPROXY_FORENSICS_CACHE": ""}

    contestants = [Contestant("`symbols add`", (str(OURS), "symbols", "add", str(executable)), empty)]
    if gdb := shutil.which("gdb"):
        command = (gdb, "-nx", "-batch", "-iex", "set debug-file-directory /nonexistent")
        contestants.append(Contestant(_GDB, (*command, "-ex", f"save gdb-index {scratch}", str(executable))))
    return against(compare(contestants, rounds), (_GDB,))
