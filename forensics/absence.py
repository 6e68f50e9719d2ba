"""Why a value is missing, as a value.

Expected damage (a truncated core, a stripped binary, a log that was rotated
away) is returned as an :class:`Absence`; only misuse raises.
"""

from __future__ import annotations

from forensics.record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal


@record
class Absence:
    """A value that could not be had.

    ``subject`` names the value ("source line of frame 3"), ``reason`` says why
    it is missing, and ``remedy`` what would supply it ("" when nothing would).
    """

    subject: str
    reason: str
    remedy: str = ""

    def __bool__(self) -> Literal[False]:
        """Absences are false, so that ``value or fallback`` reads naturally."""
        return False
