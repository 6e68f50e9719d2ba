"""DWARF made by hand that leads in circles or claims too much: answers stay absent and come in time."""

from __future__ import annotations

import contextlib
import struct
from pathlib import Path

import pytest

from forensics.absence import Absence
from forensics.elf.image import ElfImage
from forensics.memory.random_access import BytesInMemory
from forensics.symbols.dwarf.abbreviations import Abbreviations
from forensics.symbols.dwarf.damage import TooMuch
from forensics.symbols.dwarf.entry import read_entry
from forensics.symbols.dwarf.functions import name_of
from forensics.symbols.dwarf.info import AT_NAME
from forensics.symbols.dwarf.lines import read_lines
from forensics.symbols.dwarf.locate import DwarfLines, open_dwarf
from forensics.symbols.dwarf.package import PackageIndex, open_package
from forensics.symbols.dwarf.units import iter_units
from tests.builders.bounds import within_bytes, within_seconds
from tests.builders.elf import Image
from tests.symbols.members import members_of

#: Shapes by code: a unit with code, one without, a function named elsewhere, an import, a type by signature.
SHAPES = (
    bytes((1, 0x11, 1, 0x11, 0x01, 0x12, 0x06, 0, 0))  # compile_unit: low_pc addr, high_pc data4
    + bytes((2, 0x3C, 1, 0, 0))  # partial_unit
    + bytes(
        (3, 0x2E, 0, 0x11, 0x01, 0x12, 0x06, 0x31, 0x10, 0, 0)
    )  # subprogram: low_pc, high_pc, abstract_origin ref_addr
    + bytes((4, 0x3D, 0, 0x18, 0x10, 0, 0))  # imported_unit: import ref_addr
    + bytes((5, 0x13, 0, 0x03, 0x08, 0x3C, 0x19, 0x69, 0x20, 0, 0))  # structure_type: name, declaration, signature
    + b"\0"
)
LOW = struct.pack("<QI", 0x1000, 16)


def unit(content: bytes, *, version: int = 4, kind: int = 1) -> bytes:
    """A unit of 32-bit DWARF; its first entry lies 11 (from version 5 on 12) bytes from its start."""
    if version >= 5:
        body = struct.pack("<HBBI", version, kind, 8, 0) + content
    else:
        body = struct.pack("<HIB", version, 0, 8) + content
    return struct.pack("<I", len(body)) + body


def image(info: bytes, **sections: bytes) -> ElfImage:
    """A file with this .debug_info; further sections by their names without the dot."""
    extra = {".debug_info": (0, info), ".debug_abbrev": (0, SHAPES)}
    extra |= {f".{name}": (0, data) for name, data in sections.items()}
    return ElfImage(BytesInMemory(Image(text=bytes(64), extra_sections=extra).build(), "made"))


def dwarf_of(file: ElfImage) -> DwarfLines:
    """Its DWARF."""
    found = open_dwarf(file)
    assert isinstance(found, DwarfLines)
    return found


def test_a_function_that_is_its_own_origin_has_no_name() -> None:
    """And two that are each other's."""
    first = 11 + 1 + len(LOW)
    itself = unit(b"\x01" + LOW + b"\x03" + LOW + struct.pack("<I", first) + b"\0")
    second = first + 1 + len(LOW) + 4
    both = b"\x03" + LOW + struct.pack("<I", second) + b"\x03" + LOW + struct.pack("<I", first)
    for info in (itself, unit(b"\x01" + LOW + both + b"\0")):
        dwarf = dwarf_of(image(info))
        functions = dwarf.functions(dwarf.info.units[0])
        assert functions
        assert [one.name for one in functions] == [""] * len(functions)


@pytest.mark.parametrize("target", [0, 1, 11, 5_000, 0xFFFFFFFF])
def test_references_outside_of_any_entry_are_absent(target: int) -> None:
    """Into a header, beyond the file, into the unit itself."""
    dwarf = dwarf_of(image(unit(b"\x01" + LOW + b"\x03" + LOW + struct.pack("<I", target) + b"\0")))
    calls = dwarf.calls(0x1004)
    assert isinstance(calls, Absence) or [call.function for call in calls] == [""]


