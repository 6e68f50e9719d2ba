"""Mini debug info: a symbol table that an image carries compressed in ``.gnu_debugdata``.

gdb's manual, "MiniDebugInfo": an ELF file compressed with xz, whose .symtab lists functions that .dynsym does not.
"""

from __future__ import annotations

from forensics.absence import Absence
from forensics.elf.image import ElfImage
from forensics.errors import ForensicsError
from forensics.memory.random_access import BytesInMemory

#: The symbols of the largest libraries take some 10 MB; the decompressor may hold what `xz -9` needs.
_MAX_SIZE, _MEMORY_LIMIT = 1 << 26, 1 << 27


def open_mini(image: ElfImage) -> ElfImage | Absence:
    """The ELF file in ``.gnu_debugdata`` of ``image``."""
    packed = image.section(".gnu_debugdata")
    if isinstance(packed, Absence):
        return packed
    subject = f"mini debug info of {image.path}"
    import lzma

    decompressor = lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=_MEMORY_LIMIT)
    try:
        data = decompressor.decompress(packed, _MAX_SIZE)
    except lzma.LZMAError as error:
        return Absence(subject, f"its xz data is damaged ({error})")
    if not decompressor.eof:
        reason = "its xz data is cut" if decompressor.needs_input else f"it has more than {_MAX_SIZE >> 20} MiB"
        return Absence(subject, reason)
    try:
        return ElfImage(BytesInMemory(data, f"{image.path} (.gnu_debugdata)"))
    except ForensicsError as error:
        return Absence(subject, error.message)
