"""The ELF header and the program headers, read with bounds."""

from __future__ import annotations

import struct
from functools import cache

from forensics.elf.constants import BIG_ENDIAN, CLASS_32, CLASS_64, LITTLE_ENDIAN, MACHINES, MAGIC, PN_XNUM
from forensics.errors import MalformedInput, UnsupportedInput
from forensics.memory.random_access import RandomAccess
from forensics.record import record

#: Elf64_Phdr; the other structures are in ``Layout``.
_PHDR = struct.Struct("<IIQQQQQQ")

#: A core of a process at the kernel's own default limit (vm.max_map_count) has 65,530 mappings; some raise it.
MAX_SEGMENTS = 1 << 21


@record
class Layout:
    """How wide the words of a file are (bits: e_ident[EI_CLASS]) and in which order their bytes stand (EI_DATA)."""

    bits: int = 64
    big_endian: bool = False

    @property
    def order(self) -> str:
        """As the formats of ``struct`` begin."""
        return ">" if self.big_endian else "<"

    @property
    def word(self) -> str:
        """An unsigned word, as ``struct`` writes it."""
        return "Q" if self.bits == 64 else "I"

    @property
    def word_size(self) -> int:
        """Bytes of a word."""
        return self.bits // 8

    def number(self, data: bytes) -> int:
        """An unsigned number."""
        return int.from_bytes(data, "big" if self.big_endian else "little")


#: The layout of the machines that are unwound.
LP64 = Layout()


@record
class ElfHeader:
    """What the Elf64_Ehdr or Elf32_Ehdr says: ``type`` is e_type, ``machine`` e_machine, offsets in bytes."""

    type: int
    machine: int
    entry: int
    segments_offset: int
    segments: int
    sections_offset: int
    sections: int
    names_section: int
    layout: Layout = LP64


@record
class ProgramHeader:
    """One Elf64_Phdr or Elf32_Phdr; sizes and offsets in bytes."""

    type: int
    flags: int
    offset: int
    address: int
    file_size: int
    size: int
    align: int = 0


@cache
def _structures(layout: Layout) -> tuple[struct.Struct, struct.Struct, struct.Struct]:
    """Ehdr after e_ident, Phdr, Shdr (gABI, figures 4-3, 5-1, 4-8)."""
    order, word = layout.order, layout.word
    flags_first = f"{order}IIQQQQQQ" if layout.bits == 64 else f"{order}IIIIIIII"
    return (
        struct.Struct(f"{order}HHI{word}{word}{word}IHHHHHH"),
        struct.Struct(flags_first),
        struct.Struct(f"{order}II{word}{word}{word}{word}II{word}{word}"),
    )


def read_header(source: RandomAccess, *, any_layout: bool = False) -> ElfHeader:
    """The ELF header of ``source``.

    Raises MalformedInput for what is no ELF file or too short, and UnsupportedInput
    for 32-bit and big-endian ones unless ``any_layout`` admits them.
    """
    ident = source.read(0, 64)
    if not ident.startswith(MAGIC):
        raise MalformedInput(f"`{source.name}` is no ELF file", "")
    layout = _layout_of(source, ident)
    if layout != LP64 and not any_layout:
        machine = layout.number(ident[18:20])
        name = MACHINES.get(machine, f"machine {machine}")
        raise UnsupportedInput(
            f"`{source.name}` is of {name}, and only 64-bit little-endian files can be read",
            "triage its log instead, or paste gdb's backtrace into a file and triage that",
        )
    form = _structures(layout)[0]
    fields = form.unpack(ident[16 : 16 + form.size])
    header = ElfHeader(fields[0], fields[1], fields[3], fields[4], fields[9], fields[5], fields[11], fields[12], layout)
    return _with_extended_count(source, header)


def _layout_of(source: RandomAccess, ident: bytes) -> Layout:
    """Class and byte order; MalformedInput for others than ELF has, and for a header that is cut."""
    least = 64 if ident[4:5] != bytes((CLASS_32,)) else 52
    if len(ident) < least:
        raise MalformedInput(f"`{source.name}` ends within its ELF header", "supply the complete file")
    if ident[4] not in (CLASS_32, CLASS_64) or ident[5] not in (LITTLE_ENDIAN, BIG_ENDIAN):
        raise MalformedInput(
            f"`{source.name}` has an ELF header of no known kind (class {ident[4]}, byte order {ident[5]})",
            "the header is corrupt: supply another copy",
        )
    if ident[4] == CLASS_64 and ident[5] == LITTLE_ENDIAN:
        return LP64
    return Layout(64 if ident[4] == CLASS_64 else 32, ident[5] == BIG_ENDIAN)


def _with_extended_count(source: RandomAccess, header: ElfHeader) -> ElfHeader:
    """Resolve PN_XNUM: the real number of segments stands in sh_info of section 0."""
    if header.segments != PN_XNUM:
        return header
    form = _structures(header.layout)[2]
    section = source.read(header.sections_offset, form.size)
    if len(section) < form.size:
        raise MalformedInput(f"`{source.name}` lost the section that counts its segments", "supply the complete core")
    count = form.unpack(section)[7]
    return ElfHeader(
        header.type, header.machine, header.entry, header.segments_offset,
        count, header.sections_offset, header.sections, header.names_section, header.layout,
    )  # fmt: skip


def read_segments(source: RandomAccess, header: ElfHeader) -> tuple[ProgramHeader, ...]:
    """The program headers that the file really holds (fewer when it is cut)."""
    if header.segments > MAX_SEGMENTS:
        raise MalformedInput(f"`{source.name}` claims {header.segments} segments", "the header is corrupt")
    form = _PHDR if header.layout is LP64 else _structures(header.layout)[1]
    data = source.read(header.segments_offset, header.segments * form.size)
    rows = form.iter_unpack(data[: len(data) - len(data) % form.size])
    if header.layout.bits == 64:
        return tuple(
            ProgramHeader(kind, flags, offset, address, file_size, size, align)
            for kind, flags, offset, address, _physical, file_size, size, align in rows
        )
    # Elf32_Phdr has its flags behind the sizes.
    return tuple(
        ProgramHeader(kind, flags, offset, address, file_size, size, align)
        for kind, offset, address, _physical, file_size, size, flags, align in rows
    )