def test_units_that_import_each_other_are_each_visited_once() -> None:
    """A circle of partial units, and one that imports itself a thousand times."""
    size = len(unit(b"\x02\x04" + bytes(4) + b"\0"))
    home = unit(b"\x01" + LOW + (b"\x04" + struct.pack("<I", 0)) * 1000 + b"\0")
    tops = [len(home) + n * size + 11 for n in range(50)]
    circle = b"".join(unit(b"\x02\x04" + struct.pack("<I", tops[(n + 1) % 50]) + b"\0") for n in range(50))
    info = home.replace(struct.pack("<I", 0) + b"\0", struct.pack("<I", tops[0]) + b"\0") + circle
    with within_seconds(2):
        found = members_of(dwarf_of(image(info)), "nothing")
    assert isinstance(found, Absence)


def test_a_declaration_whose_type_unit_is_missing_is_no_structure() -> None:
    """DW_AT_signature of a type that was dropped, and of a type that is a declaration itself."""
    declared = b"\x05task\0" + struct.pack("<Q", 77)
    info = unit(b"\x01" + LOW + declared + b"\0")
    assert isinstance(members_of(dwarf_of(image(info)), "task"), Absence)
    types = struct.pack("<HIBQI", 4, 0, 8, 77, 24) + b"\x02" + declared + b"\0"
    lying = image(info, debug_types=struct.pack("<I", len(types)) + types)
    assert dwarf_of(lying).info.type_at(77) is not None
    with within_seconds(2):
        members_of(dwarf_of(lying), "task")


def test_lengths_that_lie_end_the_list_of_units() -> None:
    """Reserved values, 64-bit lengths without end, headers that are cut, units without number."""
    good = unit(b"\x01" + LOW + b"\0")
    assert len(list(iter_units(good * 3))) == 3
    assert list(iter_units(struct.pack("<I", 0xFFFFFFF5) + bytes(40))) == []
    assert list(iter_units(b"\xff" * 4 + struct.pack("<Q", 1 << 62) + bytes(3))) == []
    (huge,) = iter_units(b"\xff" * 4 + struct.pack("<Q", 1 << 62) + good[4:])
    assert huge.end == len(good) + 8
    for cut in range(len(good)):
        assert len(list(iter_units(good + good[:cut]))) <= 2
    assert list(iter_units(unit(b"", version=9))) == []
    with pytest.raises(ValueError, match="more units"):
        list(iter_units(unit(b"")[:11] * 70_000))


def test_a_shape_without_end_is_refused() -> None:
    """Attributes up to the end of a large section."""
    with within_seconds(2), pytest.raises(ValueError, match="without end"):
        Abbreviations(b"\x01\x11\x00" + b"\x03\x08" * 3_000_000, 0)[1]
    with pytest.raises(KeyError):
        Abbreviations(SHAPES, 0)[99]


def test_tables_of_shapes_that_overlap_are_counted() -> None:
    """Each unit has a table that begins a byte later, and all are long."""
    table = b"".join(b"\xb0\x60\x11\x00" + b"\x03\x08" * 60 + b"\0\0" for _shape in range(20_000))
    body = b"".join(struct.pack("<IHIB", 8, 4, n * 126, 8) + b"\x7f" for n in range(10_000))
    file = ElfImage(
        BytesInMemory(
            Image(text=bytes(64), extra_sections={".debug_info": (0, body), ".debug_abbrev": (0, table)}).build(),
            "made",
        )
    )
    with within_seconds(20):
        found = open_dwarf(file)
    assert isinstance(found, Absence)
    assert "more parts" in found.reason


def test_a_line_program_longer_than_any_is_refused() -> None:
    """Ten million rows, which would take gigabytes."""
    program = b"\x0d" * 10_000_000
    header = struct.pack("<BBBbBB", 1, 1, 1, -5, 14, 13) + bytes(12) + b"\0a.c\0\0\0\0\0"
    content = struct.pack("<HI", 4, len(header)) + header + program
    dwarf = dwarf_of(image(unit(b"\x01" + LOW + b"\0"), debug_line=struct.pack("<I", len(content)) + content))
    with within_bytes(30_000_000), pytest.raises(TooMuch, match="longer than any"):
        read_lines(dwarf.info, 0, "", "")


