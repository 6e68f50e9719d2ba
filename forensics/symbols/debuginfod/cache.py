"""The folder that debuginfod clients share: ``<build-id>/executable`` and ``<build-id>/debuginfo``.

As elfutils' client keeps it (debuginfod/debuginfod-client.c; debuginfod-client-config(7)): an empty file
without permissions marks a miss, and is believed for the seconds that the file ``cache_miss_s`` says.
What lies here was fetched before, so that reading it is no network.
"""

from __future__ import annotations

import os
import time

#: Seconds that a miss is believed (elfutils' default).
_MISS_SECONDS = 600


def cache_folder() -> str:
    """The folder, as elfutils chooses it: named by the environment, else the old one if it is there."""
    if chosen := os.environ.get("DEBUGINFOD_CACHE_PATH"):
        return chosen
    home = os.environ.get("HOME") or "/"
    old = os.path.join(home, ".debuginfod_client_cache")
    if os.path.isdir(old):
        return old
    return os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache"), "debuginfod_client")


def artifact_path(build_id: str, kind: str) -> str:
    """Where a file belongs; ``kind`` is ``executable`` or ``debuginfo``."""
    return os.path.join(cache_folder(), build_id, kind)


def cached_path(build_id: str, kind: str) -> str:
    """A file that was fetched before, "" for none."""
    path = artifact_path(build_id, kind)
    try:
        return path if os.path.isfile(path) and os.path.getsize(path) else ""
    except OSError:
        return ""


def is_known_miss(build_id: str, kind: str) -> bool:
    """Whether all servers said lately that they have no such file."""
    try:
        status = os.stat(artifact_path(build_id, kind))
    except OSError:
        return False
    return status.st_size == 0 and time.time() - status.st_mtime <= _miss_seconds()


def _miss_seconds() -> int:
    try:
        with open(os.path.join(cache_folder(), "cache_miss_s"), "rb") as file:
            return int(file.read(20))
    except (OSError, ValueError):
        return _MISS_SECONDS


def mark_miss(build_id: str, kind: str) -> None:
    """Remember that no server has the file; a cache that cannot be written is no error."""
    path = artifact_path(build_id, kind)
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        forget_miss(build_id, kind)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0))
    except OSError:
        return


def forget_miss(build_id: str, kind: str) -> None:
    """Remove the mark of a miss, and nothing else."""
    path = artifact_path(build_id, kind)
    try:
        if os.stat(path).st_size == 0:
            os.unlink(path)
    except OSError:
        return
