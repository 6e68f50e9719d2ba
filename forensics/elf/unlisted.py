"""Modules of a core without NT_FILE: from the auxiliary vector, from the dynamic linker's list, from ELF magics.

qemu's user emulation and old tools write no table of mapped files.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from forensics.absence import Absence
from forensics.elf.constants import (
    AT_EXECFN,
    AT_PHDR,
    AT_PHENT,
    AT_PHNUM,
    AT_SYSINFO_EHDR,
    DT_DEBUG,
    DT_NULL,
    MAGIC,
    PT_DYNAMIC,
    PT_LOAD,
    PT_PHDR,
)
from forensics.memory.process import Memory, Segment

#: Elf64_Ehdr up to e_phnum: e_ident and what follows it, e_phoff, e_phentsize, e_phnum.
_EHDR = struct.Struct("<32sQ14xHH4x")
_PHDR = struct.Struct("<IIQQQQQQ")
_PAIR = struct.Struct("<QQ")
#: struct link_map (glibc's and musl's link.h): l_addr, l_name, l_ld, l_next, l_prev.
_LINK_MAP = struct.Struct("<5Q")

#: Images are mapped at pages; larger pages (64 KiB) are multiples.
_PAGE = 0x1000

#: Bounds for what a damaged core could make endless.
_MOST_MODULES = 1024
_MOST_MAGICS = 4096
_MOST_PAIRS = 512
_MOST_SEARCHED = 4 << 20


@dataclass(slots=True)
class Found:
    """An image at ``start`` up to ``end``; ``path`` is "" where nothing names it, ``main`` marks the executable."""

    start: int
    end: int
    path: str
    main: bool = False


def find_unlisted(memory: Memory, auxv: dict[int, int]) -> list[Found]:
    """The images that lie in ``memory``, sorted by address."""
    main = _main_start(auxv)
    names = {main: _name_of_main(memory, auxv)} if main else {}
    if main:
        for start, name in linked_libraries(memory, auxv):
            names.setdefault(start, name)
    vdso = auxv.get(AT_SYSINFO_EHDR, 0)
    for start in _magics(memory):
        if start != vdso:
            names.setdefault(start, "")
    starts = set(names) | ({vdso} if vdso else set())
    found = [Found(start, _end(memory, start, starts), name, start == main) for start, name in sorted(names.items())]
    return [one for one in found if one.end > one.start]


def _main_start(auxv: dict[int, int]) -> int:
    """The page where the executable begins: its program headers follow its ELF header."""
    headers = auxv.get(AT_PHDR, 0)
    return headers & -_PAGE if headers else 0


def _name_of_main(memory: Memory, auxv: dict[int, int]) -> str:
    name = memory.string(auxv[AT_EXECFN], 4096) if AT_EXECFN in auxv else ""
    return name if isinstance(name, str) else ""


def _end(memory: Memory, start: int, starts: set[int]) -> int:
    """Where the image ends: at a gap, at the next image, or where code follows data beyond what its headers tell.

    Linkers put code before data; patchelf moves headers into data of their own, before the code.
    """
    end, writable, told = start, False, _told_end(memory, start)
    for segment in memory.segments_from(start):
        if segment.address > end or (segment.address != start and segment.address in starts):
            break
        if segment.executable and writable and segment.address >= told:
            break
        writable = writable or segment.writable
        end = segment.end
    return end


def _told_end(memory: Memory, start: int) -> int:
    """Where the program headers of the image at ``start`` say that it ends; ``start`` where the core has none."""
    head = memory.read(start, _EHDR.size)
    if not isinstance(head, bytes) or head[:4] != MAGIC:
        return start
    _ident, offset, size, count = _EHDR.unpack(head)
    data = memory.read(start + offset, min(count, 64) * _PHDR.size) if size == _PHDR.size and count else b""
    loads = [one for one in _PHDR.iter_unpack(data) if one[0] == PT_LOAD] if isinstance(data, bytes) else []
    if not loads:
        return start
    return start + int(max(one[3] + one[6] for one in loads)) - int(min(one[3] for one in loads)) // _PAGE * _PAGE


def _magics(memory: Memory) -> Iterator[int]:
    """Segments that begin with an ELF header."""
    looked = 0
    for segment in memory.segments:
        if segment.file_size < 64 or segment.address % _PAGE:
            continue
        looked += 1
        if looked > _MOST_MAGICS:
            return
        head = memory.read(segment.address, 4)
        if head == MAGIC:
            yield segment.address


def linked_libraries(memory: Memory, auxv: dict[int, int]) -> Iterator[tuple[int, str]]:
    """Load bias and name of each library in the dynamic linker's list (struct r_debug, r_map), as they were loaded."""
    main = _main_start(auxv)
    address = _first_link(memory, auxv, main) if main else 0
    for _count in range(_MOST_MODULES):
        link = memory.read(address, _LINK_MAP.size) if address else b""
        if not isinstance(link, bytes) or not link:
            return
        base, name_at, _dynamic, address, _previous = _LINK_MAP.unpack(link)
        name = memory.string(name_at, 4096)
        # The executable's own name is empty, and its base 0 when its address is fixed.
        if isinstance(name, str) and name and base and not isinstance(memory.find(base), Absence):
            yield base, name


