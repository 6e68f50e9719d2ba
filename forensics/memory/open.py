"""Opening an input, whatever wraps it."""

from __future__ import annotations

import os

from forensics.errors import EmptyInput, UnreadableInput
from forensics.memory.random_access import LocalFile, RandomAccess
from forensics.memory.spool import Spool
from forensics.memory.streams import compression_of


def open_bytes(path: str) -> RandomAccess:
    """Random-access bytes of the file at ``path``, decompressed if it is compressed.

    Raises UnreadableInput for what cannot be opened and EmptyInput for a file
    without bytes.
    """
    if os.path.isdir(path):
        raise UnreadableInput(f"`{path}` is a directory", f"haproxy-forensics scan {path}")
    file = LocalFile(path)
    if file.size == 0:
        file.close()
        raise EmptyInput(
            f"`{path}` is empty",
            "a core of 0 bytes is what a full disk or a core limit of 0 leaves: check `ulimit -c` and the disk",
        )
    if not compression_of(file.read(0, 8)):
        return file
    file.close()
    spool = Spool(path)
    if spool.size == 0:
        reason = spool.damage.reason if spool.damage is not None else "it holds no bytes"
        raise EmptyInput(f"`{path}` has no content: {reason}", "supply the complete file")
    return spool
