"""Call frame instructions, one by one, and whole tables against another reader of them."""

from __future__ import annotations

import re
import shutil
from contextlib import suppress
from pathlib import Path

import pytest
from elftools.dwarf.callframe import FDE
from elftools.elf.elffile import ELFFile
from hypothesis import given, settings
from hypothesis import strategies as st

from forensics.absence import Absence
from forensics.elf.image import ElfImage
from forensics.memory.random_access import BytesInMemory, LocalFile
from forensics.unwind.cfi import CallFrameTable, Cie
from forensics.unwind.instructions import run_instructions
from forensics.unwind.rule import Rule, UnwindRow
from tests.builders.bounds import within_bytes, within_seconds
from tests.builders.elf import Fde, Image
from tests.oracles.programs import COMPILER, compile_c

#: def_cfa rsp+8; offset of rip at CFA-8.
START = bytes((0x0C, 7, 8, 0x90, 1))
RIP: dict[int, Rule] = {16: ("offset", -8)}


def row(instructions: bytes, pc: int = 0x1010, start: bytes = START) -> UnwindRow:
    """The row for ``pc`` of a function that begins at 0x1000."""
    return run_instructions(Cie(1, -8, 16, 0x1B, True, False, start), 0x1000, instructions, pc)


@pytest.mark.parametrize(
    ("instructions", "cfa", "rules"),
    [
        (b"", ("register", 7, 8), {}),
        (b"\x00\x00", ("register", 7, 8), {}),
        (b"\x0e\x10", ("register", 7, 16), {}),
        (b"\x0d\x06", ("register", 6, 8), {}),
        (b"\x0c\x06\x80\x01", ("register", 6, 128), {}),
        (b"\x12\x06\x7e", ("register", 6, 16), {}),
        (b"\x13\x7e", ("register", 7, 16), {}),
        (b"\x0f\x02\x77\x08", ("expression", "7708", 0), {}),
        (b"\x86\x02", ("register", 7, 8), {6: ("offset", -16)}),
        (b"\x05\x03\x03", ("register", 7, 8), {3: ("offset", -24)}),
        (b"\x11\x03\x7d", ("register", 7, 8), {3: ("offset", 24)}),
        (b"\x2f\x03\x03", ("register", 7, 8), {3: ("offset", 24)}),
        (b"\x14\x03\x02", ("register", 7, 8), {3: ("value", -16)}),
        (b"\x15\x03\x7e", ("register", 7, 8), {3: ("value", 16)}),
        (b"\x09\x03\x0c", ("register", 7, 8), {3: ("register", 12)}),
        (b"\x10\x03\x02\x77\x08", ("register", 7, 8), {3: ("expression", "7708")}),
        (b"\x16\x03\x01\x30", ("register", 7, 8), {3: ("value_expression", "30")}),
        (b"\x07\x03", ("register", 7, 8), {3: ("undefined", 0)}),
        (b"\x07\x10", ("register", 7, 8), {16: ("undefined", 0)}),
        (b"\x08\x03", ("register", 7, 8), {3: ("same", 0)}),
        (b"\x86\x02\xc6", ("register", 7, 8), {}),
        (b"\x86\x02\x06\x06", ("register", 7, 8), {}),
        (b"\x90\x05\xd0", ("register", 7, 8), {}),
        (b"\x0a\x0e\x20\x86\x02\x0b", ("register", 7, 8), {}),
        (b"\x2e\x10\x2d\x0e\x18", ("register", 7, 24), {}),
    ],
)  # fmt: skip
def test_an_instruction_changes_the_row(
    instructions: bytes, cfa: tuple[str, int | str, int], rules: dict[int, Rule]
) -> None:
    """DWARF 5, 6.4.2, and the GNU extensions."""
    found = row(instructions)
    assert found.cfa == cfa
    assert found.rules == RIP | rules
    assert found.return_register == 16


@pytest.mark.parametrize(
    ("advance", "width"),
    [(b"\x50", 0x10), (b"\x02\x10", 0x10), (b"\x03\x10\x00", 0x10), (b"\x04\x10\x00\x00\x00", 0x10),
     (b"\x01\x10\x10\x00\x00", 0x10)],
)  # fmt: skip
def test_instructions_behind_an_advance_count_from_its_address_on(advance: bytes, width: int) -> None:
    """The row of a pc is the one that began at or before it."""
    code = b"\x0e\x10" + advance + b"\x0e\x20"
    assert row(code, 0x1000 + width - 1).cfa == ("register", 7, 16)
    assert row(code, 0x1000 + width).cfa == ("register", 7, 32)


@pytest.mark.parametrize(
    "code", [b"\x0b", b"\x0e", b"\x3f", b"\x0f\x50\x00", b"\x86", b"\x1c\x01", b"\x0e" + b"\xff" * 99]
)
def test_damaged_instructions_are_errors_of_the_kinds_that_are_caught(code: bytes) -> None:
    """The table turns them into an Absence."""
    with pytest.raises((ValueError, IndexError, KeyError)):
        row(code)


@settings(max_examples=300)
@given(st.binary(max_size=64), st.integers(0x0FF0, 0x1100))
def test_random_instructions_end_in_a_row_or_in_an_absence(code: bytes, pc: int) -> None:
    """Through the table, as the walk asks for it."""
    found = table_of(Image(text=b"\x90" * 256, fdes=(Fde(0x1000, 256, code),))).row(pc)
    assert isinstance(found, UnwindRow | Absence)


