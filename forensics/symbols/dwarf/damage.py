"""What reading damaged DWARF raises."""

from __future__ import annotations

import struct


class TooMuch(ValueError):
    """The file makes us read more than any program has: no part of it is worth going on."""


#: Each becomes an Absence in ``locate``.
DAMAGE = (IndexError, ValueError, KeyError, struct.error, RecursionError, ZeroDivisionError)
