"""What ties a mux's stream to HAProxy's: a ``sedesc`` since 2.6, a ``conn_stream`` before that."""

from __future__ import annotations

from forensics.absence import Absence
from forensics.haproxy.leads import Leads, number
from forensics.haproxy.structs import Struct
from forensics.haproxy.term_events import read_events
from forensics.record import record

#: SE_FL_ORPHAN (the same since 2.6): there is no stconn.
_ORPHAN = 0x20
_NONE = (Absence("term_evts_log", "there is none here"),) * 2 + (Absence("sedesc.kip", "there is none here"),)


@record
class Endpoint:
    """``flags`` of the descriptor at ``address``; the side at ``side`` (0: none) with its flags and its stream.

    Up to 2.5 ``old`` is set, the descriptor is the conn_stream itself, and ``application`` its ``data``. The logs are
    those of term_events (3.2), ``payload`` is the bytes that are known to come and to go (3.3).
    """

    old: bool
    address: int
    flags: int
    orphan: bool
    side: int
    side_flags: int
    application: int
    events_log: str | Absence
    side_events: str | Absence
    payload: tuple[int, int] | Absence


def read_endpoint(struct: Struct, leads: Leads) -> Endpoint:
    """The endpoint of a ``struct h1s`` or ``struct h2s``."""
    if struct.has("cs"):
        tied = leads.follow(struct, "cs", "conn_stream")
        if isinstance(tied, Absence):
            return Endpoint(True, number(struct, "cs"), 0, True, 0, 0, 0, *_NONE)
        return Endpoint(True, tied.address, number(tied, "flags"), False, 0, 0, number(tied, "data"), *_NONE)
    descriptor = leads.follow(struct, "sd", "sedesc")
    if isinstance(descriptor, Absence):
        return Endpoint(False, number(struct, "sd"), 0, True, 0, 0, 0, *_NONE)
    flags, side = number(descriptor, "flags"), leads.follow(descriptor, "sc", "stconn")
    head = (False, descriptor.address, flags, bool(flags & _ORPHAN))
    if isinstance(side, Absence):
        return Endpoint(*head, 0, 0, 0, read_events(descriptor), _NONE[1], _payload(descriptor))
    return Endpoint(
        *head,
        side.address,
        number(side, "flags"),
        number(side, "app"),
        read_events(descriptor),
        read_events(side),
        _payload(descriptor),
    )


def _payload(descriptor: Struct) -> tuple[int, int] | Absence:
    """What is known to come, and to go (3.3)."""
    known = descriptor.first("kip")
    return known if isinstance(known, Absence) else (number(descriptor, "kip"), number(descriptor, "kop"))
