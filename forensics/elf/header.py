"""The ELF header and the program headers, read with bounds."""

from __future__ import annotations

import struct

from forensics.elf.constants import CLASS_64, LITTLE_ENDIAN, MACHINES, MAGIC, PN_XNUM
from forensics.errors import MalformedInput, UnsupportedInput
from forensics.memory.random_access import RandomAccess
from forensics.record import record

#: Elf64_Ehdr after e_ident, Elf64_Phdr, Elf64_Shdr (gABI, figures 4-3, 5-1, 4-8).
_EHDR = struct.Struct("<HHIQQQIHHHHHH")
_PHDR = struct.Struct("<IIQQQQQQ")
_SHDR = struct.Struct("<IIQQQQIIQQ")

#: A core of a process at the kernel's own default limit (vm.max_map_count) has 65,530 mappings; some raise it.
MAX_SEGMENTS = 1 << 21


@record
class ElfHeader:
    """What the Elf64_Ehdr says: ``type`` is e_type, ``machine`` e_machine, offsets in bytes."""

    type: int
    machine: int
    entry: int
    segments_offset: int
    segments: int
    sections_offset: int
    sections: int
    names_section: int


@record
class ProgramHeader:
    """One Elf64_Phdr; sizes and offsets in bytes."""

    type: int
    flags: int
    offset: int
    address: int
    file_size: int
    size: int


def read_header(source: RandomAccess) -> ElfHeader:
    """The ELF header of ``source``.

    Raises MalformedInput for what is no ELF file or too short, and
    UnsupportedInput for 32-bit and big-endian ones.
    """
    ident = source.read(0, 64)
    if not ident.startswith(MAGIC):
        raise MalformedInput(f"`{source.name}` is no ELF file", "")
    if len(ident) < 64:
        raise MalformedInput(f"`{source.name}` ends within its ELF header", "supply the complete file")
    machine = int.from_bytes(ident[18:20], "little" if ident[5] == LITTLE_ENDIAN else "big")
    if ident[4] != CLASS_64 or ident[5] != LITTLE_ENDIAN:
        name = MACHINES.get(machine, f"machine {machine}")
        raise UnsupportedInput(
            f"`{source.name}` is of {name}, and only 64-bit little-endian files can be read",
            "triage its log instead, or paste gdb's backtrace into a file and triage that",
        )
    fields = _EHDR.unpack(ident[16:64])
    header = ElfHeader(fields[0], fields[1], fields[3], fields[4], fields[9], fields[5], fields[11], fields[12])
    return _with_extended_count(source, header)


def _with_extended_count(source: RandomAccess, header: ElfHeader) -> ElfHeader:
    """Resolve PN_XNUM: the real number of segments stands in sh_info of section 0."""
    if header.segments != PN_XNUM:
        return header
    section = source.read(header.sections_offset, _SHDR.size)
    if len(section) < _SHDR.size:
        raise MalformedInput(f"`{source.name}` lost the section that counts its segments", "supply the complete core")
    count = _SHDR.unpack(section)[7]
    return ElfHeader(
        header.type, header.machine, header.entry, header.segments_offset,
        count, header.sections_offset, header.sections, header.names_section,
    )  # fmt: skip


def read_segments(source: RandomAccess, header: ElfHeader) -> tuple[ProgramHeader, ...]:
    """The program headers that the file really holds (fewer when it is cut)."""
    if header.segments > MAX_SEGMENTS:
        raise MalformedInput(f"`{source.name}` claims {header.segments} segments", "the header is corrupt")
    data = source.read(header.segments_offset, header.segments * _PHDR.size)
    whole = len(data) - len(data) % _PHDR.size
    return tuple(
        ProgramHeader(kind, flags, offset, address, file_size, size)
        for kind, flags, offset, address, _physical, file_size, size, _align in _PHDR.iter_unpack(data[:whole])
    )
