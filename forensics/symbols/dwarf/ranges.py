"""Which code an entry or a unit covers (DWARF 5, 2.17)."""

from __future__ import annotations

import struct
from bisect import bisect_right

from forensics.elf.encoding import read_uleb128
from forensics.symbols.dwarf.damage import DAMAGE, TooMuch
from forensics.symbols.dwarf.entry import Entry
from forensics.symbols.dwarf.forms import RNGLISTX
from forensics.symbols.dwarf.info import AT_LOW_PC, AT_RANGES, DebugInfo, has_code
from forensics.symbols.dwarf.units import Unit, read_length

AT_HIGH_PC = 0x12

#: Ranges of one list; a unit whose functions have a section each has one a function.
_MOST_RANGES = 1 << 18

Range = tuple[int, int]


def ranges_of(entry: Entry) -> list[Range]:
    """The address ranges of ``entry``, [start, end), empty when it has none."""
    if AT_RANGES in entry.values:
        return _range_list(entry)
    if AT_LOW_PC not in entry.values or AT_HIGH_PC not in entry.values:
        return []
    low = entry.address(AT_LOW_PC, 0)
    high = entry.address(AT_HIGH_PC, 0)
    return [(low, high if entry.is_address(AT_HIGH_PC) else low + high)]


def holds(ranges: list[Range], pc: int) -> bool:
    """Whether ``pc`` lies in one of ``ranges``."""
    return any(start <= pc < end for start, end in ranges)


def _range_list(entry: Entry) -> list[Range]:
    value, unit = entry.number(AT_RANGES, 0), entry.unit
    if unit.version < 5:
        found = _old_list(entry.info.section(".debug_ranges"), value + unit.ranges_base, unit.low_pc)
    else:
        lists = entry.info.section(".debug_rnglists")
        if entry.form(AT_RANGES) == RNGLISTX:
            base, size = unit.range_lists_base, unit.offset_size
            value = base + struct.unpack_from("<Q" if size == 8 else "<I", lists, base + value * size)[0]
        found = _new_list(lists, value, entry)
    entry.info.spend(len(found))
    return found


def _old_list(data: bytes, position: int, base: int) -> list[Range]:
    found: list[Range] = []
    while position + 16 <= len(data):
        start, end = struct.unpack_from("<QQ", data, position)
        position += 16
        if start == 0xFFFFFFFFFFFFFFFF:
            base = end
        elif start == end == 0:
            break
        else:
            found.append((base + start, base + end))
            if len(found) > _MOST_RANGES:
                raise TooMuch("more ranges than any function has")
    return found


def _new_list(data: bytes, position: int, entry: Entry) -> list[Range]:
    """A list of .debug_rnglists (DWARF 5, 7.25)."""
    base = entry.unit.low_pc
    found: list[Range] = []
    while position < len(data):
        kind = data[position]
        position += 1
        if kind == 0:
            break
        if len(found) > _MOST_RANGES:
            raise TooMuch("more ranges than any function has")
        first, second, position = _operands(data, position, kind, entry)
        if kind in (1, 5):  # base_addressx, base_address
            base = first
        elif kind == 4:  # offset_pair
            found.append((base + first, base + second))
        elif kind in (2, 6):  # startx_endx, start_end
            found.append((first, second))
        else:  # startx_length, start_length
            found.append((first, first + second))
    return found


def _operands(data: bytes, position: int, kind: int, entry: Entry) -> tuple[int, int, int]:
    if kind in (5, 6, 7):
        first = int.from_bytes(data[position : position + 8], "little")
        position += 8
    elif kind in (1, 2, 3, 4):
        first, position = read_uleb128(data, position)
        if kind != 4:
            first = entry.info_address(first)
    else:
        raise ValueError(f"range list entry {kind}")
    if kind in (1, 5):
        return first, 0, position
    if kind == 6:
        return first, int.from_bytes(data[position : position + 8], "little"), position + 8
    second, position = read_uleb128(data, position)
    return first, entry.info_address(second) if kind == 2 else second, position


class UnitIndex:
    """Which unit holds an address: .debug_aranges, else the ranges of every unit."""

    def __init__(self, info: DebugInfo) -> None:
        self._info = info
        listed = _aranges(info)
        # Not every compiler writes .debug_aranges for its units: those it leaves out tell their own ranges.
        found = listed + _ranges_of_units(info, {unit for _start, _end, unit in listed})
        self._ranges = sorted(found)
        self._starts = [one[0] for one in self._ranges]

    def find(self, pc: int) -> Unit | None:
        """The unit whose code holds ``pc``."""
        index = bisect_right(self._starts, pc) - 1
        if index < 0 or pc >= self._ranges[index][1]:
            return None
        return self._info.unit_at(self._ranges[index][2])


def _aranges(info: DebugInfo) -> list[tuple[int, int, int]]:
    """(start, end, offset of the unit) from .debug_aranges (DWARF 5, 6.1.2)."""
    data, position, found = info.section(".debug_aranges"), 0, []
    while position + 12 <= len(data):
        length, header, offset_size = read_length(data, position)
        if length == 0:
            break
        end = min(header + length, len(data))
        unit = int.from_bytes(data[header + 2 : header + 2 + offset_size], "little")
        # Tuples are aligned to twice the size of an address, counted from the start of the header.
        first = position + (header + 2 + offset_size + 2 - position + 15) // 16 * 16
        for start, size in struct.iter_unpack("<QQ", data[first : end - (end - first) % 16]) if first < end else ():
            if size and start:
                found.append((start, start + size, unit))
        position = end
    info.spend(len(found))
    return found


def _ranges_of_units(info: DebugInfo, listed: set[int]) -> list[tuple[int, int, int]]:
    """The same from the units' own entries; a unit that is damaged has none."""
    found = []
    for unit in info.units:
        if unit.offset in listed or not has_code(unit):
            continue
        try:
            ranges = ranges_of(info.top(unit))
        except TooMuch:
            raise
        except DAMAGE:
            continue
        found += [(start, end, unit.offset) for start, end in ranges if start]
    return found
