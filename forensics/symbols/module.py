"""The symbols of one module, from whatever files were found for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from forensics.absence import Absence
from forensics.elf.image import ElfImage
from forensics.elf.module import VDSO, Window
from forensics.symbols.find import ModuleFiles
from forensics.symbols.site import UNKNOWN_SITE, Call, CodeSite
from forensics.symbols.store import BuildRecords

# The readers of symbol tables and DWARF are imported where they are used: a build that is known needs none of them.
if TYPE_CHECKING:
    from forensics.symbols.dwarf.call_sites import CallSite
    from forensics.symbols.dwarf.locate import DwarfLines
    from forensics.symbols.table import SymbolTable


class ModuleSymbols:
    """Names, lines, assertions and layouts of one module; addresses are the image's own.

    Answers are kept in the store by build-id, so that a second core of the same
    build opens none of the files. ``from_core`` says that the image is the core's own memory (the vdso,
    or a module whose file is missing): it has no DWARF, and nothing of it is kept.
    """

    def __init__(self, files: ModuleFiles) -> None:
        self.files = files
        build_id = files.module.build_id
        # What a core says of its own code is not kept: the next core of that build must not have to believe it.
        self.from_core = files.module.path == VDSO or (
            files.image is not None and isinstance(files.image.source, Window)
        )
        self.records = BuildRecords(
            build_id if isinstance(build_id, str) and not self.from_core else "", files.identity
        )
        self._sites = self.records.records("sites")
        self._table: SymbolTable | None = None
        self._dwarf: DwarfLines | Absence | None = None

    @property
    def found(self) -> bool:
        """Whether any file of the module is at hand, or its pages in the core."""
        return self.files.status == "found" or self.files.image is not None

    @property
    def images(self) -> tuple[ElfImage, ...]:
        """The debug file and the image, as far as they were found."""
        return tuple(image for image in (self.files.debug, self.files.image) if image is not None)

    @property
    def table(self) -> SymbolTable:
        """The functions of the symbol tables."""
        if self._table is None:
            from forensics.symbols.table import functions_of

            pack = self.files.pack
            self._table = pack.table if pack and not self.images else functions_of(self.images)
        return self._table

    @property
    def dwarf(self) -> DwarfLines | Absence:
        """The DWARF of the image or of its debug file."""
        if self._dwarf is None:
            self._dwarf = Absence(
                f"source lines of {self.files.module.path}",
                "no file with DWARF was found for its build-id",
                "install the debug symbols of this build, or give them with `--debug-dir`",
            )
            from forensics.symbols.dwarf.locate import open_dwarf

            for image in self.images:
                # The vdso comes from the core: whoever made that could make us read for hours. The kernel's has none.
                if ".debug_info" in image.sections and image.path != VDSO:
                    self._dwarf = open_dwarf(image)
        return self._dwarf

    def site(self, address: int) -> CodeSite:
        """What is known of the code at ``address``."""
        key = f"{address:x}"
        plain = self._sites.get(key)
        if plain is not None:
            try:
                return CodeSite.from_plain(plain)
            except (TypeError, ValueError):
                del self._sites[key]  # a record of another shape is as good as none
        if not self.found:
            return UNKNOWN_SITE
        symbol, start = self.table.find(address)
        site = CodeSite(symbol, start, self._calls(address))
        self._sites[key] = site.to_plain()
        return site

    def _calls(self, address: int) -> tuple[Call, ...]:
        pack = self.files.pack
        if pack is not None and pack.has_lines and pack.calls(address):
            return pack.calls(address)
        calls = () if isinstance(self.dwarf, Absence) else self.dwarf.calls(address)
        return calls if isinstance(calls, tuple) else ()

    def address_of(self, name: str) -> int:
        """The address of a function by name, 0 when the symbol tables do not list it."""
        return self.table.start_of(name) or 0

    def variable(self, name: str) -> int | Absence:
        """The address of a global variable, as the symbol tables list it."""
        kept = self.records.records("variables")
        if name not in kept:
            if not self.found:
                return Absence(f"variable {name}", f"no file of {self.files.module.path} is at hand", "`--exe`")
            kept[name] = self._find_variable(name)
        return int(kept[name]) or Absence(f"variable {name}", "the symbol tables do not list it")

    def _find_variable(self, name: str) -> int:
        for image in self.images:
            for symbol in image.symbols(".dynsym"):
                if symbol.section and symbol.name == name.encode():
                    return symbol.value
            for symbol in image.symbols(".symtab"):
                if symbol.section and symbol.name == name.encode():
                    return symbol.value
        pack = self.files.pack
        return pack.variables.get(name, 0) if pack else 0

    def call_sites(self, address: int) -> tuple[int, list[CallSite]]:
        """Entry point and call sites of the function that holds ``address``, as DWARF tells."""
        pack = self.files.pack
        if pack is not None and pack.has_lines:
            return pack.call_sites(address)
        return (0, []) if isinstance(self.dwarf, Absence) else self.dwarf.call_sites(address)

    def sentence(self, address: int, start: int) -> str:
        """What the assertion at ``address`` prints, "" when no file tells; ``start`` as in ``sentence_before``."""
        kept = self.records.records("sentences")
        key = f"{address:x}"
        if key not in kept:
            from forensics.symbols.assertions import sentence_before, sentence_from

            if self.files.image is not None:
                kept[key] = sentence_before(self.files.image, address, start)
            elif self.files.pack is not None:
                kept[key] = sentence_from(self.files.pack.assertions, address, start)
            else:
                return ""
        return str(kept[key])

    def code(self, address: int) -> bytes | Absence:
        """The first bytes of the instruction at ``address``, of files that are proven to be those that ran.

        A symbol pack knows those of assertions only.
        """
        kept = self.records.records("code")
        key = f"{address:x}"
        if key not in kept:
            found = self._code(address)
            if isinstance(found, Absence):
                return found
            kept[key] = found.hex()
        return bytes.fromhex(str(kept[key]))

    def _code(self, address: int) -> bytes | Absence:
        if self.files.image is not None:
            return self.files.image.read(address, 8)
        for one in self.files.pack.assertions if self.files.pack is not None else ():
            if one.crash == address:
                return one.code
        return Absence(f"code at {address:#x}", "no file of the build holds it", "the executable, with `--exe`")

    def layout(self, structure: str, address: int) -> dict[str, int] | Absence:
        """Members of ``structure`` and their offsets, as declared in the unit that holds ``address``."""
        pack = self.files.pack
        if pack is not None and isinstance(pack.layout(structure), dict):
            return pack.layout(structure)
        if isinstance(self.dwarf, Absence):
            return self.dwarf
        from forensics.symbols.dwarf.members import struct_members

        return struct_members(self.dwarf, structure, address)

    def save(self) -> None:
        """Keep what was found out."""
        self.records.save()
