"""The symbol table of an image: which function holds an address, and no guess beyond its end."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

from forensics.absence import Absence
from forensics.elf.constants import EM_AARCH64, STT_FUNC, STT_GNU_IFUNC, STT_NOTYPE
from forensics.elf.image import ElfImage
from forensics.symbols.fragments import Fragment, FragmentTable
from forensics.symbols.plt import stubs_of


class SymbolTable:
    """Functions sorted by address.

    Where several names share an address, the greatest in byte order wins, as in
    gdb (``minimal_symbol_is_less_than``), so that both name the same alias.
    """

    def __init__(self, functions: Iterable[tuple[int, int, str]], *, complete: bool = True) -> None:
        """``functions`` are (start, size in bytes, name); ``complete`` when they are all that the build has.

        A stripped executable's are not: static functions may follow each of them.
        """
        self.complete = complete
        self.functions = sorted(functions, key=lambda one: (one[0], one[2].encode()))
        self._starts = [one[0] for one in self.functions]
        self._by_name: dict[str, int] | None = None

    def find(self, address: int) -> tuple[str, int]:
        """Name and start of the function that holds ``address``; ("", 0) for none.

        As in gdb (``lookup_minimal_symbol_by_pc_section`` in minsyms.c): a symbol of size 0
        (hand-written assembly, a label within a function) counts only where no function of a
        known size holds the address, and then reaches to the next one.
        """
        start, _size, name = self._find(address)
        return name, start

    def find_within(self, address: int, fragments: FragmentTable) -> tuple[str, int]:
        """As ``find``, but no name crosses a border of code that the call frame table draws.

        A symbol names a fragment that begins where it does, holds it, or lies within it. One of size 0
        reaches to the end of its own fragment; code without a fragment it names up to the next one, and only
        in a table that is complete.
        """
        start, size, name = self._find(address)
        if not name:
            return "", 0
        fragment = fragments.find(address)
        if isinstance(fragment, Absence):
            if size == 0 and (not self.complete or fragments.begins_within(start, address)):
                return "", 0
            return name, start
        if fragment.holds(start) or (start <= fragment.start and fragment.end <= start + size):
            return name, start
        return "", 0

    def _find(self, address: int) -> tuple[int, int, str]:
        """The entry that holds ``address``; (0, 0, "") for none."""
        index, unsized = bisect_right(self._starts, address) - 1, -1
        while index >= 0:
            start, size, name = self.functions[index]
            if size and address < start + size:
                return start, size, name
            if size == 0:
                unsized = index if unsized < 0 else unsized
            elif index == 0 or address >= self.functions[index - 1][0] + self.functions[index - 1][1]:
                break
            index -= 1
        return self.functions[unsized] if unsized >= 0 else (0, 0, "")

    def start_of(self, name: str) -> int | None:
        """The address of the function ``name``."""
        if self._by_name is None:
            self._by_name = {symbol: start for start, _size, symbol in self.functions}
        return self._by_name.get(name)


def functions_of(images: Iterable[ElfImage], fragments: FragmentTable | Absence | None = None) -> SymbolTable:
    """The functions of ``.symtab`` and ``.dynsym`` of an image and its debug file; ``fragments`` bound their code."""
    found: dict[tuple[int, str], int] = {}
    complete = False
    for image in images:
        complete = complete or ".symtab" in image.sections
        last: dict[int, tuple[int, str]] = {}
        for table in (".symtab", ".dynsym"):
            for symbol in image.symbols(table):
                code = symbol.type in (STT_FUNC, STT_GNU_IFUNC) or (symbol.type == STT_NOTYPE and symbol.name)
                if symbol.name.startswith(b"$") and image.header.machine == EM_AARCH64:
                    continue  # marks where code or data begins within a function (ELF for the Arm 64-bit architecture)
                if symbol.section and symbol.section < 0xFF00 and code and _is_code(image, symbol.section, symbol.type):
                    key = symbol.value, symbol.name.decode("utf-8", "replace")
                    found[key] = max(symbol.size, found.get(key, 0))
                    last[symbol.section] = max(key, last.get(symbol.section, key))
        for section, key in last.items():
            # A symbol without size reaches to the next one, but never into another section.
            if found[key] == 0:
                found[key] = max(0, _end(key[0], image.section_end(section), fragments, complete) - key[0])
        found.update(((start, name), size) for start, size, name in stubs_of(image))
    return SymbolTable(((start, size, name) for (start, name), size in found.items()), complete=complete)


def _end(start: int, section_end: int, fragments: FragmentTable | Absence | None, complete: bool) -> int:
    """Where the code ends that begins at ``start`` and whose symbol does not tell its size; ``start`` for unknown."""
    if not isinstance(fragments, FragmentTable):
        return section_end
    fragment = fragments.find(start)
    if isinstance(fragment, Fragment):
        return min(section_end, fragment.end)
    return min(section_end, fragments.next_start(start)) if complete else start


def _is_code(image: ElfImage, section: int, kind: int) -> bool:
    """Symbols without a type (`_start` of old toolchains) count only in .text."""
    if kind != STT_NOTYPE:
        return True
    return image.section_name(section) == ".text"
