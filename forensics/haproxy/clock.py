"""What time it was for the process: its start, and the last time that a thread looked at the clock (src/clock.c).

The date that all threads share moves when one of them comes back from its poller: an idle process may have died up
to a second after it, and a blocked one much later.
"""

from __future__ import annotations

from forensics.absence import Absence
from forensics.haproxy.structs import TypedMemory
from forensics.haproxy.ticks import ETERNITY, signed
from forensics.record import record

_NO_CLOCK = "no variable of the process's clock could be read (global_now_ns, global_now)"


@record
class Moment:
    """The last look at the clock that all threads share: what ages and timeouts are counted from.

    ``ms`` is its tick (unsigned 32 bits, it wraps). ``seconds`` are those of the wall clock up to 2.7, and of a clock
    that only goes forward later; ``beyond`` are the microseconds beyond them.
    """

    ms: int
    seconds: int
    beyond: int = 0

    def left(self, tick: int) -> int:
        """Milliseconds from now until ``tick``, negative when it has passed (ticks.h: compared with their sign)."""
        return signed(tick - self.ms)

    def expired(self, tick: int) -> bool:
        """Whether the timer is set and its time has come (tick_is_expired)."""
        return tick & 0xFFFFFFFF != ETERNITY and self.left(tick) <= 0


@record
class Clock:
    """Dates in microseconds, each an Absence where it could not be read.

    ``start`` and ``ready`` are those of the wall clock (``start_date`` when the process began, ``ready_date`` when it
    had read its configuration, which 2.8 keeps and 2.6 does not). ``uptime`` counts from ``start`` to ``now``.
    """

    start: int | Absence
    ready: int | Absence
    uptime: int | Absence
    now: Moment | Absence


def read_clock(space: TypedMemory) -> Clock:
    """The process's dates. 2.8 and later keep the start also in nanoseconds, by the clock that counts them."""
    start, now = _timeval(space, "start_date"), read_moment(space)
    return Clock(start, _timeval(space, "ready_date"), _uptime(space, start, now), now)


def _uptime(space: TypedMemory, start: int | Absence, now: Moment | Absence) -> int | Absence:
    if isinstance(now, Absence):
        return now
    nanoseconds = _shared(space, "global_now_ns", 8)
    if isinstance(nanoseconds, Absence):
        return start if isinstance(start, Absence) else max(now.seconds * 1_000_000 + now.beyond - start, 0)
    begun = space.word("start_time_ns")
    return begun if isinstance(begun, Absence) else max(nanoseconds - begun, 0) // 1000


def read_moment(space: TypedMemory) -> Moment | Absence:
    """The common clock of all threads (src/clock.c; src/time.c of 2.2 and 2.3).

    2.8 counts ns in ``global_now_ns``, before that ``global_now`` had seconds in its upper half and microseconds in
    the lower one. 2.6 keeps the milliseconds, too; in 2.2 each thread works them out.
    """
    nanoseconds = _shared(space, "global_now_ns", 8)
    both = space.word("global_now")
    if isinstance(nanoseconds, int):
        seconds, beyond = nanoseconds // 1_000_000_000, nanoseconds // 1000 % 1_000_000
    elif isinstance(both, int):
        seconds, beyond = both >> 32, both & 0xFFFFFFFF
    else:
        return Absence("HAProxy's clock", _NO_CLOCK, both.remedy)
    ms = _shared(space, "global_now_ms", 4)
    return Moment(ms if isinstance(ms, int) else (seconds * 1000 + beyond // 1000) & 0xFFFFFFFF, seconds, beyond)


def _shared(space: TypedMemory, name: str, size: int) -> int | Absence:
    """A clock that threads share: a plain variable, or since 3.3 a pointer to one (processes may share it, too).

    All of them are pointers where ``global_now_ms``, which has 4 bytes, has 8.
    """
    extent = space.extent("global_now_ms")
    if isinstance(extent, Absence) or extent[1] <= 4:
        return space.number(name, size)
    pointer = space.word(name)
    data = pointer if isinstance(pointer, Absence) else space.memory.read(pointer, size)
    return data if isinstance(data, Absence) else int.from_bytes(data, "little")


def _timeval(space: TypedMemory, name: str) -> int | Absence:
    """A ``struct timeval`` in microseconds."""
    address = space.variable(name)
    data = address if isinstance(address, Absence) else space.memory.read(address, 16)
    if isinstance(data, Absence):
        return data
    return int.from_bytes(data[:8], "little") * 1_000_000 + int.from_bytes(data[8:], "little")
