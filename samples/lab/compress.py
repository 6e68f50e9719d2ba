"""Pack cores for keeping."""

from __future__ import annotations

import subprocess
from pathlib import Path

LIMIT = 2 * 1024 * 1024


def pack(core: Path, target: Path, level: int = 19) -> int:
    """Compress ``core`` to ``target`` with zstd; the size of the result."""
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["zstd", "-q", "-f", f"-{level}", "-T1", str(core), "-o", str(target)],
        stdin=subprocess.DEVNULL,
        check=True,
        timeout=600,
    )
    target.chmod(0o644)
    return target.stat().st_size
