"""HAProxy's clock at the moment of death: milliseconds that wrap at 32 bits (clock.c)."""

from __future__ import annotations

from forensics.absence import Absence
from forensics.haproxy.structs import TypedMemory


def read_now_ms(space: TypedMemory) -> int | Absence:
    """``global_now_ms``, the date of the latest poll of any thread; each thread's own ``now_ms`` is close to it.

    An integer from 2.4 to 3.2, a pointer since 3.3 (time.c, clock.c). Before, there is ``global_now``: seconds in the
    upper half, microseconds in the lower.
    """
    extent = space.extent("global_now_ms")
    if isinstance(extent, Absence):
        now = space.word("global_now")
        return extent if isinstance(now, Absence) else (now >> 32) * 1000 + (now & 0xFFFFFFFF) // 1000 & 0xFFFFFFFF
    address, size = extent
    if size == 8:
        pointed = space.memory.word(address)
        if isinstance(pointed, Absence):
            return pointed
        address = pointed
    data = space.memory.read(address, 4)
    return data if isinstance(data, Absence) else int.from_bytes(data, "little")
