"""One line of the catalogue of facts."""

from __future__ import annotations

from forensics.record import record


@record
class FactKind:
    """One line of the catalogue. ``type`` is str, int, bool, list or stack; ``label`` what a reader calls it."""

    name: str
    label: str
    type: str
    meaning: str
    supply: str
