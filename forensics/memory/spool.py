"""A compressed core as random-access bytes.

A core is mostly zeros. What is decompressed is kept in blocks, zero blocks not
at all, up to a bound in memory and beyond it in an unnamed temporary file.
"""

from __future__ import annotations

from typing import IO

from forensics.absence import Absence
from forensics.memory.streams import damage_errors, open_stream, zstd_is_cut

#: Bytes of one block: small enough that sparse memory stays sparse, large enough to be quick.
BLOCK = 1 << 16

_ZEROS = bytes(BLOCK)


class Spool:
    """The decompressed bytes of one file.

    ``memory_limit`` bounds what is held in memory, ``disk_limit`` what goes to the
    temporary file, ``size_limit`` how much is decompressed at all (a bomb of zeros
    takes no memory, but time). All in bytes. What lies beyond a limit counts as
    lost, and ``damage`` says so.
    """

    def __init__(
        self,
        path: str,
        *,
        memory_limit: int = 64 << 20,
        disk_limit: int = 8 << 30,
        size_limit: int = 64 << 30,
    ) -> None:
        self.name = path
        self.size = 0
        self.damage: Absence | None = None
        self._blocks: dict[int, bytes] = {}
        self._spilled: dict[int, int] = {}
        self._file: IO[bytes] | None = None
        self._spilled_bytes = 0
        self._memory_blocks = memory_limit // BLOCK
        self._disk_limit = disk_limit
        self._fill(path, size_limit)

    def _fill(self, path: str, size_limit: int) -> None:
        stream, compression = open_stream(path)
        with stream:
            try:
                while block := _read_block(stream):
                    if self.size + len(block) > size_limit:
                        self._lose(path, f"it decompresses to more than {size_limit >> 30} GiB")
                        return
                    if not self._keep(block):
                        return
                if compression == "zstd" and zstd_is_cut(path):
                    self._lose(path, f"the zstd data is cut after {self.size} bytes")
            except damage_errors(compression) as error:
                self._lose(path, f"the {compression} data is damaged or cut after {self.size} bytes ({error})")

    def _lose(self, path: str, reason: str) -> None:
        self.damage = Absence(f"end of {path}", reason, "supply the complete file, decompressed where it was written")

    def _keep(self, block: bytes) -> bool:
        number = self.size // BLOCK
        self.size += len(block)
        if block == _ZEROS or not block.strip(b"\0"):
            return True
        if len(self._blocks) < self._memory_blocks:
            self._blocks[number] = block
            return True
        return self._spill(number, block)

    def _spill(self, number: int, block: bytes) -> bool:
        if self._spilled_bytes + len(block) > self._disk_limit:
            self.size -= len(block)
            self._lose(self.name, f"its content needs more than {self._disk_limit >> 30} GiB of temporary space")
            return False
        try:
            if self._file is None:
                import tempfile

                self._file = tempfile.TemporaryFile(prefix="haproxy-forensics-")  # noqa: SIM115 - lives as long as we
            self._file.write(block)
        except OSError as error:
            self.size -= len(block)
            self._lose(self.name, f"no temporary space is left ({error.strerror}); TMPDIR names another place")
            return False
        self._spilled[number] = self._spilled_bytes
        self._spilled_bytes += len(block)
        return True

    def _block(self, number: int) -> bytes:
        block = self._blocks.get(number)
        if block is not None:
            return block
        position = self._spilled.get(number)
        if position is None or self._file is None:
            return _ZEROS
        self._file.seek(position)
        return self._file.read(BLOCK)

    def read(self, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes from ``offset``."""
        if offset < 0 or size <= 0 or offset >= self.size:
            return b""
        end = min(offset + size, self.size)
        pieces = []
        while offset < end:
            number, start = divmod(offset, BLOCK)
            stop = min(BLOCK, start + end - offset)
            pieces.append(self._block(number)[start:stop].ljust(stop - start, b"\0"))
            offset += stop - start
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def close(self) -> None:
        """Forget the blocks and the temporary file."""
        self._blocks.clear()
        self._spilled.clear()
        if self._file is not None:
            self._file.close()
            self._file = None

    def __del__(self) -> None:
        self.close()


def _read_block(stream: IO[bytes]) -> bytes:
    """One whole block, or what is left; decompressors may return less than asked for."""
    block = stream.read(BLOCK)
    while block and len(block) < BLOCK:
        more = stream.read(BLOCK - len(block))
        if not more:
            break
        block += more
    return block
