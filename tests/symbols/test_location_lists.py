"""Location lists of DWARF 4 and 5, every kind of entry."""

from __future__ import annotations

import struct
from types import SimpleNamespace

import pytest

from forensics.symbols.dwarf.forms import LOCLISTX, SEC_OFFSET
from forensics.symbols.dwarf.location_lists import AT_LOCATION, expression_at

#: Entries of .debug_addr.
ADDRESSES = (0x5000, 0x5010)


class FakeEntry:
    """An entry whose location is the list at ``offset`` of its section."""

    def __init__(self, section: bytes, *, version: int, form: int = SEC_OFFSET, offset: int = 0) -> None:
        self.unit = SimpleNamespace(version=version, low_pc=0x1000, location_lists_base=12, offset_size=4)
        self.info = SimpleNamespace(section=lambda _name: section, info=b"")
        self.values = {AT_LOCATION: (form, 0, 0)}
        self._offset = offset

    def number(self, _name: int, _default: int) -> int:
        """The value of DW_AT_location."""
        return self._offset

    def form(self, _name: int) -> int:
        """Its form."""
        return self.values[AT_LOCATION][0]

    def info_address(self, index: int) -> int:
        """An indexed address."""
        return ADDRESSES[index]


def at(pc: int, section: bytes, **entry: int) -> bytes | None:
    """The expression that holds at ``pc``."""
    return expression_at(FakeEntry(section, **entry), AT_LOCATION, pc)  # type: ignore[arg-type]  # what a list asks of it


def word(value: int) -> bytes:
    """An address."""
    return struct.pack("<Q", value)


NEW = {
    "offset_pair": (b"\x04\x10\x20\x01\x50", 0x1010, 0x1020),
    "base_address": (b"\x06" + word(0x9000) + b"\x04\x10\x20\x01\x50", 0x9010, 0x9020),
    "base_addressx": (b"\x01\x01\x04\x00\x10\x01\x50", 0x5010, 0x5020),
    "startx_endx": (b"\x02\x00\x01\x01\x50", 0x5000, 0x5010),
    "startx_length": (b"\x03\x01\x08\x01\x50", 0x5010, 0x5018),
    "start_end": (b"\x07" + word(0x7000) + word(0x7004) + b"\x01\x50", 0x7000, 0x7004),
    "start_length": (b"\x08" + word(0x7000) + b"\x04\x01\x50", 0x7000, 0x7004),
    "view_pair": (b"\x09\x01\x02\x04\x10\x20\x01\x50", 0x1010, 0x1020),
}


@pytest.mark.parametrize("kind", NEW)
def test_entries_of_dwarf_5(kind: str) -> None:
    data, start, end = NEW[kind]
    found = [at(pc, data + b"\0", version=5) for pc in (start - 1, start, end - 1, end)]
    assert found == [None, b"\x50", b"\x50", None]


def test_the_default_location_holds_where_no_range_does() -> None:
    data = b"\x05\x01\x51\x04\x10\x20\x01\x50\0"
    assert [at(pc, data, version=5) for pc in (0x1000, 0x1010)] == [b"\x51", b"\x50"]


def test_an_indexed_list_is_found_through_the_table_of_its_unit() -> None:
    data = bytes(12) + struct.pack("<II", 0, 8) + b"\x04\x10\x20\x01\x50\0"
    assert at(0x1010, data, version=5, form=LOCLISTX, offset=1) == b"\x50"


def test_lists_of_dwarf_4_have_bases_of_their_own() -> None:
    data = (
        word(0x10) + word(0x20) + b"\x01\x00\x50"
        + word(0xFFFFFFFFFFFFFFFF) + word(0x9000) + word(0) + word(8) + b"\x02\x00\x91\x08" + word(0) + word(0)
    )  # fmt: skip
    assert [at(pc, data, version=4) for pc in (0x1010, 0x1020, 0x9000)] == [b"\x50", None, b"\x91\x08"]


def test_an_unknown_kind_of_entry_is_damage() -> None:
    with pytest.raises(ValueError, match="location list entry"):
        at(0x1000, b"\x7f", version=5)


def test_a_list_that_is_cut_ends() -> None:
    assert at(0x1010, word(0x10)[:5], version=4) is None
