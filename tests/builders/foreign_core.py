"""Cores of other machines: 32-bit and big-endian ones, with the notes that Linux writes there."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from tests.builders.core import PAGE, File


@dataclass(slots=True)
class ForeignCore:
    """A core of one thread; ``words`` are the registers in pr_reg's order, ``user_bits`` the width of pr_uid."""

    machine: int
    bits: int
    big_endian: bool
    words: tuple[int, ...]
    files: tuple[File, ...] = ()
    loads: tuple[tuple[int, bytes], ...] = ()
    user_bits: int = 32

    def pack(self, form: str, *values: int) -> bytes:
        """``W`` in ``form`` is a word."""
        word = "Q" if self.bits == 64 else "I"
        return struct.pack((">" if self.big_endian else "<") + form.replace("W", word), *values)

    def note(self, kind: int, descriptor: bytes) -> bytes:
        """One note of the owner CORE."""
        head = self.pack("III", 5, len(descriptor), kind)
        return head + b"CORE\0\0\0\0" + descriptor + bytes(-len(descriptor) % 4)

    def _notes(self) -> bytes:
        register_at = 112 if self.bits == 64 else 72
        status = self.pack("iiih", 11, 0, 0, 11).ljust(32 if self.bits == 64 else 24, b"\0") + self.pack("i", 4242)
        status = status.ljust(register_at, b"\0") + self.pack(f"{len(self.words)}W", *self.words) + self.pack("I", 0)
        pid_at = 24 if self.bits == 64 else 8 + self.user_bits // 4
        process = bytes(pid_at) + self.pack("iiii", 4242, 1, 2, 3)
        process += b"haproxy".ljust(16, b"\0") + b"haproxy -f x.cfg".ljust(80, b"\0")
        signal = self.pack("iii", 11, 0, 1) + (bytes(4) if self.bits == 64 else b"") + self.pack("W", 0x10)
        ranges = b"".join(self.pack("WWW", one.start, one.end, one.offset // PAGE) for one in self.files)
        files = self.pack("WW", len(self.files), PAGE) + ranges
        files += b"".join(one.path.encode() + b"\0" for one in self.files)
        vector = self.pack("WWWW", 9, self.files[0].start + 4 if self.files else 0, 0, 0)
        return (
            self.note(1, status) + self.note(3, process) + self.note(0x53494749, signal.ljust(128, b"\0"))
            + self.note(6, vector) + self.note(0x46494C45, files)
        )  # fmt: skip

    def _header(self, kind: int, offset: int, address: int, size: int, flags: int) -> bytes:
        if self.bits == 64:
            return self.pack("IIQQQQQQ", kind, flags, offset, address, 0, size, size, 1)
        return self.pack("IIIIIIII", kind, offset, address, 0, size, size, flags, 1)

    def build(self) -> bytes:
        """The file."""
        notes = self._notes()
        head_size, row_size = (64, 56) if self.bits == 64 else (52, 32)
        position = head_size + row_size * (1 + len(self.loads))
        rows = self._header(4, position, 0, len(notes), 0)
        position += len(notes)
        for address, data in self.loads:
            rows += self._header(1, position, address, len(data), 6)
            position += len(data)
        ident = b"\x7fELF" + bytes((self.bits // 32, 2 if self.big_endian else 1, 1)) + bytes(9)
        head = self.pack(
            "HHIWWWIHHHHHH", 4, self.machine, 1, 0, head_size, 0, 0, head_size, row_size, 1 + len(self.loads), 0, 0, 0
        )
        return ident + head + rows + notes + b"".join(data for _address, data in self.loads)
