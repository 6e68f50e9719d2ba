"""Which HAProxy this was: ``haproxy_version`` and ``haproxy_date`` (src/version.c), from the core alone."""

from __future__ import annotations

import re

from forensics.absence import Absence
from forensics.elf.module import Module
from forensics.memory.process import Segment
from forensics.record import record
from forensics.unwind.backtrace import Process

#: As `haproxy -v` prints it: 2.9.6-9eafce5, 3.5-dev5-03bde20ef, 2.6.12-1+deb12u4.
_VERSION = re.compile(rb"(?<![\w.])([1-9]\.\d{1,2}(?:\.\d{1,3}|-dev\d{1,3})(?:[-+~][\w.+~-]{1,60})?)\0")
_DATE = re.compile(rb"20\d\d/\d\d/\d\d\0")

#: The data of an executable is some 300 KB; more than this is somebody else's.
_SCAN = 8 << 20
#: Both strings stand in .data of one object file.
_NEAR = 4096


@record
class Release:
    """``version`` as HAProxy calls itself and ``date`` of its last commit (YYYY/MM/DD, "" when not found).

    ``address`` is where the version stands; ``how`` says how it was found.
    """

    version: str
    date: str
    address: int
    how: str


def find_release(process: Process) -> Release | Absence:
    """The release: by the exported symbol, else by searching the executable's data in the core."""
    module = process.core.main_module
    if isinstance(module, Absence):
        return module
    return _by_symbol(process, module) or _by_search(process, module)


def _by_symbol(process: Process, module: Module) -> Release | Absence:
    symbols = process.symbols(module)
    address = symbols.variable("haproxy_version")
    if isinstance(address, Absence):
        return address
    text = process.core.memory.string(module.base + address, 80)
    if isinstance(text, Absence) or not _VERSION.match(text.encode() + b"\0"):
        return Absence("process.version", "the symbol haproxy_version does not lead to a version")
    date = symbols.variable("haproxy_date")
    day = "" if isinstance(date, Absence) else process.core.memory.string(module.base + date, 16)
    known = day if isinstance(day, str) and _DATE.match(day.encode() + b"\0") else ""
    return Release(text, known, module.base + address, "symbol haproxy_version")


def _by_search(process: Process, module: Module) -> Release | Absence:
    """The first string of the form of a version that stands near a date."""
    for segment in process.core.memory.segments:
        if segment.writable and segment.address < module.end and segment.end > module.start:
            found = _in_segment(process, segment)
            if found:
                return found
    return Absence(
        "process.version",
        "the executable's data is not in the core, or holds no version",
        "the executable, with `--exe`; or the log, whose first lines name the version",
    )


def _in_segment(process: Process, segment: Segment) -> Release | None:
    data = process.core.memory.read(segment.address, min(segment.file_size, _SCAN))
    if isinstance(data, Absence):
        return None
    for match in _VERSION.finditer(data):
        near = data[max(0, match.start() - _NEAR) : match.end() + _NEAR]
        date = _DATE.search(near)
        if date:
            day = date.group()[:-1].decode()
            text = match[1].decode("ascii", "replace")
            return Release(text, day, segment.address + match.start(1), "search of the executable's data")
    return None
