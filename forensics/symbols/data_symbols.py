"""Global variables by address: what a pointer into a module's data points at."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator

from forensics.elf.image import ElfImage

#: STT_OBJECT; thread-local ones (STT_TLS) have offsets and no addresses.
_OBJECT = 1


class DataSymbols:
    """The variables of a module's symbol tables; addresses are the image's own."""

    def __init__(self, images: Iterable[ElfImage]) -> None:
        found = {symbol[:2]: symbol[2] for image in images for symbol in _variables(image)}
        self._symbols = sorted((start, size, name) for (start, size), name in found.items())
        self._starts = [start for start, _size, _name in self._symbols]

    def find(self, address: int) -> str:
        """``name`` or ``name+offset`` (decimal, as gdb writes it) for an address inside of a variable, "" for none."""
        index = bisect_right(self._starts, address) - 1
        if index < 0:
            return ""
        start, size, name = self._symbols[index]
        if address >= start + size:
            return ""
        return f"{name}+{address - start}" if address > start else name


def _variables(image: ElfImage) -> Iterator[tuple[int, int, str]]:
    for table in (".dynsym", ".symtab"):
        for symbol in image.symbols(table):
            if symbol.type == _OBJECT and symbol.section and symbol.size:
                yield symbol.value, symbol.size, symbol.name.decode("utf-8", "replace")
