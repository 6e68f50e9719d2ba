"""What the arguments of a pasted stack tell of the lock that a stick-table function waits for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from forensics.evidence.fact import Fact
from forensics.logs import PastedFrame
from forensics.source import Source

#: Size of struct stktable on x86-64 in 2.9, the largest of all releases before sharding (2.8: 664 bytes; measured by
#: compiling include/haproxy/stick_table-t.h). With the patch for 2.9.6 and 32 shards, updt_lock was at 0x7c0 (GH-2508).
_UNSHARDED = 768
_LOCK = re.compile(r"\block=(?:lock@entry=)?0x([0-9a-f]{1,16})\b")
_TABLE = re.compile(r"\bt=(?:t@entry=)?0x([0-9a-f]{1,16})\b")


def waited_lock(frames: Sequence[PastedFrame], path: str) -> Iterator[Fact]:
    """Whether the lock that a stick-table function waits for lies beyond the end of an unsharded table."""
    for inner, outer in pairwise(frame for frame in frames if frame.address is not None or frame.args):
        lock, table = _LOCK.search(inner.args), _TABLE.search(outer.args)
        if "pl_wait" in inner.function and outer.function.startswith("stktable_") and lock and table:
            offset = int(lock[1], 16) - int(table[1], 16)
            if _UNSHARDED <= offset < 1 << 20:
                what = (
                    f"the lock is {offset:#x} bytes into the table, struct stktable without shards has {_UNSHARDED:#x}"
                )
                yield Fact("stktable.sharded", True, Source(path, what, line=outer.line), "derived")
            return