def test_remembered_states_are_bounded() -> None:
    """A hundred thousand states of a thousand registers each would fill the memory."""
    registers = b"".join(b"\x05" + bytes((0x80 | number & 0x7F, number >> 7)) + b"\x01" for number in range(1000))
    with within_seconds(5), within_bytes(64 << 20), suppress(ValueError):
        row(registers + b"\x0a" * 100_000)


def table_of(image: Image) -> CallFrameTable:
    """The table of a built image."""
    return open_table(ElfImage(BytesInMemory(image.build())))


def open_table(image: ElfImage) -> CallFrameTable:
    """The table of an image."""
    header, frames = image.section(".eh_frame_hdr"), image.section(".eh_frame")
    assert isinstance(header, bytes) and isinstance(frames, bytes)
    return CallFrameTable(header, image.sections[".eh_frame_hdr"].address, frames, image.sections[".eh_frame"].address)


def test_the_entry_of_a_pc_is_found_between_its_borders() -> None:
    """Gaps between functions have none."""
    table = table_of(Image(fdes=(Fde(0x1000, 16), Fde(0x1020, 16), Fde(0x1030, 16))))
    for pc, start in ((0x1000, 0x1000), (0x100F, 0x1000), (0x1020, 0x1020), (0x102F, 0x1020), (0x103F, 0x1030)):
        fde = table.find_fde(pc)
        assert not isinstance(fde, Absence)
        assert fde.start == start
    for pc in (0, 0x0FFF, 0x1010, 0x101F, 0x1040, 1 << 63):
        assert isinstance(table.find_fde(pc), Absence)


def test_the_frame_of_a_signal_handler_is_marked() -> None:
    """The `S` of the augmentation."""
    found = table_of(Image(fdes=(Fde(0x1000, 16),), augmentation=b"zRS")).row(0x1008)
    assert isinstance(found, UnwindRow)
    assert found.signal


@pytest.mark.parametrize("damage", [0, 2, 3])
def test_a_search_table_of_another_kind_is_no_table(damage: int) -> None:
    """Version, encodings."""
    data = bytearray(Image(fdes=(Fde(0x1000, 16),)).build())
    data[ElfImage(BytesInMemory(bytes(data))).sections[".eh_frame_hdr"].offset + damage] ^= 0xFF
    assert isinstance(open_table(ElfImage(BytesInMemory(bytes(data)))).row(0x1000), Absence)


def test_rows_survive_the_store() -> None:
    """As JSON holds them."""
    for code in (b"\x86\x02\x07\x03", b"\x0f\x02\x77\x08\x16\x03\x01\x30"):
        assert UnwindRow.from_plain(row(code).to_plain()) == row(code)


KINDS = {"OFFSET": "offset", "VAL_OFFSET": "value", "REGISTER": "register", "UNDEFINED": "undefined",
         "SAME_VALUE": "same", "EXPRESSION": "expression", "VAL_EXPRESSION": "value_expression"}  # fmt: skip

DEEP = (Path(__file__).parents[1] / "oracles" / "deep.c").read_text()


def _libraries() -> list[Path]:
    """Small libraries with call frames by hand and by C++."""
    found = [Path(place) / name for place in ("/lib/x86_64-linux-gnu", "/lib64") for name in ("libgcc_s.so.1",)]
    return [path for path in found if path.exists()][:1]


@pytest.mark.parametrize("flags", ["-O2", "-O0", "-O2 -mavx2 -mstackrealign", "library"])
def test_every_row_of_a_file_is_that_of_pyelftools(tmp_path: Path, flags: str) -> None:
    """All functions, all rows, all registers."""
    if flags == "library":
        paths = _libraries()
        if not paths:
            pytest.skip("libgcc_s is not where it is expected")
        path = paths[0]
    elif not COMPILER or not shutil.which("cc"):
        pytest.skip("no C compiler is installed")
    else:
        path = compile_c(tmp_path, "deep", DEEP, *flags.split())
    table, rows = open_table(ElfImage(LocalFile(str(path)))), 0
    with path.open("rb") as file:
        entries = list(ELFFile(file).get_dwarf_info().EH_CFI_entries())
        for entry in entries:
            if not isinstance(entry, FDE):
                continue
            for theirs in entry.get_decoded().table:
                if theirs["pc"] >= entry["initial_location"] + entry["address_range"]:
                    continue
                ours = table.row(theirs["pc"])
                assert isinstance(ours, UnwindRow)
                _compare(theirs, ours)
                rows += 1
    assert rows > 40


def _compare(theirs: dict[object, object], ours: UnwindRow) -> None:
    cfa = theirs["cfa"]
    if cfa.expr is None:  # type: ignore[attr-defined]
        assert ours.cfa == ("register", cfa.reg, cfa.offset)  # type: ignore[attr-defined]
    else:
        assert ours.cfa == ("expression", bytes(cfa.expr).hex(), 0)  # type: ignore[attr-defined]
    rules = {}
    for register, rule in theirs.items():
        if isinstance(register, int):
            kind = KINDS[re.sub(r"^CFA_", "", rule.type)]  # type: ignore[attr-defined]
            argument = rule.arg  # type: ignore[attr-defined]
            rules[register] = (kind, bytes(argument).hex() if isinstance(argument, list) else argument or 0)
    assert {register: rule for register, rule in ours.rules.items() if rule[0] != "same"} == {
        register: rule for register, rule in rules.items() if rule[0] != "same"
    }
