"""What an image says of its debug files: names, checksums, build-ids."""

from __future__ import annotations

import os
import zlib

from forensics.absence import Absence
from forensics.elf.image import ElfImage
from forensics.memory.random_access import RandomAccess
from forensics.record import record

_MAX_LINK = 1 << 13


@record
class DebugLink:
    """``.gnu_debuglink``: the name of the debug file and the CRC-32 of its content (gdb: "Separate Debug Files")."""

    name: str
    crc: int


@record
class AlternateLink:
    """``.gnu_debugaltlink``: the path of the file that dwz shares, and its build-id in hexadecimal."""

    path: str
    build_id: str


def debug_link(image: ElfImage) -> DebugLink | Absence:
    """The debug file that ``image`` names."""
    data = _section(image, ".gnu_debuglink")
    if isinstance(data, Absence):
        return data
    name, end, _rest = data.partition(b"\0")
    at = len(name) + 4 & ~3
    if not end or len(data) < at + 4 or not name or b"/" in name or name in (b".", b".."):
        return Absence(f".gnu_debuglink of {image.path}", "it is damaged")
    return DebugLink(os.fsdecode(name), int.from_bytes(data[at : at + 4], "little"))


def alternate_link(image: ElfImage) -> AlternateLink | Absence:
    """The file that ``image`` shares DWARF with."""
    data = _section(image, ".gnu_debugaltlink")
    if isinstance(data, Absence):
        return data
    path, end, build_id = data.partition(b"\0")
    if not end or not path or not 4 <= len(build_id) <= 64:
        return Absence(f".gnu_debugaltlink of {image.path}", "it is damaged")
    return AlternateLink(os.fsdecode(path), build_id.hex())


def _section(image: ElfImage, name: str) -> bytes | Absence:
    section = image.sections.get(name)
    if section is not None and section.size > _MAX_LINK:
        return Absence(f"{name} of {image.path}", f"it claims {section.size} bytes")
    return image.section(name)


def crc_of(source: RandomAccess) -> int:
    """The CRC-32 of all bytes, as in ``.gnu_debuglink``; of the first 4 GiB of a file that can be no debug file."""
    crc = 0
    for offset in range(0, min(source.size, 1 << 32), 1 << 20):
        crc = zlib.crc32(source.read(offset, 1 << 20), crc)
    return crc
