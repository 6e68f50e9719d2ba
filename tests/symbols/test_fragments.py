"""Borders of code from the call frame table: the same as the unwinder's, and none from damage."""

from __future__ import annotations

import random
import shutil
import struct
from pathlib import Path

import pytest

from forensics.absence import Absence
from forensics.elf.image import ElfImage
from forensics.memory.random_access import BytesInMemory, LocalFile
from forensics.symbols.fragments import Fragment, FragmentTable, fragments_in, fragments_of
from forensics.symbols.table import SymbolTable, functions_of
from forensics.unwind.cfi import CallFrameTable, Fde
from tests.builders.elf import EM_AARCH64, TEXT, Function, Image
from tests.builders.elf import Fde as Entry

ENTRIES = (Entry(TEXT, 16), Entry(TEXT + 16, 16), Entry(TEXT + 64, 32))


def image(**parts: object) -> ElfImage:
    return ElfImage(BytesInMemory(Image(**parts).build(), "image"))  # type: ignore[arg-type]


def table(**parts: object) -> FragmentTable:
    found = fragments_of(image(fdes=ENTRIES, **parts))
    assert isinstance(found, FragmentTable)
    return found


def test_a_fragment_holds_its_code_and_no_more() -> None:
    found = table()
    assert len(found) == 3
    assert found.find(TEXT) == found.find(TEXT + 15) == Fragment(TEXT, TEXT + 16)
    assert found.find(TEXT + 16) == Fragment(TEXT + 16, TEXT + 32)
    assert isinstance(found.find(TEXT + 32), Absence)
    assert isinstance(found.find(TEXT - 1), Absence)
    assert found.find(TEXT + 95) == Fragment(TEXT + 64, TEXT + 96)
    assert isinstance(found.find(TEXT + 96), Absence)


def test_borders_between_two_addresses_are_seen() -> None:
    found = table()
    assert found.begins_within(TEXT, TEXT + 16)
    assert not found.begins_within(TEXT + 16, TEXT + 40)
    assert found.next_start(TEXT + 20) == TEXT + 64
    assert found.next_start(TEXT + 64) == (1 << 64) - 1


def test_an_entry_that_claims_its_neighbours_code_is_cut() -> None:
    """Or a size of gigabytes would make everything one function."""
    found = fragments_of(image(fdes=(Entry(TEXT, 0x7FFFFFFF), Entry(TEXT + 16, 16))))
    assert isinstance(found, FragmentTable)
    assert found.find(TEXT + 4) == Fragment(TEXT, TEXT + 16)
    assert found.find(TEXT + 20) == Fragment(TEXT + 16, TEXT + 32)


def test_without_a_call_frame_table_there_are_no_borders() -> None:
    assert isinstance(fragments_of(image()), Absence)


def test_without_a_search_table_all_entries_are_read() -> None:
    """Statically linked programs."""
    whole = Image(fdes=ENTRIES).build().replace(struct.pack("<I", 0x6474E550), struct.pack("<I", 0x6474E551))
    found = fragments_of(ElfImage(BytesInMemory(whole, "image")))
    assert isinstance(found, FragmentTable)
    assert [found.at(index) for index in range(len(found))] == [table().at(index) for index in range(3)]
    assert found.find(TEXT + 20) == Fragment(TEXT + 16, TEXT + 32)
    assert isinstance(found.find(TEXT + 40), Absence)
    assert isinstance(found.at(3), Absence)


def test_kept_tables_give_the_same_borders() -> None:
    """As symbol packs hold them."""
    whole = image(fdes=ENTRIES)
    section, frames = whole.sections[".eh_frame"], whole.section(".eh_frame")
    header_section, header = whole.sections[".eh_frame_hdr"], whole.section(".eh_frame_hdr")
    assert isinstance(frames, bytes)
    assert isinstance(header, bytes)
    kept = fragments_in(header, header_section.address, frames, section.address)
    assert [kept.at(index) for index in range(3)] == [table().at(index) for index in range(3)]


@pytest.mark.parametrize("header", [b"", b"\1", b"\1\x1b\3\x3b", b"\1\x1b\3\x3b" + b"\xff" * 8, b"\2" * 64, bytes(64)])
def test_a_damaged_header_has_no_entries(header: bytes) -> None:
    assert len(fragments_in(header, 0x100, b"", 0x200)) == 0


