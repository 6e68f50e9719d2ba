"""The units of .debug_info and the sections they point into."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from forensics.absence import Absence
from forensics.symbols.dwarf.abbreviations import Abbreviation, read_abbreviations
from forensics.symbols.dwarf.entry import Entry, read_entry

AT_NAME, AT_STMT_LIST, AT_LOW_PC, AT_COMP_DIR = 0x03, 0x10, 0x11, 0x1B
AT_RANGES = 0x55
AT_STR_OFFSETS_BASE, AT_ADDR_BASE, AT_RNGLISTS_BASE = 0x72, 0x73, 0x74

#: DW_UT_skeleton and DW_UT_split_compile carry a DWO id, DW_UT_type and its split form a signature.
_HEADER_EXTRA = {4: 8, 5: 8, 2: 12, 6: 12}


@dataclass(slots=True)
class Unit:
    """One compilation (or partial) unit; offsets into .debug_info."""

    offset: int
    end: int
    version: int
    first_entry: int
    abbreviations_offset: int
    string_offsets_base: int = 8
    address_base: int = 8
    range_lists_base: int = 12
    low_pc: int = 0
    abbreviations: dict[int, Abbreviation] = field(default_factory=dict)


class DebugSections(Protocol):
    """Where the debug sections come from: an ELF image, or a symbol pack that kept them."""

    path: str

    @property
    def supplement(self) -> DebugSections | None:
        """The supplementary file that dwz moved common parts to."""

    def section(self, name: str) -> bytes | Absence:
        """The bytes of a section, decompressed."""


class DebugInfo:
    """The DWARF of one file. Raises KeyError when the file has none: ask ``open_debug_info``."""

    def __init__(self, image: DebugSections, info: bytes) -> None:
        self.path = image.path
        self.image = image
        self.info = info
        self._sections: dict[str, bytes] = {}
        self._units = list(self._read_units())
        self._offsets = [unit.offset for unit in self._units]
        self._abbreviations: dict[int, dict[int, Abbreviation]] = {}
        self._tops: dict[int, Entry] = {}

    def section(self, name: str) -> bytes:
        """The bytes of a section, b"" when the file has none."""
        data = self._sections.get(name)
        if data is None:
            found = self.image.section(name)
            data = self._sections[name] = b"" if isinstance(found, Absence) else found
        return data

    def _read_units(self) -> Iterator[Unit]:
        data, position = self.info, 0
        while position + 12 <= len(data):
            length, version = struct.unpack_from("<IH", data, position)
            if length >= 0xFFFFFFF0 or length == 0:  # 64-bit DWARF is not written by any packager of HAProxy
                return
            if version >= 5:
                kind = data[position + 6]
                abbreviations = struct.unpack_from("<I", data, position + 8)[0]
                first = position + 12 + _HEADER_EXTRA.get(kind, 0)
            else:
                abbreviations = struct.unpack_from("<I", data, position + 6)[0]
                first = position + 11
            yield Unit(position, position + 4 + length, version, first, abbreviations)
            position += 4 + length

    @property
    def units(self) -> list[Unit]:
        """All units in the order of the file."""
        return self._units

    def unit_at(self, offset: int) -> Unit | None:
        """The unit that holds the entry at ``offset``."""
        index = bisect_right(self._offsets, offset) - 1
        if index < 0 or offset >= self._units[index].end:
            return None
        unit = self._units[index]
        self.top(unit)
        return unit

    def top(self, unit: Unit) -> Entry:
        """The unit's own entry; reading it prepares the unit for all others."""
        entry = self._tops.get(unit.offset)
        if entry is None:
            table = self._abbreviations.get(unit.abbreviations_offset)
            if table is None:
                table = read_abbreviations(self.section(".debug_abbrev"), unit.abbreviations_offset)
                self._abbreviations[unit.abbreviations_offset] = table
            unit.abbreviations = table
            entry = read_entry(self, unit, unit.first_entry)
            self._prepare(unit, entry)
            self._tops[unit.offset] = entry
        return entry

    @staticmethod
    def _prepare(unit: Unit, entry: Entry) -> None:
        unit.string_offsets_base = entry.number(AT_STR_OFFSETS_BASE, 8)
        unit.address_base = entry.number(AT_ADDR_BASE, 8)
        unit.range_lists_base = entry.number(AT_RNGLISTS_BASE, 12)
        unit.low_pc = entry.address(AT_LOW_PC, 0)


def open_debug_info(image: DebugSections) -> DebugInfo | Absence:
    """The DWARF of ``image``, or why there is none."""
    info = image.section(".debug_info")
    if isinstance(info, Absence):
        return Absence(
            f"source lines of {image.path}",
            "the file has no DWARF",
            "install the debug symbols of this build (such as `haproxy-dbgsym` or `haproxy-debuginfo`)",
        )
    return DebugInfo(image, info)