def _first_link(memory: Memory, auxv: dict[int, int], main: int) -> int:
    """The head of the list: where DT_DEBUG of the executable leads."""
    for debug in (*_debug_by_headers(memory, auxv), *_debug_by_search(memory, main)):
        version, head = memory.read(debug, 4), memory.word(debug + 8)
        if version in (b"\1\0\0\0", b"\2\0\0\0") and isinstance(head, int):
            link = memory.read(head, _LINK_MAP.size)
            if isinstance(link, bytes) and _LINK_MAP.unpack(link)[4] == 0:
                return head
    return 0


def _debug_by_headers(memory: Memory, auxv: dict[int, int]) -> list[int]:
    """DT_DEBUG, where the core holds the executable's program headers."""
    at, size, count = auxv.get(AT_PHDR, 0), auxv.get(AT_PHENT, 0), min(auxv.get(AT_PHNUM, 0), 64)
    data = memory.read(at, count * _PHDR.size) if at and size == _PHDR.size and count else b""
    if not isinstance(data, bytes):
        return []
    headers = list(_PHDR.iter_unpack(data))
    bias = next((at - one[3] for one in headers if one[0] == PT_PHDR), 0)
    for one in headers:
        if one[0] == PT_DYNAMIC:
            return [value for tag, value in dynamic_pairs(memory, bias + one[3]) if tag == DT_DEBUG and value]
    return []


def dynamic_pairs(memory: Memory, address: int) -> Iterator[tuple[int, int]]:
    """The entries of a PT_DYNAMIC in memory, up to DT_NULL."""
    for number in range(_MOST_PAIRS):
        data = memory.read(address + number * _PAIR.size, _PAIR.size)
        if not isinstance(data, bytes):
            return
        tag, value = _PAIR.unpack(data)
        if tag == DT_NULL:
            return
        yield tag, value


def _debug_by_search(memory: Memory, main: int) -> list[int]:
    """DT_DEBUG, searched in the executable's data where its headers are not in the core."""
    wanted, left = DT_DEBUG.to_bytes(8, "little"), _MOST_SEARCHED
    found: list[int] = []
    for segment in _data_of(memory, main):
        size = min(segment.file_size, left)
        left -= size
        data = memory.read(segment.address, size) if size else b""
        place = data.find(wanted) if isinstance(data, bytes) else -1
        while isinstance(data, bytes) and place >= 0 and len(found) < 64:
            if place % 8 == 0 and place + 16 <= len(data):
                found.append(int.from_bytes(data[place + 8 : place + 16], "little"))
            place = data.find(wanted, place + 1)
    return found


def _data_of(memory: Memory, main: int) -> Iterator[Segment]:
    end = _end(memory, main, set())
    for segment in memory.segments_from(main):
        if segment.address >= end:
            return
        if segment.file_size and not segment.executable:
            yield segment
