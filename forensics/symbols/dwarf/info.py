"""The DWARF of a file: its units, the sections they point into, and the files that complete it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import TYPE_CHECKING

from forensics.absence import Absence
from forensics.symbols.dwarf.abbreviations import Abbreviations
from forensics.symbols.dwarf.damage import TooMuch
from forensics.symbols.dwarf.entry import Entry, read_entry
from forensics.symbols.dwarf.sections import DebugSections
from forensics.symbols.dwarf.units import UT_PARTIAL, Unit, iter_units

if TYPE_CHECKING:
    from forensics.symbols.dwarf.split import SplitFiles

__all__ = ["AT_COMP_DIR", "AT_LOW_PC", "AT_NAME", "AT_RANGES", "AT_STMT_LIST", "DebugInfo", "Unit", "open_debug_info"]

AT_NAME, AT_STMT_LIST, AT_LOW_PC, AT_COMP_DIR = 0x03, 0x10, 0x11, 0x1B
AT_RANGES = 0x55
AT_STR_OFFSETS_BASE, AT_ADDR_BASE, AT_RNGLISTS_BASE, AT_LOCLISTS_BASE = 0x72, 0x73, 0x74, 0x8C
#: gcc's extension of DWARF 4 for split DWARF (binutils, include/dwarf2.def).
AT_GNU_ADDR_BASE = 0x2133

#: Attributes of shapes, ranges and rows of lines read of one file, together: HAProxy has some 650,000. Tables may
#: overlap, so that a small file can claim any number of them.
_MOST_PARTS = 1 << 22


class DebugInfo:
    """The DWARF of one file. Ask ``open_debug_info``, which knows the file that has none."""

    def __init__(self, image: DebugSections, info: bytes, *, types: bool = False) -> None:
        """``info`` is .debug_info, or with ``types`` .debug_types."""
        self.path = image.path
        self.info = info
        self.image = image
        self._sections: dict[str, bytes] = {}
        self._units = list(iter_units(info, types=types))
        self._offsets = [unit.offset for unit in self._units]
        self._abbreviations: dict[tuple[int, int], Abbreviations] = {}
        self._tops: dict[int, Entry] = {}
        self._parts = 0
        self._types: DebugInfo | None = None
        self._signatures: dict[int, tuple[DebugInfo, Unit]] | None = None
        self._supplement: DebugInfo | None = None
        self._split: SplitFiles | None = None

    def section(self, name: str) -> bytes:
        """The bytes of a section, b"" when the file has none."""
        data = self._sections.get(name)
        if data is None:
            data = self._sections[name] = self._read_section(name)
        return data

    def _read_section(self, name: str) -> bytes:
        found = self.image.section(name)
        return b"" if isinstance(found, Absence) else found

    def spend(self, parts: int) -> None:
        """Count parts that were read. TooMuch beyond what any program has."""
        self._parts += parts
        if self._parts > _MOST_PARTS:
            raise TooMuch("more parts than any program has")

    @property
    def units(self) -> list[Unit]:
        """All units in the order of the file."""
        return self._units

    @property
    def referenced(self) -> DebugInfo:
        """Where references to other units lead: .debug_info, also for those of .debug_types."""
        return self

    @property
    def supplement(self) -> DebugInfo | None:
        """The file that several files share (`dwz -m`; DWARF 5, 7.3.6), None when it was not found."""
        image = self.image.supplement
        if self._supplement is None and image is not None:
            info = image.section(".debug_info")
            self._supplement = DebugInfo(image, b"" if isinstance(info, Absence) else info)
        return self._supplement

    @property
    def supplement_gap(self) -> Absence | None:
        """What is missing when this file needs a supplementary one that was not found."""
        # .debug_sup is the link of DWARF 5 (7.3.6); the shared file has one too.
        link = next((name for name in (".gnu_debugaltlink", ".debug_sup") if name in self.image.sections), "")
        if self.image.supplement is not None or not link:
            return None
        return Absence(
            f"names of {self.path}",
            f"they lie in a file that it shares with others ({link}), which was not found",
            "install the debug symbols completely: the shared file lies in `/usr/lib/debug/.dwz`",
        )

    @property
    def types(self) -> DebugInfo:
        """The type units of DWARF 4, which stand in a section of their own."""
        if self._types is None:
            self._types = _TypesOf(self)
        return self._types

    def parts_with_types(self) -> Iterator[DebugInfo]:
        """Parts of the same package that hold types; only split units have such."""
        return iter(())

    def type_at(self, signature: int) -> Entry | None:
        """The type that a type unit of this file describes, by its signature."""
        if self._signatures is None:
            self._signatures = {
                unit.signature: (info, unit) for info in (self, self.types) for unit in info.units if unit.type_offset
            }
        found = self._signatures.get(signature)
        if found is None:
            return None
        info, unit = found
        info.top(unit)
        return read_entry(info, unit, unit.offset + unit.type_offset)

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
            unit.abbreviations = self._table(unit)
            entry = read_entry(self, unit, unit.first_entry)
            self._set_bases(unit, entry)
            unit.low_pc = entry.address(AT_LOW_PC, unit.low_pc)
            self._tops[unit.offset] = entry
        return entry

    def body(self, unit: Unit) -> Entry | Absence:
        """The entry that holds the unit's functions: its own, or that of the split file to which it is the skeleton."""
        from forensics.symbols.dwarf.split import SplitFiles, is_skeleton

        top = self.top(unit)
        if not is_skeleton(top):
            return top
        if self._split is None:
            self._split = SplitFiles(self)
        return self._split.find(top)

    def _table(self, unit: Unit) -> Abbreviations:
        key = unit.abbreviations_offset, id(unit.sizes)
        table = self._abbreviations.get(key)
        if table is None:
            data = self.section(".debug_abbrev")
            table = self._abbreviations[key] = Abbreviations(data, unit.abbreviations_offset, unit.sizes, self.spend)
        return table

    def _set_bases(self, unit: Unit, entry: Entry) -> None:
        # The bases point behind a header: of 8 bytes, or 12 with a count of offsets; 8 bytes more in 64-bit DWARF.
        longer = 8 if unit.offset_size == 8 else 0
        unit.string_offsets_base = entry.number(AT_STR_OFFSETS_BASE, 8 + longer)
        unit.address_base = entry.number(AT_ADDR_BASE, 8 + longer)
        if unit.version < 5:
            unit.address_base = entry.number(AT_GNU_ADDR_BASE, 0)
        unit.range_lists_base = entry.number(AT_RNGLISTS_BASE, 12 + longer)
        unit.location_lists_base = entry.number(AT_LOCLISTS_BASE, 12 + longer)


class _TypesOf(DebugInfo):
    """The .debug_types of a file (DWARF 4, 7.5.1.2); all other sections are the file's."""

    def __init__(self, home: DebugInfo) -> None:
        super().__init__(home.image, home.section(".debug_types"), types=True)
        self._home = home

    def section(self, name: str) -> bytes:
        return self._home.section(name)

    def spend(self, parts: int) -> None:
        self._home.spend(parts)

    @property
    def referenced(self) -> DebugInfo:
        return self._home

    @property
    def supplement(self) -> DebugInfo | None:
        return self._home.supplement

    def type_at(self, signature: int) -> Entry | None:
        return self._home.type_at(signature)

    def _set_bases(self, unit: Unit, entry: Entry) -> None:
        self._home._set_bases(unit, entry)  # a split file's units are prepared in its own way


def has_code(unit: Unit) -> bool:
    """Whether the unit may hold code: types do not, nor what `dwz` moved out of several units."""
    return unit.kind != UT_PARTIAL and not unit.type_offset


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