def index(version: int, ids: list[int], slots: int, rows: list[int], parts: list[tuple[int, int]]) -> bytes:
    """An index with two columns, .debug_info and .debug_abbrev, the latter always empty."""
    head = struct.pack("<IIII", version, 2, len(parts), slots)
    table = struct.pack("<II", 1, 3) + b"".join(struct.pack("<II", start, 0) for start, _size in parts)
    table += b"".join(struct.pack("<II", size, 0) for _start, size in parts)
    return head + struct.pack(f"<{len(ids)}Q", *ids) + struct.pack(f"<{len(rows)}I", *rows) + table


def test_an_index_finds_what_it_lists_and_ends_where_it_is_full() -> None:
    """Collisions; a table without a free slot, in which the search must not go in circles."""
    full = index(2, [8, 4, 12, 16], 4, [1, 2, 3, 4], [(n, n) for n in range(1, 5)])
    for place, identity in enumerate((8, 4, 12, 16), 1):
        assert PackageIndex(full).find(identity)[".debug_info"] == (place, place)
    assert PackageIndex(full).find(20) == {}
    assert sorted(PackageIndex(full).signatures()) == [4, 8, 12, 16]
    assert PackageIndex(index(5, [8], 1, [1], [(3, 4)])).find(8) == {".debug_info": (3, 4), ".debug_abbrev": (0, 0)}


@pytest.mark.parametrize("slots", [0, 3, 1 << 20, 0xFFFFFFFF])
def test_an_index_with_a_lying_number_of_slots_finds_nothing(slots: int) -> None:
    """No power of two, or more than the section holds."""
    lying = index(2, [8], slots, [1], [(1, 1)])
    with within_seconds(1):
        with contextlib.suppress(struct.error):  # which the caller takes for damage
            assert PackageIndex(lying).find(8) == {}
        assert list(PackageIndex(lying).signatures()) == []


def test_an_index_of_an_unknown_version_or_shape_finds_nothing() -> None:
    """A row that is not there, columns beyond all sections."""
    assert PackageIndex(index(7, [8], 1, [1], [(1, 1)])).find(8) == {}
    assert PackageIndex(index(2, [8], 1, [9], [(1, 1)])).find(8) == {}
    assert PackageIndex(struct.pack("<IIIIQI", 2, 1 << 30, 1, 1, 8, 1)).find(8) == {}
    assert PackageIndex(b"").find(8) == {}


def test_parts_of_a_package_that_overlap_are_refused(tmp_path: Path) -> None:
    """A thousand units that each claim nearly the whole section would take a thousand times its memory."""
    file = tmp_path / "lying.dwp"
    sections = {".debug_info.dwo": (0, bytes(1_000_000)), ".debug_cu_index": (0, b"")}
    file.write_bytes(Image(text=bytes(64), extra_sections=sections).build())
    package = open_package(str(file))
    assert not isinstance(package, Absence)
    handed = 0
    with within_bytes(8_000_000), contextlib.suppress(TooMuch):
        for start in range(1000):
            handed += len(package.section(".debug_info", {".debug_info": (start, 1_000_000 - start)}))
    assert handed == 1_000_000


def test_an_indexed_string_or_address_beyond_its_table_is_absent() -> None:
    """Indexes of clang's forms that lead out of .debug_str_offsets and .debug_addr."""
    shapes = bytes((1, 0x11, 0, 0x03, 0x1A, 0x11, 0x1B, 0, 0, 0))  # name strx, low_pc addrx
    info = unit(b"\x01\xff\xff\xff\x7f\xff\xff\xff\x7f", version=5)
    extra = {".debug_info": (0, info), ".debug_abbrev": (0, shapes), ".debug_str": (0, b"name\0")}
    file = ElfImage(BytesInMemory(Image(text=bytes(64), extra_sections=extra).build(), "made"))
    dwarf = dwarf_of(file)
    assert isinstance(dwarf.calls(0x1004), Absence)
    (only,) = dwarf.info.units
    only.abbreviations = Abbreviations(shapes, 0)
    entry = read_entry(dwarf.info, only, only.first_entry)
    assert name_of(entry) == entry.text(AT_NAME)
