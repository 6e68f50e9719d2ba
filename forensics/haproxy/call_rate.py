"""Rates: ``struct freq_ctr`` (freq_ctr-t.h), events of the second that runs and of the one before."""

from __future__ import annotations

from forensics.absence import Absence
from forensics.haproxy.leads import number
from forensics.haproxy.moment import Moment
from forensics.haproxy.structs import Struct

_PERIOD = 1000  # ms


def read_rate(struct: Struct, path: str, moment: Moment) -> int:
    """Events a second at the moment of death (read_freq_ctr); 0 where the build has no such member.

    The period that runs began at ``curr_tick`` (ms), up to 2.3 at ``curr_sec``.
    """
    counter = struct.inner(path)
    if isinstance(counter, Absence):
        return 0
    current, past = number(counter, "curr_ctr"), number(counter, "prev_ctr")
    if counter.has("curr_tick"):
        elapsed = -moment.left(number(counter, "curr_tick") & ~1)
    else:
        elapsed = (moment.seconds - (number(counter, "curr_sec") & ~(1 << 31))) * 1000 + moment.ms % 1000
    if elapsed >= _PERIOD:
        past = current if elapsed < 2 * _PERIOD else 0
        current, elapsed = 0, elapsed - _PERIOD
    if elapsed >= _PERIOD or (not current and past <= 1):
        return past
    return current + past * (_PERIOD - max(elapsed, 0)) // _PERIOD
