"""ELF images written in memory, for tests: one oddity each, no blob.

An ``Image`` is laid out so that file offsets and virtual addresses are equal, as in a
vdso: its bytes can stand in a file and in a process's memory alike.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field

EHDR = struct.Struct("<HHIQQQIHHHHHH")
PHDR = struct.Struct("<IIQQQQQQ")
SHDR = struct.Struct("<IIQQQQIIQQ")
SYM = struct.Struct("<IBBHQQ")

EM_X86_64, EM_AARCH64 = 62, 183
ET_DYN, ET_CORE = 3, 4
PT_LOAD, PT_DYNAMIC, PT_NOTE, PT_EH_FRAME = 1, 2, 4, 0x6474E550

#: Where .text begins; everything before it is small.
TEXT = 0x1000

#: DW_CFA_def_cfa rsp+8, DW_CFA_offset of the return address at CFA-8: what every x86-64 CIE begins with.
CIE_PROGRAM = bytes((0x0C, 7, 8, 0x90, 1))


def ident(elf_class: int = 2, endianness: int = 1) -> bytes:
    """e_ident: class 2 is 64-bit, endianness 1 is little."""
    return b"\x7fELF" + bytes((elf_class, endianness, 1)) + bytes(9)


def note(owner: bytes, kind: int, descriptor: bytes, *, size: int | None = None) -> bytes:
    """One note, padded; ``size`` is the size that it claims."""
    name = owner + b"\0" if owner else b""
    head = struct.pack("<III", len(name), len(descriptor) if size is None else size, kind)
    return head + name + bytes(-len(name) % 4) + descriptor + bytes(-len(descriptor) % 4)


def program_header(
    kind: int, offset: int, address: int, file_size: int, size: int | None = None, flags: int = 5
) -> bytes:
    """One Elf64_Phdr."""
    return PHDR.pack(kind, flags, offset, address, 0, file_size, file_size if size is None else size, 4)


@dataclass(frozen=True, slots=True)
class Fde:
    """Call frame information: ``start`` and ``size`` of the code, and its instructions."""

    start: int
    size: int
    instructions: bytes = b""


@dataclass(frozen=True, slots=True)
class Function:
    """One function of .dynsym; ``kind`` is STT_*."""

    name: str
    start: int
    size: int
    kind: int = 2


@dataclass(slots=True)
class Image:
    """A shared object with code at ``TEXT``; ``build()`` writes it."""

    build_id: bytes = bytes(range(20))
    text: bytes = b"\xcc" * 256
    rodata: bytes = b""
    functions: tuple[Function, ...] = ()
    fdes: tuple[Fde, ...] = ()
    cie_program: bytes = CIE_PROGRAM
    augmentation: bytes = b"zR"
    return_register: int = 16
    machine: int = EM_X86_64
    elf_class: int = 2
    endianness: int = 1
    type: int = ET_DYN
    extra_sections: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    #: "hash" or "gnu" for a PT_DYNAMIC with that kind of hash table; "" for none.
    dynamic: str = ""

    @property
    def rodata_address(self) -> int:
        """Where .rodata begins."""
        return TEXT + len(self.text) + -len(self.text) % 16

    def build(self) -> bytes:
        """The file: headers, small tables, .text at TEXT, .rodata, section headers."""
        segments = 3 + bool(self.fdes) + bool(self.dynamic)
        body = ident(self.elf_class, self.endianness) + bytes(48) + bytes(segments * PHDR.size)
        rows: list[tuple[str, int, int, int, int]] = []  # name, type, offset, size, link

        def place(name: str, kind: int, data: bytes, link: int = 0) -> int:
            nonlocal body
            body += bytes(-len(body) % 8)
            rows.append((name, kind, len(body), len(data), link))
            body += data
            return rows[-1][2]

        notes = note(b"GNU", 3, self.build_id) if self.build_id else b""
        note_at = place(".note.gnu.build-id", 7, notes)
        names, symbols = self._symbols()
        symbols_at = place(".dynsym", 11, symbols, link=len(rows) + 2)
        names_at = place(".dynstr", 3, names)
        dynamic_at = self._place_dynamic(place, symbols_at, names_at, len(names)) if self.dynamic else 0
        frames_at = len(body) + -len(body) % 8
        frames, table = self._frames(frames_at)
        place(".eh_frame", 1, frames)
        header_at = len(body) + -len(body) % 8
        place(".eh_frame_hdr", 1, self._search_table(header_at, frames_at, table))
        if len(body) > TEXT:
            raise ValueError("the tables do not fit before .text")
        body += bytes(TEXT - len(body))
        place(".text", 1, self.text)
        body += bytes(self.rodata_address - len(body))
        place(".rodata", 1, self.rodata)
        loaded = len(body)
        for name, (_flag, data) in self.extra_sections.items():
            place(name, 1, data)
        flags = {name: flag for name, (flag, _data) in self.extra_sections.items()}
        sections_at, tail = _section_headers(body, rows, flags)
        count = len(rows) + 2
        head = EHDR.pack(self.type, self.machine, 1, TEXT, 64, sections_at, 0, 64, 56, segments, 64, count, count - 1)
        headers = program_header(PT_LOAD, 0, 0, loaded) + program_header(PT_NOTE, note_at, note_at, len(notes))
        headers += program_header(0x6474E551, 0, 0, 0)
        if self.fdes:
            headers += program_header(PT_EH_FRAME, header_at, header_at, 12 + 8 * len(table))
        if self.dynamic:
            headers += program_header(PT_DYNAMIC, dynamic_at, dynamic_at, 80)
        return body[:16] + head + headers + body[64 + len(headers) :] + tail

    def _place_dynamic(self, place: Callable[[str, int, bytes], int], symbols: int, names: int, size: int) -> int:
        """PT_DYNAMIC and a hash table: of the former only the count is right, of the latter one bucket and its chain."""
        count = 1 + len(self.functions)
        if self.dynamic == "hash":
            tag, table = 4, struct.pack("<4I", 1, count, 0, 0)
        else:
            chain = [2] * (count - 2) + [1] if count > 1 else []
            tag, table = 0x6FFFFEF5, struct.pack("<4IQI", 1, 1, 1, 0, 0, 1) + struct.pack(f"<{len(chain)}I", *chain)
        hash_at = place(".hash", 5, table)
        pairs = (5, names, 6, symbols, 10, size, tag, hash_at, 0, 0)
        return place(".dynamic", 6, struct.pack("<10Q", *pairs))

    def _symbols(self) -> tuple[bytes, bytes]:
        names, rows = b"\0", SYM.pack(0, 0, 0, 0, 0, 0)
        for one in self.functions:
            rows += SYM.pack(len(names), 0x10 | one.kind, 0, 6, one.start, one.size)
            names += one.name.encode() + b"\0"
        return names, rows

    def _frames(self, at: int) -> tuple[bytes, list[tuple[int, int]]]:
        """.eh_frame at virtual address ``at``, and (start, address of the FDE) of each entry."""
        cie = b"\0\0\0\0\1" + self.augmentation + b"\0" + b"\1\x78" + bytes((self.return_register,))
        if self.augmentation.startswith(b"z"):
            cie += b"\1\x1b"  # one byte: pointers are sdata4, relative to their own place
        data, table = _entry(cie + self.cie_program), []
        for one in sorted(self.fdes, key=lambda fde: fde.start):
            begin = len(data)
            table.append((one.start, at + begin))
            pointer = one.start - (at + begin + 8)
            fde = struct.pack("<IiI", begin + 4, pointer, one.size)
            fde += (b"\0" if self.augmentation.startswith(b"z") else b"") + one.instructions
            data += _entry(fde)
        return data + bytes(4), table

    @staticmethod
    def _search_table(at: int, frames_at: int, table: list[tuple[int, int]]) -> bytes:
        head = struct.pack("<BBBBiI", 1, 0x1B, 0x03, 0x3B, frames_at - (at + 4), len(table))
        return head + b"".join(struct.pack("<ii", start - at, fde - at) for start, fde in table)


def _section_headers(
    body: bytes, rows: list[tuple[str, int, int, int, int]], flags: dict[str, int]
) -> tuple[int, bytes]:
    """Where the section headers begin, and what follows ``body``: the names, then the headers."""
    names, packed = b"\0", SHDR.pack(*(0,) * 10)
    for name, kind, offset, size, link in rows:
        address = 0 if name in flags else offset
        entry = SYM.size if kind == 11 else 0
        packed += SHDR.pack(len(names), kind, flags.get(name, 2), address, offset, size, link, entry // 24, 4, entry)
        names += name.encode() + b"\0"
    packed += SHDR.pack(len(names), 3, 0, 0, len(body), len(names) + 10, 0, 0, 1, 0)
    names += b".shstrtab\0"
    names += bytes(-(len(body) + len(names)) % 8)
    return len(body) + len(names), names + packed


def _entry(data: bytes) -> bytes:
    """A CIE or FDE with its length, padded with DW_CFA_nop."""
    data += bytes(-(len(data) + 4) % 8)
    return struct.pack("<I", len(data)) + data
