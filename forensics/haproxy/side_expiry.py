"""When a side of a stream would have timed out: since 2.8 worked out from its last activity (sc_strm.h)."""

from __future__ import annotations

from forensics.absence import Absence
from forensics.haproxy.channel import Channel
from forensics.haproxy.flags import mask_of
from forensics.haproxy.stconn import Side
from forensics.haproxy.structs import TypedMemory
from forensics.haproxy.ticks import ETERNITY, tick_add

#: CF_READ_TIMEOUT, CF_WRITE_TIMEOUT (channel-t.h, the same from 2.2 to 3.0).
_READ_TIMEOUT, _WRITE_TIMEOUT = 0x4, 0x400
#: What decides here of 3.0.11's stconn-t.h; what 3.2.26 and 3.4.7 answer about their timers agrees with it.
_SIDE_FLAGS = {
    0x2: "SC_FL_EOI", 0x80: "SC_FL_WONT_READ", 0x100: "SC_FL_NEED_BUFF", 0x200: "SC_FL_NEED_ROOM",
    0x10000: "SC_FL_ABRT_DONE", 0x20000: "SC_FL_SHUT_DONE", 0x40000: "SC_FL_EOS",
}  # fmt: skip
_ENDPOINT_FLAGS = {
    0x100000: "SE_FL_EXP_NO_DATA", 0x20000000: "SE_FL_WONT_CONSUME", 0x80000000: "SE_FL_APPLET_NEED_CONN",
}  # fmt: skip


def receive_expiry(
    space: TypedMemory, side: Side, opposite: Side | Absence, channel: Channel | Absence
) -> int | Absence:
    """The tick at which it waited too long for data, TICK_ETERNITY if it does not wait; ``channel`` takes the data."""
    if isinstance(side.last_read, Absence) or isinstance(side.timeout, Absence):
        return side.last_read if isinstance(side.last_read, Absence) else side.timeout
    names, endpoints = _names(space)
    stops = mask_of(
        names, "SC_FL_ABRT_DONE", "SC_FL_EOS", "SC_FL_EOI", "SC_FL_WONT_READ", "SC_FL_NEED_BUFF", "SC_FL_NEED_ROOM"
    )
    other = 0 if isinstance(opposite, Absence) else opposite.endpoint_flags
    blocked = (
        side.flags & stops
        or (isinstance(channel, Channel) and channel.flags & _READ_TIMEOUT)
        or side.endpoint_flags & mask_of(endpoints, "SE_FL_APPLET_NEED_CONN")
        or other & mask_of(endpoints, "SE_FL_EXP_NO_DATA")
    )
    return ETERNITY if blocked else _after(side.last_read, side.timeout)


def send_expiry(space: TypedMemory, side: Side, channel: Channel | Absence) -> int | Absence:
    """The tick at which it waited too long to send; ``channel`` holds what it sends."""
    if isinstance(side.first_blocked, Absence) or isinstance(side.timeout, Absence):
        return side.first_blocked if isinstance(side.first_blocked, Absence) else side.timeout
    names, endpoints = _names(space)
    blocked = (
        side.flags & mask_of(names, "SC_FL_SHUT_DONE")
        or (isinstance(channel, Channel) and channel.flags & _WRITE_TIMEOUT)
        or side.endpoint_flags & mask_of(endpoints, "SE_FL_WONT_CONSUME")
    )
    return ETERNITY if blocked else _after(side.first_blocked, side.timeout)


def _names(space: TypedMemory) -> tuple[dict[int, str], dict[int, str]]:
    """``sc_flags`` and ``se_flags`` of the build, else those of 3.0."""
    return space.enumeration("sc_flags") or _SIDE_FLAGS, space.enumeration("se_flags") or _ENDPOINT_FLAGS


def _after(since: int, timeout: int) -> int:
    """Both unset never come."""
    return tick_add(since, timeout) if ETERNITY not in (since, timeout) else ETERNITY
