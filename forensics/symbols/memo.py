"""What was found out about a build, kept by build-id: the second look costs nothing.

One JSON file a build below ``$XDG_CACHE_HOME/haproxy-forensics/builds``:
``{"format", "build_id", "identity", "records": {kind: {address: record}}}``.
``identity`` names the files that the records were made from; records of other
files are not used. A file that cannot be read is as good as none.
"""

from __future__ import annotations

import json
import os
from typing import Any

#: Raised whenever a record changes its shape or its meaning.
FORMAT = 2

#: Addresses kept for one build: some hundred bytes each.
_MOST = 20_000


def cache_directory() -> str:
    """Where results are kept; ``HAPROXY_FORENSICS_CACHE`` names another place, and "" keeps nothing."""
    chosen = os.environ.get("HAPROXY_FORENSICS_CACHE")
    if chosen is not None:
        return chosen
    root = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(root, "haproxy-forensics")


class BuildRecords:
    """The records of one build. ``records(kind)`` is a mapping to read and to add to; ``save`` keeps it."""

    def __init__(self, build_id: str, identity: str, directory: str | None = None) -> None:
        self._build_id = build_id
        self._identity = identity
        self._directory = os.path.join(cache_directory() if directory is None else directory, "builds")
        self._enabled = bool(cache_directory() if directory is None else directory) and bool(build_id)
        self._records: dict[str, dict[str, Any]] = self._load() if self._enabled else {}
        self._loaded = self._count()

    @property
    def path(self) -> str:
        """The file that holds the records."""
        return os.path.join(self._directory, f"{self._build_id}.json")

    def _count(self) -> int:
        return sum(len(kind) for kind in self._records.values())

    def _load(self) -> dict[str, dict[str, Any]]:
        try:
            with open(self.path, "rb") as file:
                data = json.load(file)
            if data["format"] == FORMAT and data["identity"] == self._identity and data["build_id"] == self._build_id:
                records = data["records"]
                if isinstance(records, dict) and all(isinstance(kind, dict) for kind in records.values()):
                    return records
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            pass
        return {}

    def records(self, kind: str) -> dict[str, Any]:
        """Records of one kind by address (hexadecimal)."""
        return self._records.setdefault(kind, {})

    def save(self) -> None:
        """Keep what was added; a cache that cannot be written is no error."""
        if not self._enabled or self._count() == self._loaded or self._count() > _MOST:
            return
        data = {"format": FORMAT, "build_id": self._build_id, "identity": self._identity, "records": self._records}
        import tempfile

        try:
            os.makedirs(self._directory, mode=0o700, exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(dir=self._directory, prefix=".new-")
            with os.fdopen(descriptor, "w") as file:
                json.dump(data, file, separators=(",", ":"))
            os.replace(temporary, self.path)
        except OSError:
            return
        self._loaded = self._count()
