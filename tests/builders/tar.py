"""Archives as HAProxy writes them into memory, for tests: one oddity each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """One member; ``size`` is what its header claims, ``sum`` added to the right checksum makes a wrong one."""

    name: str
    data: bytes
    size: bytes | None = None
    prefix: str = "core-1000"
    kind: bytes = b"0"
    wrong: int = 0

    def build(self) -> bytes:
        """Header and content, padded to blocks."""
        size = b"%o" % len(self.data) if self.size is None else self.size
        block = bytearray(512)
        block[: len(self.name)] = self.name.encode()
        block[100:107] = b"0000555"
        # As HAProxy leaves it: digits behind the NUL.
        block[124:136] = (size + b"\0").ljust(12, b"0")[:12]
        block[156:157] = self.kind
        block[257:265] = b"ustar\x0000"
        block[345 : 345 + len(self.prefix)] = self.prefix.encode()
        total = sum(block) + 8 * 0x20 + self.wrong
        block[148:156] = b"%06o\0 " % total
        return bytes(block) + self.data + bytes(-len(self.data) % 512)


def archive(*entries: Entry, end: bytes = bytes(1024)) -> bytes:
    """Members one after the other, and the end."""
    return b"".join(entry.build() for entry in entries) + end
