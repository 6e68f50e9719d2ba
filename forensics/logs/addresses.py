"""Stacks that are addresses and no more, and the lines that tell where the executable lay in memory."""

from __future__ import annotations

import re

from forensics.logs.gdb import PastedBacktrace, PastedThread
from forensics.logs.gdb_frame import PastedFrame
from forensics.logs.limits import Kept
from forensics.logs.line import Origin, Record, origin_field
from forensics.names import UNNAMED
from forensics.record import record

#: `0x55a2e4ce1d16`, `#3 0x55a2e4ce1d16`, `[0x55a2e4ce1d16]`, ` 3: 0x55a2e4ce1d16,`; in Markdown too.
_ADDRESS = re.compile(
    r"[\s>*`|-]{0,16}(?:#?(\d{1,3})[:.)]?\s{1,8})?\[?(?:0x([0-9a-f]{5,16})|([0-9a-f]{12,16}))[\]`,;]{0,4}\s*"
)
#: /proc/PID/maps, also below libc's "Memory map" and in apport's and ABRT's elements; the path is HAProxy's.
_MAPS = re.compile(
    r"[\s>`]{0,16}([0-9a-f]{5,16})-([0-9a-f]{5,16}) [r-][w-][x-][ps] ([0-9a-f]{1,16}) [0-9a-f]{1,4}:[0-9a-f]{1,4}"
    r" \d{1,20}\s{1,128}(/\S{0,200}(?:haproxy|hapee)\S{0,64})"
)
#: `info proc mappings` of gdb: start, end, size and offset, since 12 with permissions.
_MAPPINGS = re.compile(
    r"[\s>`]{0,32}0x([0-9a-f]{5,16})\s{1,8}0x([0-9a-f]{5,16})\s{1,8}0x[0-9a-f]{1,16}\s{1,8}0x([0-9a-f]{1,16})\s{1,8}"
    r"(?:[r-][w-][x-][ps]\s{1,8})?(/\S{0,200}(?:haproxy|hapee)\S{0,64})"
)
#: Fewer are no stack; a stack has no more.
_LEAST, _MOST = 2, 256


@record
class Mapping:
    """A part of the executable in memory: from ``start`` to ``end`` lies the file from ``offset`` on (bytes)."""

    start: int
    end: int
    offset: int
    path: str
    line: int
    origin: Origin = origin_field()


class MappingRecogniser:
    """Collects the mappings of HAProxy's executable."""

    def __init__(self) -> None:
        self.found: Kept[Mapping] = Kept()

    def feed(self, record: Record) -> None:
        """Read one record."""
        text = record.text
        if "/" not in text or ("-" not in text and "0x" not in text):
            return
        if match := _MAPS.match(text) or _MAPPINGS.match(text):
            start, end, offset = (int(match[place], 16) for place in (1, 2, 3))
            if start < end:
                self.found.append(Mapping(start, end, offset, match[4], record.line, record.origin))

    def close(self) -> None:
        """Nothing stays open: every mapping is one line."""


class AddressRecogniser:
    """Collects runs of lines that hold an address each, as backtraces without names."""

    def __init__(self) -> None:
        self.found: Kept[PastedBacktrace] = Kept()
        self._frames: list[PastedFrame] = []
        self._origin: Origin | None = None

    def feed(self, record: Record) -> None:
        """Read one record."""
        match = _ADDRESS.fullmatch(record.text) if len(record.text) < 128 else None
        if match is None:
            self.close()
            return
        index = int(match[1]) if match[1] else None
        if self._frames and index is not None and index <= self._frames[-1].index:
            self.close()
        if len(self._frames) < _MOST:
            address = int(match[2] or match[3], 16)
            place = index if index is not None else self._frames[-1].index + 1 if self._frames else 0
            self._frames.append(PastedFrame(place, address, UNNAMED, None, None, None, "", False, record.line))
            self._origin = self._origin or record.origin

    def close(self) -> None:
        """End the run."""
        if len(self._frames) >= _LEAST and self._origin is not None:
            threads = (PastedThread(None, None, tuple(self._frames)),)
            paste = PastedBacktrace(threads, None, None, self._origin.line, self._origin)
            self.found.append(paste, 1 + len(self._frames))
        self._frames, self._origin = [], None
