"""The texts of a symbol pack."""

from __future__ import annotations


class Names:
    """NUL-terminated names, each once; ``offset`` gives the place of one."""

    def __init__(self) -> None:
        self._offsets: dict[str, int] = {}
        self._size = 0

    def offset(self, name: str) -> int:
        """Where ``name`` stands (bytes from the start)."""
        found = self._offsets.get(name)
        if found is None:
            found = self._offsets[name] = self._size
            self._size += len(name.encode()) + 1
        return found

    def content(self) -> bytes:
        """All of them."""
        return b"".join(name.encode() + b"\0" for name in self._offsets)
