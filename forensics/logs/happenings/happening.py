"""One thing that a log tells of besides a death."""

from __future__ import annotations

from forensics.logs.line import Origin, origin_field
from forensics.record import record

#: What happens, as a timeline calls it.
KINDS = (
    "start", "reload", "failed start", "stop", "server", "proxy", "limit", "table full", "connection error", "warning",
    "traffic",
)  # fmt: skip


@record
class Happening:
    """One line's tale. ``what`` is one of ``KINDS``, ``text`` names no client, no address and nothing of a request.

    ``group`` is what the lines of many such happenings have in common: equal ones are counted, not repeated.
    """

    what: str
    text: str
    line: int
    group: str = ""
    origin: Origin = origin_field()
