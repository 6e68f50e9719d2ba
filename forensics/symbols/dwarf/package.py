"""A package of split DWARF (.dwp): which part of each section belongs to a unit (DWARF 5, 7.3.5).

Version 2 is what gcc's extension of DWARF 4 had (https://gcc.gnu.org/wiki/DebugFissionDWP).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from forensics.absence import Absence
from forensics.elf.image import ElfImage
from forensics.errors import ForensicsError
from forensics.memory.random_access import LocalFile
from forensics.symbols.dwarf.damage import TooMuch

#: Offset and size of what a unit owns of each section, by the section's name without ".dwo".
Parts = dict[str, tuple[int, int]]

#: DW_SECT_*: the sections that columns stand for, in the two versions.
_COLUMNS = {
    2: {
        1: ".debug_info", 2: ".debug_types", 3: ".debug_abbrev", 4: ".debug_line", 5: ".debug_loc",
        6: ".debug_str_offsets", 7: ".debug_macinfo", 8: ".debug_macro",
    },
    5: {
        1: ".debug_info", 3: ".debug_abbrev", 4: ".debug_line", 5: ".debug_loclists", 6: ".debug_str_offsets",
        7: ".debug_macro", 8: ".debug_rnglists",
    },
}  # fmt: skip
#: Sections of which every unit owns a part; others, such as .debug_str, belong to all.
_DIVIDED = frozenset(name for columns in _COLUMNS.values() for name in columns.values())


class PackageIndex:
    """A hash table of .debug_cu_index or .debug_tu_index: from an id or a signature to parts."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._columns = self._units = self._slots = 0
        version = int.from_bytes(data[:4], "little")
        # Version 2 has the version in four bytes, version 5 in two and then a padding.
        self._names = _COLUMNS.get(version) or _COLUMNS.get(version & 0xFFFF, {})
        if self._names and len(data) >= 16:
            self._columns, self._units, self._slots = struct.unpack_from("<III", data, 4)
        if self._slots & (self._slots - 1):
            self._slots = 0  # no table of this kind

    def find(self, signature: int) -> Parts:
        """The parts of the unit with this id, empty when it is not listed. struct.error in a damaged table."""
        if not self._slots:
            return {}
        mask = self._slots - 1
        slot, step = signature & mask, ((signature >> 32) & mask) | 1
        rows = 16 + 8 * self._slots
        for _probe in range(self._slots):
            (row,) = struct.unpack_from("<I", self._data, rows + 4 * slot)
            if row == 0:
                break
            if struct.unpack_from("<Q", self._data, 16 + 8 * slot)[0] == signature:
                return self._parts(rows + 4 * self._slots, row)
            slot = (slot + step) & mask
        return {}

    def signatures(self) -> Iterator[int]:
        """All ids that are listed."""
        ids, rows = 16, 16 + 8 * self._slots
        if rows + 4 * self._slots <= len(self._data):
            for slot in range(self._slots):
                if any(self._data[rows + 4 * slot : rows + 4 * slot + 4]):
                    yield int.from_bytes(self._data[ids + 8 * slot : ids + 8 * slot + 8], "little")

    def _parts(self, table: int, row: int) -> Parts:
        """Row ``row`` (from 1) of the tables of offsets and of sizes, which begin with the columns at ``table``."""
        if row > self._units or self._columns > len(_DIVIDED):
            return {}
        shape = f"<{self._columns}I"
        width = 4 * self._columns
        kinds = struct.unpack_from(shape, self._data, table)
        offsets = struct.unpack_from(shape, self._data, table + width * row)
        lengths = struct.unpack_from(shape, self._data, table + width * (self._units + row))
        return {
            self._names[kind]: (offset, length)
            for kind, offset, length in zip(kinds, offsets, lengths, strict=True)
            if kind in self._names
        }


class Package:
    """One .dwp file."""

    def __init__(self, image: ElfImage) -> None:
        self.image = image
        self._sections: dict[str, bytes] = {}
        self._slices: dict[tuple[str, int, int], bytes] = {}
        self._handed = 0
        self.units = PackageIndex(self._whole(".debug_cu_index"))
        self.types = PackageIndex(self._whole(".debug_tu_index"))

    def section(self, name: str, parts: Parts) -> bytes:
        """What the unit that owns ``parts`` sees of a section; b"" for one that it has no part of.

        TooMuch when more is handed out than parts that do not overlap can have.
        """
        whole = self._whole(f"{name}.dwo")
        if name not in _DIVIDED:
            return whole
        key = name, *parts.get(name, (0, 0))
        data = self._slices.get(key)
        if data is None:
            data = self._slices[key] = whole[key[1] : key[1] + key[2]]
            self._handed += len(data)
            if self._handed > sum(len(section) for section in self._sections.values()):
                raise TooMuch(f"the parts of {self.image.path} overlap")
        return data

    def _whole(self, name: str) -> bytes:
        data = self._sections.get(name)
        if data is None:
            found = self.image.section(name)
            data = self._sections[name] = b"" if isinstance(found, Absence) else found
        return data


def open_package(path: str) -> Package | Absence:
    """The package at ``path``, or why it is none."""
    try:
        return Package(ElfImage(LocalFile(path)))
    except ForensicsError as error:
        return Absence(f"package `{path}`", error.message)
