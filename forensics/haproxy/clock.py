"""What time it was for the process: its start, and the last time that a thread looked at the clock (src/clock.c).

The date that all threads share moves when one of them comes back from its poller: an idle process may have died up
to a second after it, and a blocked one much later.
"""

from __future__ import annotations

from forensics.absence import Absence
from forensics.haproxy.structs import TypedMemory
from forensics.record import record

_NO_CLOCK = "no variable of the process's clock could be read (global_now_ns, global_now)"


@record
class Clock:
    """Dates in microseconds, each an Absence where it could not be read.

    ``start`` and ``ready`` are those of the wall clock (``start_date`` when the process began, ``ready_date`` when it
    had read its configuration, which 2.8 keeps and 2.6 does not). ``uptime`` counts from ``start`` to the last look at
    the clock. ``now_ms`` is the clock that timers and counters of events use: milliseconds, 32 bits, wrapping.
    ``seconds`` is the wall clock in the two numbers that counters of events of 2.2 use: seconds, and microseconds
    beyond them.
    """

    start: int | Absence
    ready: int | Absence
    uptime: int | Absence
    now_ms: int | Absence
    seconds: tuple[int, int] | Absence


def read_clock(space: TypedMemory) -> Clock:
    """The clock: 2.8 and later count nanoseconds (``global_now_ns``), before seconds and microseconds."""
    start, ready = _timeval(space, "start_date"), _timeval(space, "ready_date")
    now = _shared(space, "global_now_ns", 8)
    if not isinstance(now, Absence):
        begun = space.word("start_time_ns")
        uptime = begun if isinstance(begun, Absence) else max(now - begun, 0) // 1000
        wrapping = _shared(space, "global_now_ms", 4)
        unknown = Absence("seconds of the clock", "the counters of this build do not use them")
        return Clock(start, ready, uptime, _or(wrapping, now // 1_000_000), unknown)
    return _older(space, start, ready)


def _older(space: TypedMemory, start: int | Absence, ready: int | Absence) -> Clock:
    """Up to 2.7: ``global_now`` has the seconds in its upper half, microseconds in its lower one."""
    packed = space.word("global_now")
    if isinstance(packed, Absence):
        missing = Absence("clock", _NO_CLOCK, packed.remedy)
        return Clock(start, ready, missing, missing, missing)
    seconds, beyond = packed >> 32, packed & 0xFFFFFFFF
    now = seconds * 1_000_000 + beyond
    uptime = start if isinstance(start, Absence) else max(now - start, 0)
    # 2.6 keeps the milliseconds, too; in 2.2 each thread works them out.
    wrapping = _shared(space, "global_now_ms", 4)
    return Clock(start, ready, uptime, _or(wrapping, now // 1000), (seconds, beyond))


def _or(wrapping: int | Absence, milliseconds: int) -> int:
    """The 32 bits that the process kept, 0 included, else those of its longer clock."""
    return milliseconds & 0xFFFFFFFF if isinstance(wrapping, Absence) else wrapping


def _shared(space: TypedMemory, name: str, size: int) -> int | Absence:
    """A clock that threads share: a plain variable, or since 3.3 a pointer to one (it may be shared by processes)."""
    extent = space.extent(name)
    if isinstance(extent, Absence):
        return extent
    address = extent[0]
    pointed = space.memory.word(address) if extent[1] == 8 else 0
    if isinstance(pointed, Absence):
        return pointed
    # A date in nanoseconds is no address of user space where something is mapped.
    target = pointed if pointed and pointed & 3 == 0 and space.memory.find(pointed) else address
    data = space.memory.read(target, size)
    return data if isinstance(data, Absence) else int.from_bytes(data, "little")


def _timeval(space: TypedMemory, name: str) -> int | Absence:
    """A ``struct timeval`` in microseconds."""
    address = space.variable(name)
    data = address if isinstance(address, Absence) else space.memory.read(address, 16)
    if isinstance(data, Absence):
        return data
    return int.from_bytes(data[:8], "little") * 1_000_000 + int.from_bytes(data[8:], "little")
