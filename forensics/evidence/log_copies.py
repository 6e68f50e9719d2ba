"""Files of a log that hold the same: a rotated file and what a compressor made of it, a copy before the truncation."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import IO

from forensics.evidence.log_files import LogFile
from forensics.logs.carrier import iter_records
from forensics.logs.rotation import age_of
from forensics.memory.streams import damage_errors

#: Bytes by which files that may be equal are chosen, and lines in which a time is looked for.
_HEAD, _LINES = 4096, 16
_CHUNK = 1 << 20


def without_copies(files: Sequence[LogFile]) -> tuple[LogFile, ...]:
    """The files of one log without those whose whole text another one begins with.

    That makes a copy where the names say so (they differ in compression), or where the text bears times: the same
    lines without any can be written by two processes.
    """
    kept: list[LogFile] = []
    heads: dict[str, bytes] = {}
    for file in files if len(files) > 1 else ():
        heads[file.path] = _head(file)
    for file in files:
        other = next((each for each in kept if _may_be_equal(each, file, heads)), None)
        longer = _longer(other, file) if other is not None else None
        if other is None or longer is None:
            kept.append(file)
        elif longer is file:
            kept[kept.index(other)] = file
    return tuple(sorted(kept, key=files.index))


def _may_be_equal(one: LogFile, other: LogFile, heads: dict[str, bytes]) -> bool:
    first, second = heads[one.path], heads[other.path]
    common = min(len(first), len(second))
    if not common or first[:common] != second[:common]:
        return False
    return age_of(one.path) == age_of(other.path) or _dated(first[:common])


def _dated(head: bytes) -> bool:
    return any(one.time for one in iter_records(head.splitlines()[:_LINES]))


def _head(file: LogFile) -> bytes:
    stream = file.again()
    if stream is None:
        return b""
    with stream:
        return _Text(stream, file.compression).take(_HEAD)


def _longer(one: LogFile, other: LogFile) -> LogFile | None:
    """The file that begins with all of the other one, the later of equal ones; None where they differ."""
    first, second = one.again(), other.again()
    if first is None or second is None:
        return None
    with closing(first), closing(second):
        left, right = _Text(first, one.compression), _Text(second, other.compression)
        while True:
            ours, theirs = left.take(_CHUNK), right.take(_CHUNK)
            if ours != theirs:
                return one if ours.startswith(theirs) else other if theirs.startswith(ours) else None
            if len(ours) < _CHUNK:
                return other


class _Text:
    """What a file holds, up to where it is damaged: a compressor may not be done with it."""

    def __init__(self, stream: IO[bytes], compression: str) -> None:
        self._stream = stream
        self._damage: tuple[type[Exception], ...] = (OSError, *damage_errors(compression))

    def take(self, size: int) -> bytes:
        """So many bytes, fewer at the end only."""
        taken = bytearray()
        try:
            while len(taken) < size and (more := self._stream.read(size - len(taken))):
                taken += more
        except self._damage:
            pass
        return bytes(taken)
