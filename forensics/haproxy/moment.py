"""HAProxy's clock when the process died: what ages and timeouts are counted from."""

from __future__ import annotations

from forensics.absence import Absence
from forensics.haproxy.structs import TypedMemory
from forensics.record import record

_TICK = 1 << 32
#: TICK_ETERNITY (ticks.h): a timer that is not set.
ETERNITY = 0


@record
class Moment:
    """``ms`` is the tick of now (unsigned 32 bits, it wraps); ``seconds`` the time that ages are counted from."""

    ms: int
    seconds: int

    def left(self, tick: int) -> int:
        """Milliseconds from now until ``tick``, negative when it has passed (ticks.h: compared with their sign)."""
        return signed((tick - self.ms) % _TICK)

    def expired(self, tick: int) -> bool:
        """Whether the timer is set and its time has come (tick_is_expired)."""
        return tick % _TICK != ETERNITY and self.left(tick) <= 0


def signed(tick: int) -> int:
    """A difference of two ticks as a C ``int``."""
    return tick - _TICK if tick >> 31 & 1 else tick


def tick_add(tick: int, timeout: int) -> int:
    """``tick`` and ``timeout`` ms later (tick_add: never TICK_ETERNITY)."""
    return (tick + timeout) % _TICK or 1


def read_moment(space: TypedMemory) -> Moment | Absence:
    """The common clock of all threads (src/clock.c; src/time.c of 2.2 and 2.3).

    2.8 counts ns in ``global_now_ns``, before that ``global_now`` had seconds in its upper half and microseconds in
    the lower one. Since 3.3 ``global_now_ms`` and ``global_now_ns`` are pointers: both may lie in shared memory.
    """
    ns = _value(space, "global_now_ns", 8, pointers_since_33=space.extent("global_now_ms"))
    both = space.number("global_now", 8)
    if isinstance(ns, int):
        seconds, own_ms = ns // 1_000_000_000, ns // 1_000_000
    elif isinstance(both, int):
        seconds, own_ms = both >> 32, (both >> 32) * 1000 + (both & 0xFFFFFFFF) // 1000
    else:
        return Absence("HAProxy's clock", "global_now_ns and global_now are not found", both.remedy)
    ms = _value(space, "global_now_ms", 4, pointers_since_33=space.extent("global_now_ms"))
    return Moment((ms if isinstance(ms, int) else own_ms) % _TICK, seconds)


def _value(space: TypedMemory, name: str, size: int, *, pointers_since_33: tuple[int, int] | Absence) -> int | Absence:
    """The variable, or what it points to: it does where ``global_now_ms``, which has 4 bytes, has 8."""
    if isinstance(pointers_since_33, Absence) or pointers_since_33[1] <= 4:
        return space.number(name, size)
    pointer = space.word(name)
    if isinstance(pointer, Absence):
        return pointer
    data = space.memory.read(pointer, size)
    return data if isinstance(data, Absence) else int.from_bytes(data, "little")
