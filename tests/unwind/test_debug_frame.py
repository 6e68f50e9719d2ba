""".debug_frame in its versions, and entries of any length, from bytes."""

from __future__ import annotations

import struct

import pytest

from forensics.absence import Absence
from forensics.unwind.cfi import CallFrameTable, MappedBytes
from forensics.unwind.rule import UnwindRow
from tests.builders.elf import CIE_PROGRAM, Fde, Image


def entry(body: bytes, wide: bool) -> bytes:
    """A CIE or FDE with its length, in 32-bit or 64-bit DWARF."""
    body += bytes(-len(body) % 8)
    return (b"\xff" * 4 + struct.pack("<Q", len(body)) if wide else struct.pack("<I", len(body))) + body


def section(version: int, wide: bool = False, sizes: bytes = b"\x08\x00", pointer: int = 0) -> bytes:
    """One CIE, one FDE of 0x1000 to 0x1010 that subtracts 16 from the stack pointer."""
    width = "Q" if wide else "I"
    cie = (b"\xff" * (8 if wide else 4)) + bytes((version,)) + b"\0" + (sizes if version >= 4 else b"")
    first = entry(cie + b"\x01\x78\x10" + CIE_PROGRAM, wide)
    return first + entry(struct.pack(f"<{width}QQ", pointer, 0x1000, 16) + b"\x0e\x10", wide)


@pytest.mark.parametrize("version", [1, 3, 4])
@pytest.mark.parametrize("wide", [False, True])
def test_an_entry_of_each_version_is_read(version: int, wide: bool) -> None:
    """DWARF 2, 3, 4 and 5; the addresses are absolute."""
    table = CallFrameTable(b"", 0, section(version, wide), 0, debug=True)
    assert table.row(0x1008) == UnwindRow(("register", 7, 16), {16: ("offset", -8)}, 16, False)
    for outside in (0xFFF, 0x1010):
        assert isinstance(table.row(outside), Absence)


@pytest.mark.parametrize(
    "data",
    [section(4, sizes=b"\x04\x00"), section(4, sizes=b"\x08\x04"), section(4, pointer=4), section(4, pointer=1 << 31),
     section(4)[:30], b"\xff" * 64, b"\xfe\xff\xff\x7f" + bytes(60), bytes(64)],
)  # fmt: skip
def test_what_is_damaged_or_of_another_size_is_absent(data: bytes) -> None:
    """Addresses of 4 bytes, segments, a CIE that is none, a cut, lengths that lie."""
    assert isinstance(CallFrameTable(b"", 0, data, 0, debug=True).row(0x1008), Absence)


def test_entries_are_read_one_by_one_from_memory() -> None:
    """Never a whole section: only what the search table leads to."""
    image = Image(fdes=tuple(Fde(0x1000 + 16 * number, 16, b"\x0e\x10") for number in range(16))).build()
    asked = []

    def read(address: int, size: int) -> bytes | Absence:
        asked.append(size)
        return image[address : address + size]

    header = image.index(b"\x01\x1b\x03\x3b")
    frames = header + 4 + struct.unpack_from("<i", image, header + 4)[0]
    table = CallFrameTable(image[header : header + 140], header, MappedBytes(read, frames), frames)
    assert table.row(0x1058) == UnwindRow(("register", 7, 16), {16: ("offset", -8)}, 16, False)
    assert sum(asked) < 150
