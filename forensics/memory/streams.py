"""Streams of compressed files: recognised by content, decompressed as they are read."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from typing import IO, Any, cast

from forensics.errors import InputError, UnreadableInput

#: First bytes of each format that opens directly, and its name.
MAGICS: tuple[tuple[bytes, str], ...] = (
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x1f\x8b", "gzip"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"BZh", "bzip2"),
    (b"ProblemT", "apport"),
)

#: What the decompressors raise on bytes that are not what they seem. zstandard and lz4 have
#: errors of their own, both plain children of Exception and RuntimeError: see ``damage_errors``.
_STANDARD_ERRORS: tuple[type[Exception], ...] = (EOFError, OSError, ValueError, RuntimeError)

#: Bytes that a decompressor may hold, or a file would choose our memory: the window of `zstd --ultra`,
#: and twice what `xz -9` needs.
_MEMORY_LIMIT = 1 << 27


def compression_of(head: bytes) -> str:
    """The name of the compression that ``head`` begins, "" for none."""
    for magic, name in MAGICS:
        if head.startswith(magic):
            return name
    return ""


def damage_errors(compression: str) -> tuple[type[Exception], ...]:
    """The exceptions by which a decompressor says that its input is damaged."""
    if compression == "zstd":
        import zstandard

        return (*_STANDARD_ERRORS, zstandard.ZstdError)
    if compression == "xz":
        import lzma

        return (*_STANDARD_ERRORS, lzma.LZMAError)
    if compression == "gzip":
        import zlib

        return (*_STANDARD_ERRORS, zlib.error)
    if compression == "apport":
        return tuple(dict.fromkeys((*damage_errors("gzip"), *damage_errors("zstd"))))
    return _STANDARD_ERRORS


def decompressing(raw: IO[bytes], compression: str) -> IO[bytes]:
    """A readable stream of what ``raw`` holds; ``compression`` as from ``compression_of``."""
    if compression == "zstd":
        import zstandard

        context = zstandard.ZstdDecompressor(max_window_size=_MEMORY_LIMIT)
        return cast(IO[bytes], context.stream_reader(raw, read_across_frames=True))
    if compression == "gzip":
        import gzip

        return cast(IO[bytes], gzip.GzipFile(fileobj=raw, mode="rb"))
    if compression == "xz":
        from forensics.memory.xz import XzReader

        return cast(IO[bytes], io.BufferedReader(XzReader(raw, _MEMORY_LIMIT), 1 << 16))
    if compression == "lz4":
        return _lz4(raw)
    if compression == "bzip2":
        import bz2

        return cast(IO[bytes], bz2.BZ2File(raw, "rb"))
    if compression == "apport":
        from forensics.memory.apport import EncodedCore

        encoded = io.BufferedReader(EncodedCore(raw), 1 << 16)
        return decompressing(encoded, _within(encoded.peek(8)))
    return raw


def _within(head: bytes) -> str:
    """The compression of a core in a report, which holds no report again."""
    inner = compression_of(head)
    return inner if inner != "apport" else ""


def _lz4(raw: IO[bytes]) -> IO[bytes]:
    try:
        import lz4.frame
    except ImportError as error:
        raise InputError("cannot open lz4 data: the package `lz4` is missing", "pip install lz4") from error
    return cast(IO[bytes], lz4.frame.LZ4FrameFile(raw, "rb"))


class _Decompressed(io.RawIOBase):
    """A decompressed stream that closes the file below it, which most decompressors leave open."""

    def __init__(self, stream: IO[bytes], file: IO[bytes]) -> None:
        self._stream = stream
        self._file = file

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill ``buffer`` as far as the next bytes go: what comes before damage is given before it is told."""
        data = getattr(self._stream, "read1", self._stream.read)(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close both."""
        self._stream.close()
        self._file.close()
        super().close()


class _UpToDamage(io.BufferedReader):
    """A decompressed stream whose ``read`` gives what comes before damage, and raises what the damage is after that."""

    def __init__(self, raw: io.RawIOBase, compression: str) -> None:
        super().__init__(raw, 1 << 16)
        self._errors = damage_errors(compression)
        self._damage: Exception | None = None

    @property
    def damaged(self) -> bool:
        """Whether damage was met: the next ``read`` raises."""
        return self._damage is not None

    def read(self, size: int | None = -1, /) -> bytes:
        """Up to ``size`` bytes, all for -1; fewer at the end or before damage only."""
        wanted = sys.maxsize if size is None or size < 0 else size
        found = io.BytesIO()
        while found.tell() < wanted and (data := self._next(min(wanted - found.tell(), 1 << 20), found.tell() > 0)):
            found.write(data)
        return found.getvalue()

    def _next(self, size: int, some: bool) -> bytes:
        """The next bytes; b"" before damage where ``some`` were found."""
        if self._damage is None:
            try:
                return self.read1(size)
            except self._errors as error:
                self._damage = error
        if some:
            return b""
        raise self._damage


class _Watched(io.FileIO):
    """A file that tells how far it was read."""

    def __init__(self, path: str, watch: Callable[[int], None]) -> None:
        super().__init__(path, "rb")
        self._watch = watch

    def readinto(self, buffer: Any) -> int | None:
        """Read, and tell."""
        size = super().readinto(buffer)
        self._watch(self.tell())
        return size


def open_stream(path: str, watch: Callable[[int], None] | None = None) -> tuple[IO[bytes], str]:
    """The decompressed content of ``path`` as a stream, and its compression ("" for none).

    ``watch`` is told how many bytes of the file were read, each time.
    """
    try:
        raw: IO[bytes] = (
            io.BufferedReader(_Watched(path, watch), 1 << 18) if watch else open(path, "rb", buffering=1 << 16)  # noqa: SIM115 - the caller closes it
        )
        head = raw.read(8)
        raw.seek(0)
    except OSError as error:
        raise UnreadableInput(
            f"cannot open `{path}`: {error.strerror}", "check the path and the permissions"
        ) from error
    compression = compression_of(head)
    if not compression:
        return raw, ""
    return _UpToDamage(_Decompressed(decompressing(raw, compression), raw), compression), compression


def zstd_is_cut(path: str) -> bool:
    """Whether a zstd file ends within a frame, which python-zstandard's reader does not tell (RFC 8878, 3.1)."""
    with open(path, "rb") as file:
        while magic := file.read(4):
            if len(magic) == 4 and magic[1:] == b"\x2a\x4d\x18" and magic[0] & 0xF0 == 0x50:  # skippable
                file.seek(int.from_bytes(file.read(4), "little"), io.SEEK_CUR)
            elif not _frame_is_whole(file):
                return True
        return file.tell() > os.fstat(file.fileno()).st_size


def _frame_is_whole(file: IO[bytes]) -> bool:
    flags = file.read(1)
    if not flags:
        return False
    single, dictionary, size = flags[0] >> 5 & 1, (0, 1, 2, 4)[flags[0] & 3], flags[0] >> 6
    file.seek((1 - single) + dictionary + (0, 2, 4, 8)[size] + (single if size == 0 else 0), io.SEEK_CUR)
    end = os.fstat(file.fileno()).st_size
    last = 0
    while not last:
        head = file.read(3)
        if len(head) < 3:
            return False
        block = int.from_bytes(head, "little")
        last = block & 1
        file.seek(1 if block >> 1 & 3 == 1 else block >> 3, io.SEEK_CUR)
    file.seek(4 * (flags[0] >> 2 & 1), io.SEEK_CUR)
    return file.tell() <= end


def head_of(path: str, size: int = 4096) -> bytes:
    """The first decompressed bytes of ``path``: what kinds are recognised by."""
    stream, compression = open_stream(path)
    with stream:
        try:
            return stream.read(size)
        except damage_errors(compression):
            return b""


def stream_of(data: bytes) -> IO[bytes]:
    """A stream over bytes in memory (standard input, which cannot be reopened)."""
    return io.BytesIO(data)
