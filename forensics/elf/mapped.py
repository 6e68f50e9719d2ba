"""An ELF image as the core itself holds it: where the file is missing, its mapped pages may do.

Whole cores (coredump_filter 0x3f and more, gcore) hold the code and its tables; the default (0x33) only the
first page of each image, and then there is nothing to read.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from forensics.absence import Absence
from forensics.elf.constants import (
    DT_GNU_HASH,
    DT_HASH,
    DT_STRSZ,
    DT_STRTAB,
    DT_SYMTAB,
    PT_DYNAMIC,
    PT_GNU_EH_FRAME,
)
from forensics.elf.image import ElfImage, ElfSymbol
from forensics.elf.module import Module, Window
from forensics.elf.unlisted import dynamic_pairs
from forensics.errors import InputError
from forensics.memory.process import Memory

_SYM = struct.Struct("<IBBHQQ")

#: libcrypto exports 6,000 functions; a table of names as large as this is a lie.
_MOST_SYMBOLS = 1 << 19
_MOST_NAMES = 32 << 20
#: Symbols behind one bucket of the hash table.
_LONGEST_CHAIN = 1 << 16


class MappedImage(ElfImage):
    """The image of ``module`` in ``memory``: no sections, the dynamic symbols, and whatever pages are there.

    Raises what ``ElfImage`` raises.
    """

    def __init__(self, memory: Memory, module: Module) -> None:
        super().__init__(Window(memory, module.start, module.path))
        self._sections = {}
        self._memory = memory
        self._base = module.base

    def read(self, address: int, size: int) -> bytes | Absence:
        """Bytes at a virtual address of the image, as the core holds them."""
        return self._memory.read(self._base + address, size)

    def symbols(self, table: str) -> Iterator[ElfSymbol]:
        """The symbols of ``.dynsym``, which is all that is mapped; nothing when it is not in the core."""
        dynamic = self._dynamic() if table == ".dynsym" else {}
        names = self._part(dynamic, DT_STRTAB, min(dynamic.get(DT_STRSZ, 0), _MOST_NAMES))
        data = self._part(dynamic, DT_SYMTAB, self._count(dynamic) * _SYM.size) if names else b""
        for name, info, _other, index, value, size in _SYM.iter_unpack(data):
            yield ElfSymbol(names[name : names.find(b"\0", name)], info & 15, index, value, size, not info >> 4)

    def _dynamic(self) -> dict[int, int]:
        """PT_DYNAMIC by tag."""
        for one in self.segments:
            if one.type == PT_DYNAMIC:
                return dict(dynamic_pairs(self._memory, self._base + one.address))
        return {}

    def _part(self, dynamic: dict[int, int], tag: int, size: int) -> bytes:
        """The bytes that an entry points to, b"" when they are not there."""
        data = self._memory.read(self._place(dynamic.get(tag, 0)), size) if tag in dynamic and size else b""
        return data if isinstance(data, bytes) else b""

    def _place(self, pointer: int) -> int:
        """The address in the process: glibc relocates these pointers in place, musl and the kernel's vdso do not."""
        return pointer if pointer >= self._base else self._base + pointer

    def _count(self, dynamic: dict[int, int]) -> int:
        """How many symbols there are: the hash tables know."""
        if DT_HASH in dynamic:
            head = self._part(dynamic, DT_HASH, 8)
            return min(int.from_bytes(head[4:8], "little"), _MOST_SYMBOLS)
        head = self._part(dynamic, DT_GNU_HASH, 16)
        return min(self._count_of_gnu_hash(self._place(dynamic[DT_GNU_HASH]), head), _MOST_SYMBOLS) if head else 0

    def _count_of_gnu_hash(self, at: int, head: bytes) -> int:
        """One more than the last symbol of the last chain (binutils, elf/common.h; no specification has it)."""
        buckets, first, bloom, _shift = struct.unpack("<4I", head)
        if buckets > _MOST_SYMBOLS or bloom > _MOST_SYMBOLS:
            return 0
        at += 16 + 8 * bloom
        data = self._memory.read(at, 4 * buckets) if buckets else b""
        last = (
            max((number for (number,) in struct.iter_unpack("<I", data)), default=0) if isinstance(data, bytes) else 0
        )
        if last < first:
            return int(first)
        at += 4 * (buckets - first)
        for number in range(last, last + _LONGEST_CHAIN):
            word = self._memory.read(at + 4 * number, 4)
            if not isinstance(word, bytes) or word[0] & 1:
                return number + 1 if isinstance(word, bytes) else 0
        return 0


def mapped_image(memory: Memory, module: Module) -> MappedImage | Absence:
    """The image of ``module`` as the core holds it, if it holds more of it than the headers."""
    nothing = Absence(
        f"image of {module.path} in memory",
        "the core does not hold its pages",
        "a core written with `coredump_filter` 0x3f or more, or by gcore",
    )
    try:
        image = MappedImage(memory, module)
    except InputError:
        return nothing
    for one in image.segments:
        if one.type == PT_GNU_EH_FRAME and isinstance(image.read(one.address, max(one.size, 4)), bytes):
            return image
    return image if next(image.symbols(".dynsym"), None) is not None else nothing
