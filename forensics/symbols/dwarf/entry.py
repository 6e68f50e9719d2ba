"""Debugging information entries: reading one, with its attributes resolved when asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from forensics.elf.encoding import read_uleb128
from forensics.symbols.dwarf.abbreviations import Abbreviation
from forensics.symbols.dwarf.forms import (
    ADDR,
    IMPLICIT_CONST,
    INDEXED_ADDRESSES,
    INDEXED_STRINGS,
    INDIRECT,
    LINE_STRP,
    REF_ADDR,
    REF_SIG8,
    STRING,
    STRP,
    SUPPLEMENT_REFERENCES,
    SUPPLEMENT_STRINGS,
    UNIT_REFERENCES,
    read_number,
    skip_form,
)

if TYPE_CHECKING:
    from forensics.symbols.dwarf.info import DebugInfo
    from forensics.symbols.dwarf.units import Unit


class Entry:
    """One entry: ``offset`` in .debug_info, ``after`` where its attributes end.

    ``values`` maps attribute names to (form, position, implicit value).
    """

    __slots__ = ("abbreviation", "after", "info", "offset", "unit", "values")

    values: dict[int, tuple[int, int, int]]

    def __init__(self, info: DebugInfo, unit: Unit, offset: int, abbreviation: Abbreviation, start: int) -> None:
        self.info = info
        self.unit = unit
        self.offset = offset
        self.abbreviation = abbreviation
        if abbreviation.size >= 0:
            self.values = {name: (form, start + at, value) for name, form, at, value in abbreviation.places}
            self.after = start + abbreviation.size
            return
        self.values = {}
        data, position, sizes = info.info, start, abbreviation.sizes
        for name, declared, implicit in abbreviation.attributes:
            form = declared
            if declared == INDIRECT:
                form, position = read_uleb128(data, position)
            self.values[name] = (form, position, implicit)
            position = skip_form(data, position, form, sizes)
        self.after = position

    def number(self, name: int, default: int) -> int:
        """A numeric attribute, or ``default``."""
        value = self.values.get(name)
        if value is None:
            return default
        form, position, implicit = value
        return implicit if form == IMPLICIT_CONST else read_number(self.info.info, position, form, self.unit.sizes)

    def address(self, name: int, default: int) -> int:
        """An attribute that is an address, direct or indexed."""
        number = self.number(name, default)
        return self.info_address(number) if self.form(name) in INDEXED_ADDRESSES else number

    def info_address(self, index: int) -> int:
        """Entry ``index`` of the unit's part of .debug_addr. IndexError when it has none."""
        start = self.unit.address_base + index * 8
        data = self.info.section(".debug_addr")[start : start + 8]
        if len(data) < 8:
            raise IndexError(f"there is no address {index}")
        return int.from_bytes(data, "little")

    def is_address(self, name: int) -> bool:
        """Whether the attribute is an address (DW_AT_high_pc may be a size instead)."""
        value = self.values.get(name)
        return value is not None and (value[0] == ADDR or value[0] in INDEXED_ADDRESSES)

    def form(self, name: int) -> int:
        """The form of an attribute, 0 when there is none."""
        value = self.values.get(name)
        return value[0] if value else 0

    def text(self, name: int) -> str:
        """A string attribute, "" when there is none or it lies in a file that is not there."""
        value = self.values.get(name)
        if value is None:
            return ""
        form, position, _implicit = value
        info, data = self.info, self.info.info
        if form == STRING:
            return _string(data, position)
        offset = self.number(name, 0)
        if form == STRP:
            return _string(info.section(".debug_str"), offset)
        if form == LINE_STRP:
            return _string(info.section(".debug_line_str"), offset)
        if form in INDEXED_STRINGS:
            size = self.unit.offset_size
            start = self.unit.string_offsets_base + size * offset
            offset = int.from_bytes(info.section(".debug_str_offsets")[start : start + size], "little")
            return _string(info.section(".debug_str"), offset)
        if form in SUPPLEMENT_STRINGS and info.supplement is not None:
            return _string(info.supplement.section(".debug_str"), offset)
        return ""

    def reference(self, name: int) -> Entry | None:
        """The entry that an attribute refers to, None when it lies in a file that is not there."""
        form = self.form(name)
        if not form:
            return None
        offset = self.number(name, 0)
        if form in UNIT_REFERENCES:
            return read_entry(self.info, self.unit, self.unit.offset + offset)
        if form == REF_SIG8:
            return self.info.type_at(offset)
        target = self.info.referenced if form == REF_ADDR else self.info.supplement
        if target is None or (form != REF_ADDR and form not in SUPPLEMENT_REFERENCES):
            return None
        unit = target.unit_at(offset)
        return read_entry(target, unit, offset) if unit else None


def _string(data: bytes, position: int) -> str:
    end = data.find(b"\0", position)
    return data[position:end].decode("utf-8", "replace") if position >= 0 and end >= 0 else ""


def read_entry(info: DebugInfo, unit: Unit, offset: int) -> Entry:
    """The entry at ``offset``. KeyError for one whose shape is not declared."""
    code, position = read_uleb128(info.info, offset)
    return Entry(info, unit, offset, unit.abbreviations[code], position)
