"""Members of structures that may be damaged: numbers, and pointers that are remembered if they lead nowhere."""

from __future__ import annotations

from forensics.absence import Absence
from forensics.haproxy.structs import LONGEST, Struct
from forensics.record import field, open_record

#: Pointers that lead nowhere which are remembered for one answer.
_MOST = 50


def number(struct: Struct, *paths: str) -> int:
    """The first of the members that this build has, 0 where it has none of them."""
    found = struct.any_number(*paths)
    return found if isinstance(found, int) else 0


def text(struct: Struct, path: str, most: int = LONGEST) -> str:
    """A string of at most ``most`` bytes, "" where it cannot be read or its pointer is NULL."""
    found = struct.text(path, most)
    return found if isinstance(found, str) else ""


@open_record
class Leads:
    """Pointers that were followed, and those of them that lead nowhere, the first ones only."""

    broken: list[Absence] = field(default_factory=list)
    _told: set[tuple[str, str]] = field(default_factory=set)

    def follow(self, struct: Struct, path: str, target: str = "") -> Struct | Absence:
        """What the pointer leads to. Remembered as broken when it is not NULL, and what it leads to cannot be read."""
        found = struct.follow(path, target)
        if isinstance(found, Absence) and struct.number(path):
            self.report(f"{struct.layout.name}.{path} of {struct.address:#x}", found)
        return found

    def report(self, subject: str, why: Absence) -> None:
        """Remember what misleads; what is the same for all, such as a structure that is not known, once."""
        same = (why.subject, why.reason)
        if len(self.broken) < _MOST and same not in self._told:
            self._told.add(same)
            self.broken.append(Absence(subject, f"{why.subject}: {why.reason}", why.remedy))
