"""Starts, reloads and stops: rare lines, which are looked for in the whole log."""

from __future__ import annotations

import re

from forensics.logs.clues import Clue
from forensics.logs.happenings.happening import Happening
from forensics.logs.limits import Kept
from forensics.logs.line import Record

#: "New worker" up to 3.0, "Initializing new worker" since 3.1: every start and every reload makes one.
CLUES = (Clue(b"ew worker "),)


#: A unit by its name or, up to systemd 248, by its description.
_UNIT = r"(?:haproxy\S{0,64}\.service|HA-?Proxy)\b"

#: What it is, a plain substring that the line holds, its shape, and how it is told ({0} is the first group).
_SHAPES: tuple[tuple[str, str, re.Pattern[str], str], ...] = tuple(
    (what, guard, re.compile(pattern), told)
    for what, guard, pattern, told in (
        ("start", "New worker ", r"New worker (?:#\d{1,9} )?\(?(\d{1,10})\)? forked", "worker {0} started"),
        ("start", "new worker ", r"Initializing new worker \(?(\d{1,10})\)?", "worker {0} started"),
        ("reload", "Reexecuting Master", r"Reexecuting Master process( in waitpid mode)?", "the master reloads{0}"),
        ("reload", "Reloading HAProxy", r"Reloading HAProxy( \(hard-reload\))?", "reload asked for{0}"),
        ("reload", "Reload", r"Reloading (\S{1,128}\.service)\b", "reload of {0} asked for"),
        ("reload", "Reload", rf"^Reloaded {_UNIT}", "reload done"),
        ("start", "Starting", rf"^Starting {_UNIT}", "systemd starts the service"),
        ("start", "Started", rf"^Started {_UNIT}", "the service is up"),
        ("stop", "Stopping", rf"^Stopping {_UNIT}", "systemd stops the service"),
        ("stop", "Stopped", rf"^Stopped {_UNIT}", "the service is down"),
        ("start", "cheduled restart", r"Scheduled restart job, restart counter is at (\d{1,9})",
         "systemd restarts the service (restart {0})"),
        ("failed start", "parsing [", r"\[ALERT\] .{1,40}: parsing \[([^\]]{1,256})\]\s{0,2}: ",
         "the configuration was refused at {0}"),
        ("failed start", "Loading failure", r"Loading failure!", "a new configuration could not be loaded"),
        ("failed start", "to load worker", r"Failed to load worker", "the new worker did not come up"),
        ("start", "Loading success", r"Loading success\.", "the configuration was loaded"),
        ("stop", "Exiting Master", r"Exiting Master process\.\.\.", "the master was asked to end"),
    )
)  # fmt: skip


class LifecycleRecogniser:
    """Collects starts, reloads and stops."""

    def __init__(self) -> None:
        self.found: Kept[Happening] = Kept()

    def feed(self, record: Record) -> None:
        """Read one record."""
        happening = lifecycle_of(record)
        if happening is not None:
            self.found.append(happening)

    def close(self) -> None:
        """Nothing stays open: each is one line."""


def lifecycle_of(record: Record) -> Happening | None:
    """What a line tells of starts, reloads and stops; None for any other line."""
    for what, guard, shape, told in _SHAPES:
        if guard in record.text and (match := shape.search(record.text)):
            text = told.format(*(each or "" for each in match.groups()))
            return Happening(what, text, record.line, text, record.origin)
    return None
