"""Headers of units (DWARF 5, 7.5.1; DWARF 4, 7.5.1 with .debug_types), of 32-bit and of 64-bit DWARF."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from forensics.symbols.dwarf.abbreviations import Abbreviation
from forensics.symbols.dwarf.forms import FIXED, sizes_of

UT_COMPILE, UT_TYPE, UT_PARTIAL, UT_SKELETON, UT_SPLIT_COMPILE, UT_SPLIT_TYPE = range(1, 7)

#: Unit types whose header goes on with the id of a split unit, and with the signature of a type.
_WITH_ID = frozenset((UT_SKELETON, UT_SPLIT_COMPILE))
_WITH_SIGNATURE = frozenset((UT_TYPE, UT_SPLIT_TYPE))

#: Units of one file; glibc's debug file has some 2,000.
_MAX_UNITS = 1 << 16

#: Bytes of one unit; HAProxy's have up to 0.2 MB, those of an optimised link of the whole some MB.
_MAX_UNIT = 1 << 25

_VERSIONS = range(2, 6)


@dataclass(slots=True)
class Unit:
    """One unit; offsets into .debug_info (or .debug_types), bases into the section that they are named after.

    ``kind`` is DW_UT_*; ``signature`` that of a type unit, or the id of a skeleton or
    split unit of DWARF 5; ``type_offset`` where a type unit's type begins, from ``offset``;
    ``offset_size`` 8 in 64-bit DWARF. What follows ``offset_size`` is known once the unit's own entry was read.
    """

    offset: int
    end: int
    version: int
    first_entry: int
    abbreviations_offset: int
    kind: int = UT_COMPILE
    signature: int = 0
    type_offset: int = 0
    sizes: dict[int, int] = field(default_factory=lambda: FIXED)
    offset_size: int = 4
    string_offsets_base: int = 8
    address_base: int = 8
    range_lists_base: int = 12
    location_lists_base: int = 12
    ranges_base: int = 0
    low_pc: int = 0
    abbreviations: dict[int, Abbreviation] = field(default_factory=dict)


def read_length(data: bytes, position: int) -> tuple[int, int, int]:
    """An initial length (7.4): the bytes that follow it, where they begin, the size of offsets there.

    The length is 0 for one of the reserved values.
    """
    length = int.from_bytes(data[position : position + 4], "little")
    if length == 0xFFFFFFFF:
        return int.from_bytes(data[position + 4 : position + 12], "little"), position + 12, 8
    return (length if length < 0xFFFFFFF0 else 0), position + 4, 4


def iter_units(data: bytes, *, types: bool = False) -> Iterator[Unit]:
    """The units of .debug_info, or of .debug_types (DWARF 4). ValueError for more than any program has.

    Units of versions that are not known, or too large to be read in time, are left out; what follows a broken
    length is lost.
    """
    position, count = 0, 0
    while position + 12 <= len(data):
        length, start, offset_size = read_length(data, position)
        if length == 0:
            return
        end = min(start + length, len(data))
        unit = _read_header(data, position, start, end, offset_size, types)
        if unit is not None:
            yield unit
        position, count = end, count + 1
        if count > _MAX_UNITS:
            raise ValueError("more units than any program has")


def _read_header(data: bytes, offset: int, start: int, end: int, offset_size: int, types: bool) -> Unit | None:
    """The header whose version stands at ``start``; None for one that cannot be read."""
    code = "Q" if offset_size == 8 else "I"
    try:
        (version,) = struct.unpack_from("<H", data, start)
        if version not in _VERSIONS or end - start > _MAX_UNIT:
            return None
        if version >= 5:
            kind, _address_size, abbreviations = struct.unpack_from(f"<BB{code}", data, start + 2)
        else:
            kind = UT_TYPE if types else UT_COMPILE
            abbreviations, _address_size = struct.unpack_from(f"<{code}B", data, start + 2)
        first, signature, type_offset = start + 4 + offset_size - (version < 5), 0, 0
        if kind in _WITH_SIGNATURE:
            signature, type_offset = struct.unpack_from(f"<Q{code}", data, first)
            first += 8 + offset_size
        elif kind in _WITH_ID:
            (signature,) = struct.unpack_from("<Q", data, first)
            first += 8
    except struct.error:
        return None
    sizes = sizes_of(version, offset_size)
    return Unit(offset, end, version, first, abbreviations, kind, signature, type_offset, sizes, offset_size)
