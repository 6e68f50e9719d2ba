"""One line as a program wrote it, and where it came from."""

from __future__ import annotations

from forensics.record import field, record


@record
class Origin:
    """Where and when a line was written, as its carrier tells.

    ``time`` is the timestamp's text, ``instant`` the same in seconds of UTC (None where the text is no date), and
    ``zoned`` tells whether its zone is known; without one it was taken for UTC. ``pid`` and ``identifier`` are those
    of the carrier's tag: for all that goes to an inherited stderr that can be the master, not the worker.
    """

    line: int = 0
    time: str | None = None
    instant: float | None = None
    zoned: bool = False
    host: str | None = None
    identifier: str | None = None
    pid: int | None = None

    @property
    def source(self) -> tuple[str | None, str | None, int | None]:
        """What tells one writer from another."""
        return self.host, self.identifier, self.pid


#: The origin of what was not read from a log.
NOWHERE = Origin()


def origin_field() -> Origin:
    """The member of an event that says where it was told: no part of what it says."""
    made: Origin = field(default=NOWHERE, compare=False, repr=False)
    return made


@record
class Record:
    """One line as the program wrote it. ``line`` counts the input's lines from 1; the rest is as in `Origin`.

    ``host`` is the machine, the container or the pod, outer ones first.
    """

    text: str
    line: int
    time: str | None = None
    identifier: str | None = None
    pid: int | None = None
    carrier: str = "plain"
    host: str | None = None
    instant: float | None = None
    zoned: bool = False

    @property
    def origin(self) -> Origin:
        """Where it came from, without the text."""
        return Origin(self.line, self.time, self.instant, self.zoned, self.host, self.identifier, self.pid)

    @property
    def source(self) -> tuple[str | None, str | None, int | None]:
        """What tells one writer from another."""
        return self.host, self.identifier, self.pid
