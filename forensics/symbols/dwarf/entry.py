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
    STRING,
    STRP,
    UNIT_REFERENCES,
    read_number,
    skip_form,
)

if TYPE_CHECKING:
    from forensics.symbols.dwarf.info import DebugInfo, Unit


class Entry:
    """One entry: ``offset`` in .debug_info, ``after`` where its attributes end.

    ``values`` maps attribute names to (form, position, implicit value).
    """

    __slots__ = ("abbreviation", "after", "info", "offset", "unit", "values")

    def __init__(self, info: DebugInfo, unit: Unit, offset: int, abbreviation: Abbreviation, start: int) -> None:
        self.info = info
        self.unit = unit
        self.offset = offset
        self.abbreviation = abbreviation
        self.values: dict[int, tuple[int, int, int]] = {}
        data, position = info.info, start
        for name, declared, implicit in abbreviation.attributes:
            form = declared
            if declared == INDIRECT:
                form, position = read_uleb128(data, position)
            self.values[name] = (form, position, implicit)
            position = skip_form(data, position, form)
        self.after = position

    def number(self, name: int, default: int) -> int:
        """A numeric attribute, or ``default``."""
        value = self.values.get(name)
        if value is None:
            return default
        form, position, implicit = value
        return implicit if form == IMPLICIT_CONST else read_number(self.info.info, position, form)

    def address(self, name: int, default: int) -> int:
        """An attribute that is an address, direct or indexed."""
        value = self.values.get(name)
        if value is None:
            return default
        form, position, _implicit = value
        number = read_number(self.info.info, position, form)
        return self.info_address(number) if form in INDEXED_ADDRESSES else number

    def info_address(self, index: int) -> int:
        """Entry ``index`` of the unit's part of .debug_addr."""
        start = self.unit.address_base + index * 8
        return int.from_bytes(self.info.section(".debug_addr")[start : start + 8], "little")

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
        data = self.info.info
        if form == STRING:
            return _string(data, position)
        if form == STRP:
            return _string(self.info.section(".debug_str"), read_number(data, position, form))
        if form == LINE_STRP:
            return _string(self.info.section(".debug_line_str"), read_number(data, position, form))
        if form in INDEXED_STRINGS:
            start = self.unit.string_offsets_base + 4 * read_number(data, position, form)
            offset = int.from_bytes(self.info.section(".debug_str_offsets")[start : start + 4], "little")
            return _string(self.info.section(".debug_str"), offset)
        return ""

    def reference(self, name: int) -> Entry | None:
        """The entry that an attribute refers to, None when it lies in another file."""
        value = self.values.get(name)
        if value is None:
            return None
        form, position, _implicit = value
        if form in UNIT_REFERENCES:
            offset = self.unit.offset + read_number(self.info.info, position, form)
            return read_entry(self.info, self.unit, offset)
        if form == REF_ADDR:
            offset = read_number(self.info.info, position, form)
            unit = self.info.unit_at(offset)
            return read_entry(self.info, unit, offset) if unit else None
        return None


def _string(data: bytes, position: int) -> str:
    end = data.find(b"\0", position)
    return data[position:end].decode("utf-8", "replace") if position >= 0 and end >= 0 else ""


def read_entry(info: DebugInfo, unit: Unit, offset: int) -> Entry:
    """The entry at ``offset``. ValueError for one whose shape is not declared."""
    code, position = read_uleb128(info.info, offset)
    abbreviation = unit.abbreviations.get(code)
    if abbreviation is None:
        raise ValueError(f"entry at {offset:#x} has the undeclared shape {code}")
    return Entry(info, unit, offset, abbreviation, position)
