"""The call frame table of a module, from its image or from a symbol pack; rows are kept by build-id."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from forensics.absence import Absence
from forensics.elf.constants import PT_GNU_EH_FRAME
from forensics.elf.image import ElfImage
from forensics.symbols.module import ModuleSymbols
from forensics.unwind.rule import UnwindRow

# A build that is known needs no table.
if TYPE_CHECKING:
    from forensics.unwind.cfi import CallFrameTable


#: The search table of the largest libraries takes some hundred KiB.
_LARGEST_HEADER = 32 << 20


class ModuleRows:
    """Rows for addresses of one module (the image's own)."""

    def __init__(self, symbols: ModuleSymbols) -> None:
        self._symbols = symbols
        self._kept = symbols.records.records("rows")
        self._table: CallFrameTable | Absence | None = None
        self._debug_table: CallFrameTable | Absence | None = None
        self._rows: dict[int, UnwindRow] = {}

    def row(self, address: int) -> UnwindRow | Absence:
        """How to unwind from ``address``."""
        row = self._rows.get(address)
        if row is None:
            found = self._find(address)
            if isinstance(found, Absence):
                return found
            row = self._rows[address] = found
        return row

    def _find(self, address: int) -> UnwindRow | Absence:
        key = f"{address:x}"
        plain = self._kept.get(key)
        if plain is not None:
            try:
                return UnwindRow.from_plain(plain)
            except (TypeError, ValueError):
                del self._kept[key]  # a record of another shape is as good as none
        row = self._ask(address)
        if isinstance(row, UnwindRow):
            self._kept[key] = row.to_plain()
        return row

    def _ask(self, address: int) -> UnwindRow | Absence:
        """The row of .eh_frame, else of .debug_frame."""
        if self._table is None:
            self._table = open_table(self._symbols)
        row = self._table if isinstance(self._table, Absence) else self._table.row(address)
        if isinstance(row, UnwindRow):
            return row
        if self._debug_table is None:
            self._debug_table = open_debug_table(self._symbols)
        second = self._debug_table if isinstance(self._debug_table, Absence) else self._debug_table.row(address)
        return second if isinstance(second, UnwindRow) else row

    def function_start(self, address: int) -> int:
        """Where the code described together with ``address`` begins, else ``address`` itself."""
        kept = self._symbols.records.records("starts")
        key = f"{address:x}"
        if key not in kept:
            if self._table is None:
                self._table = open_table(self._symbols)
            fde = self._table if isinstance(self._table, Absence) else self._table.find_fde(address)
            if isinstance(fde, Absence):
                return address
            kept[key] = fde.start
        return int(kept[key])


def open_table(symbols: ModuleSymbols) -> CallFrameTable | Absence:
    """The call frame table of a module, or why it has none."""
    files = symbols.files
    if files.image is not None:
        return _from_image(files.image)
    if files.pack is not None and files.pack.section("frames"):
        from forensics.unwind.cfi import CallFrameTable

        pack = files.pack
        return CallFrameTable(pack.section("header"), pack.header_address, pack.section("frames"), pack.frames_address)
    return Absence(
        f"call frame information of {files.module.path}",
        "its file was not found",
        "the very file that ran, with `--exe`, `--sysroot` or `--symbols`",
    )


def open_debug_table(symbols: ModuleSymbols) -> CallFrameTable | Absence:
    """The table of .debug_frame, which compilers write where code must not have one at run time."""
    pack = symbols.files.pack
    packed = pack.section(".debug_frame") if pack is not None else b""
    for frames in (*(image.section(".debug_frame") for image in symbols.images), packed):
        if isinstance(frames, bytes) and frames:
            from forensics.unwind.cfi import CallFrameTable

            return CallFrameTable(b"", 0, frames, 0, debug=True)
    return Absence(f".debug_frame of {symbols.files.module.path}", "no file of the module has one")


def _from_image(image: ElfImage) -> CallFrameTable | Absence:
    from forensics.unwind.cfi import CallFrameTable

    section = image.sections.get(".eh_frame")
    frames = image.section(".eh_frame") if section is not None else None
    for segment in image.segments:
        if segment.type == PT_GNU_EH_FRAME:
            if section is not None and isinstance(frames, bytes):
                header = image.source.read(segment.offset, segment.file_size)
                return CallFrameTable(header, segment.address, frames, section.address)
            return _by_address(image, segment.address, segment.size)
    if section is not None and isinstance(frames, bytes):
        # Statically linked programs may come without the search table.
        return CallFrameTable(b"", 0, frames, section.address)
    return Absence(f"call frame information of {image.path}", "the file has no .eh_frame")


def _by_address(image: ElfImage, address: int, size: int) -> CallFrameTable | Absence:
    """The table where section headers are not at hand: the search table tells where the frames are."""
    from forensics.elf.encoding import read_pointer
    from forensics.unwind.cfi import CallFrameTable, MappedBytes

    header = image.read(address, min(size, _LARGEST_HEADER))
    if isinstance(header, Absence):
        return header
    try:
        frames, _position = read_pointer(header, 4, header[1], address, address)
    except (IndexError, ValueError, struct.error):
        return Absence(f"call frame information of {image.path}", "its search table is damaged")
    return CallFrameTable(header, address, MappedBytes(image.read, frames), frames)
