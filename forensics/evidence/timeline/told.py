"""What one log tells, before it has its place among others."""

from __future__ import annotations

from forensics.logs import Origin
from forensics.record import record

_NOWHERE = Origin()


@record
class Told:
    """One entry of one log. ``last`` is where the latest of ``count`` equal ones stands."""

    what: str
    text: str
    origin: Origin
    count: int = 1
    last: Origin = _NOWHERE
