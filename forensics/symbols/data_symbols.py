"""Global variables by address: what a pointer into a module's data points at."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator

from forensics.absence import Absence
from forensics.elf.image import ElfImage
from forensics.symbols.module import ModuleSymbols

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


def variable_at(symbols: ModuleSymbols, address: int) -> tuple[str, int] | Absence:
    """The name of the global variable of a module that holds ``address``, and how many bytes into it.

    What was found is kept with the records of the build: the next crash opens no symbol table for it.
    """
    kept = symbols.records.records("variables")
    key = f"{address:x}"
    if key not in kept:
        if not symbols.found:
            reason = f"no file of {symbols.files.module.path} is at hand"
            return Absence(f"variable at {address:#x}", reason, "`--exe`")
        kept[key] = list(_holder(symbols, address))
    try:
        name, offset = kept[key]
        if name:
            return str(name), int(offset)
    except (TypeError, ValueError):
        del kept[key]  # a record of another shape is as good as none
    reason = "the symbol tables list none there"
    return Absence(f"variable at {address:#x}", reason, "the debug symbols of this build")


def _holder(symbols: ModuleSymbols, address: int) -> tuple[str, int]:
    """As ``variable_at``; of several names of one variable the first by alphabet, ("", 0) for none."""
    holding = (
        (-start, name) for name, (start, size, local) in symbols.variables.items()
        if not local and start <= address < start + size
    )  # fmt: skip
    start, name = min(holding, default=(0, ""))
    return name, address + start