def test_damage_anywhere_gives_other_borders_or_none_but_no_error() -> None:
    """Bytes of both tables, overwritten at random."""
    chance, whole = random.Random(7), image(fdes=ENTRIES)
    section, header_section = whole.sections[".eh_frame"], whole.sections[".eh_frame_hdr"]
    sound = Image(fdes=ENTRIES).build()
    for _round in range(400):
        data = bytearray(sound)
        for _byte in range(chance.randrange(1, 12)):
            data[chance.randrange(section.offset, header_section.offset + header_section.size)] = chance.randrange(256)
        found = fragments_of(ElfImage(BytesInMemory(bytes(data), "image")))
        if isinstance(found, FragmentTable):
            for address in (0, TEXT, TEXT + 20, TEXT + 80, (1 << 64) - 1):
                fragment = found.find(address)
                assert isinstance(fragment, Absence) or fragment.holds(address)
            found.begins_within(0, 1 << 64)


LIBRARIES = [path for path in (shutil.which("haproxy"), "/lib/x86_64-linux-gnu/libc.so.6", "/usr/bin/env") if path]


@pytest.mark.parametrize("path", [path for path in LIBRARIES if Path(path).exists()])
def test_real_files_have_the_borders_that_the_unwinder_uses(path: str) -> None:
    whole = ElfImage(LocalFile(path))
    found, section, frames = fragments_of(whole), whole.sections[".eh_frame"], whole.section(".eh_frame")
    assert isinstance(found, FragmentTable)
    assert isinstance(frames, bytes)
    unwinder = CallFrameTable(b"", 0, frames, section.address)
    for index in range(len(found)):
        fragment = found.at(index)
        assert isinstance(fragment, Fragment)
        entry = unwinder.find_fde(fragment.start)
        assert isinstance(entry, Fde)
        assert (entry.start, entry.start + entry.size) == (fragment.start, fragment.end)


def test_no_name_crosses_a_border() -> None:
    """Exported, then static, then without borders; a symbol of size 0 ends with its own fragment."""
    fragments = table()
    names = SymbolTable([(TEXT, 16, "sized"), (TEXT + 16, 0, "label"), (TEXT + 128, 8, "bare")])
    assert names.find_within(TEXT + 15, fragments) == ("sized", TEXT)
    assert names.find_within(TEXT + 20, fragments) == ("label", TEXT + 16)
    assert names.find(TEXT + 60) == ("label", TEXT + 16)
    assert names.find_within(TEXT + 60, fragments) == ("label", TEXT + 16), "no border in between"
    assert names.find(TEXT + 72) == ("label", TEXT + 16)
    assert names.find_within(TEXT + 72, fragments) == ("", 0), "a static function behind it"
    assert names.find_within(TEXT + 130, fragments) == ("bare", TEXT + 128), "code without borders has sizes"
    assert names.find_within(TEXT + 200, fragments) == ("", 0)


def test_a_symbol_that_claims_its_neighbour_names_only_fragments_within() -> None:
    """Assembly has several fragments below one name; a wrong size reaches half into another one."""
    fragments = table()
    assert SymbolTable([(TEXT, 32, "both")]).find_within(TEXT + 20, fragments) == ("both", TEXT)
    assert SymbolTable([(TEXT, 24, "half")]).find_within(TEXT + 20, fragments) == ("", 0)


def test_the_last_symbol_of_a_section_ends_with_its_fragment_too() -> None:
    """Its size would else be that of the rest of the section."""
    whole = image(fdes=ENTRIES, functions=(Function("last", TEXT + 16, 0),))
    names = functions_of([whole], fragments_of(whole))
    assert names.find(TEXT + 31) == ("last", TEXT + 16)
    assert names.find(TEXT + 32) == ("", 0)
    whole = image(fdes=ENTRIES, functions=(Function("bare", TEXT + 40, 0),))
    names = functions_of([whole], fragments_of(whole))
    fragments = fragments_of(whole)
    assert isinstance(fragments, FragmentTable)
    assert names.find_within(TEXT + 60, fragments) == ("", 0), "nothing tells where it ends, or what follows it"
    assert names.find_within(TEXT + 66, fragments) == ("", 0)


def test_code_without_borders_has_a_name_only_where_all_names_are_known() -> None:
    """`_start` of some C libraries has neither size nor call frames; what follows it in a stripped file is not it."""
    functions, fragments = [(TEXT + 36, 0, "_start")], table()
    assert SymbolTable(functions).find_within(TEXT + 50, fragments) == ("_start", TEXT + 36)
    assert SymbolTable(functions, complete=False).find_within(TEXT + 50, fragments) == ("", 0)


def test_marks_of_aarch64_are_no_functions() -> None:
    marks = (Function("$x", TEXT, 0, 0), Function("$d.5", TEXT + 16, 0, 0), Function("f", TEXT + 64, 32))
    assert [name for *_place, name in functions_of([image(functions=marks, machine=EM_AARCH64)]).functions] == ["f"]
