"""What a line must hold for a recogniser to look at it."""

from __future__ import annotations

import re

from forensics.record import record


@record
class Clue:
    """Bytes that a line holds: ``needle``, and right behind it what the expression ``rest`` matches.

    Needles are what a whole log is searched for, so they are rare in traffic; ``rest`` keeps lines that hold one by
    chance from being decoded.
    """

    needle: bytes
    rest: bytes = b""

    @property
    def expression(self) -> bytes:
        """The regular expression of both."""
        return re.escape(self.needle) + self.rest
