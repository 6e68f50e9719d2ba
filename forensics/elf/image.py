"""An ELF image (executable, library, debug file): segments, sections, build-id, symbols."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from forensics.absence import Absence
from forensics.elf.constants import (
    ELFCOMPRESS_ZLIB,
    ELFCOMPRESS_ZSTD,
    PT_LOAD,
    PT_NOTE,
    SHF_COMPRESSED,
    SHT_NOBITS,
)
from forensics.elf.header import ElfHeader, ProgramHeader, read_header, read_segments
from forensics.elf.notes import build_id_of
from forensics.memory.random_access import RandomAccess
from forensics.record import record

_SHDR = struct.Struct("<IIQQQQIIQQ")
_SYM = struct.Struct("<IBBHQQ")
_CHDR = struct.Struct("<IIQQ")

#: What `-gz=zlib-gnu` made before SHF_COMPRESSED: "ZLIB", the size in eight bytes (big-endian), the stream.
_OLD_COMPRESSED = ".zdebug_"

#: Debug sections of the largest HAProxy builds take some 40 MB decompressed.
MAX_SECTION = 1 << 29
#: Debug sections shrink to a third or a tenth; beyond this size, what claims to have shrunk a hundredfold is a bomb.
_FREE_SIZE, _MOST_SHRUNK = 1 << 24, 100


@record
class Section:
    """One Elf64_Shdr with its name; sizes and offsets in bytes."""

    name: str
    type: int
    flags: int
    address: int
    offset: int
    size: int
    link: int


@record
class ElfSymbol:
    """One Elf64_Sym; ``type`` is STT_*, ``section`` st_shndx (0: undefined), ``static`` says that it is STB_LOCAL."""

    name: bytes
    type: int
    section: int
    value: int
    size: int
    static: bool = False


class ElfImage:
    """An ELF file, its parts read when they are asked for.

    ``supplement`` is the file that `dwz -m` shares between several, named by .gnu_debugaltlink: who
    finds files sets it. ``split_directories`` are further places of .dwo and .dwp files.
    Raises what ``read_header`` raises.
    """

    def __init__(self, source: RandomAccess) -> None:
        self.source = source
        self.path = source.name
        self.header: ElfHeader = read_header(source)
        self.segments: tuple[ProgramHeader, ...] = read_segments(source, self.header)
        self._sections: dict[str, Section] | None = None
        self._in_order: list[Section] = []
        self.supplement: ElfImage | None = None
        self.split_directories: tuple[str, ...] = ()

    @property
    def build_id(self) -> str | Absence:
        """The build-id in hexadecimal, from the PT_NOTE segments, else from the note sections."""
        for one in self.segments:
            if one.type == PT_NOTE and one.file_size <= 1 << 20:
                found = build_id_of(self.source.read(one.offset, one.file_size))
                if found:
                    return found
        # `objcopy --only-keep-debug` leaves program headers that point nowhere useful.
        section = self.sections.get(".note.gnu.build-id")
        found = build_id_of(self.source.read(section.offset, section.size)) if section else None
        return found or Absence(f"build-id of {self.path}", "it was linked without one", "relink with `-Wl,--build-id`")

    @property
    def sections(self) -> dict[str, Section]:
        """Sections by name; empty when the section headers are stripped or broken.

        The `.zdebug_*` of old toolchains are listed under the names that they stand for.
        """
        if self._sections is None:
            self._in_order = list(self._read_sections())
            self._sections = {}
            for section in self._in_order:
                name = f".{section.name[2:]}" if section.name.startswith(_OLD_COMPRESSED) else section.name
                self._sections.setdefault(name, section)
        return self._sections

    def _read_sections(self) -> Iterator[Section]:
        header = self.header
        data = self.source.read(header.sections_offset, header.sections * _SHDR.size)
        rows = list(_SHDR.iter_unpack(data[: len(data) - len(data) % _SHDR.size]))
        if header.names_section >= len(rows):
            return
        names_row = rows[header.names_section]
        names = self.source.read(names_row[4], min(names_row[5], 1 << 20))
        for name, kind, flags, address, offset, size, link, _info, _align, _entry in rows:
            label = names[name : names.find(b"\0", name)].decode("ascii", "replace") if name < len(names) else ""
            yield Section(label, kind, flags, address, offset, size, link)

    def section_name(self, index: int) -> str:
        """The name of the section with this number, "" for none."""
        names = self.sections and self._in_order
        return names[index].name if names and index < len(names) else ""

    def section_end(self, index: int) -> int:
        """The address after the section with this number, 0 for none."""
        names = self.sections and self._in_order
        return names[index].address + names[index].size if names and index < len(names) else 0

    def section(self, name: str) -> bytes | Absence:
        """The bytes of a section, decompressed."""
        section = self.sections.get(name)
        if section is None or section.type == SHT_NOBITS:
            return Absence(f"{name} of {self.path}", "the file has no such section")
        return self._content(section)

    def joined(self, name: str) -> bytes:
        """The bytes of all sections of this name, one after the other; b"" when there is none.

        An object file has a section for each type unit, all of one name.
        """
        data = b""
        for section in self._in_order if name in self.sections else ():
            found = self._content(section) if section.name == name else b""
            if isinstance(found, bytes) and len(data) + len(found) <= MAX_SECTION:
                data = data + found if data else found
        return data

    def _content(self, section: Section) -> bytes | Absence:
        if section.size > MAX_SECTION:
            return Absence(f"{section.name} of {self.path}", f"it claims {section.size} bytes")
        data = self.source.read(section.offset, section.size)
        if len(data) < section.size:
            return Absence(f"{section.name} of {self.path}", "the file ends before it", "the complete file")
        if section.flags & SHF_COMPRESSED:
            return self._decompressed(section, data)
        if section.name.startswith(_OLD_COMPRESSED) and data.startswith(b"ZLIB"):
            return self._inflated(section, data[12:], int.from_bytes(data[4:12], "big"))
        return data

    def _decompressed(self, section: Section, data: bytes) -> bytes | Absence:
        if len(data) < _CHDR.size:
            return self._broken(section)
        kind, _reserved, size, _align = _CHDR.unpack_from(data)
        body = data[_CHDR.size :]
        if kind == ELFCOMPRESS_ZLIB:
            return self._inflated(section, body, size)
        if kind == ELFCOMPRESS_ZSTD:
            return (_zstd(body, size) if _credible(size, body) else None) or self._broken(section)
        return Absence(f"{section.name} of {self.path}", f"it is compressed in an unknown way ({kind})")

    def _inflated(self, section: Section, body: bytes, size: int) -> bytes | Absence:
        if not _credible(size, body):
            return self._broken(section)
        try:
            data = zlib.decompressobj().decompress(body, size)
        except zlib.error:
            return self._broken(section)
        return data if len(data) == size else self._broken(section)

    def _broken(self, section: Section) -> Absence:
        return Absence(f"{section.name} of {self.path}", "its compressed data is damaged", "the original file")

    def symbols(self, table: str) -> Iterator[ElfSymbol]:
        """The symbols of ``.symtab`` or ``.dynsym``; nothing when the table is missing or broken."""
        section = self.sections.get(table)
        if section is None or section.type == SHT_NOBITS or section.link >= len(self._in_order):
            return
        data, names = self._content(section), self._content(self._in_order[section.link])
        if isinstance(data, Absence) or isinstance(names, Absence):
            return
        for name, info, _other, index, value, size in _SYM.iter_unpack(data[: len(data) - len(data) % _SYM.size]):
            yield ElfSymbol(names[name : names.find(b"\0", name)], info & 15, index, value, size, not info >> 4)

    def read(self, address: int, size: int) -> bytes | Absence:
        """Bytes at a virtual address of the image, as the file holds them."""
        for one in self.segments:
            if one.type == PT_LOAD and one.address <= address and address + size <= one.address + one.file_size:
                data = self.source.read(one.offset + address - one.address, size)
                if len(data) == size:
                    return data
        return Absence(f"{self.path} at {address:#x}", "the file holds no bytes for this address")


def _credible(size: int, body: bytes) -> bool:
    """Whether ``body`` may be ``size`` bytes, compressed."""
    return 0 < size <= min(MAX_SECTION, max(_FREE_SIZE, _MOST_SHRUNK * len(body)))


def _zstd(body: bytes, size: int) -> bytes | None:
    import zstandard

    try:
        # Not decompress(): there the frame's own header, which may claim terabytes, chooses the memory.
        data = zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(body).read(size)
        return data if len(data) == size else None
    except zstandard.ZstdError:
        return None
