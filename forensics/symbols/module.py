"""The symbols of one module, from whatever files were found for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from forensics.absence import Absence
from forensics.elf.image import ElfImage
from forensics.elf.module import VDSO, Window
from forensics.names import plain_name
from forensics.symbols.find import ModuleFiles
from forensics.symbols.memo import BuildRecords
from forensics.symbols.site import UNKNOWN_SITE, Call, CodeSite

# The readers of symbol tables and DWARF are imported where they are used: a build that is known needs none of them.
if TYPE_CHECKING:
    from forensics.symbols.checks import Checks
    from forensics.symbols.dwarf.call_sites import CallSite
    from forensics.symbols.dwarf.locate import DwarfLines
    from forensics.symbols.fragments import FragmentTable
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
        self._fragments: FragmentTable | Absence | None = None
        self._checks: Checks | None = None

    @property
    def found(self) -> bool:
        """Whether any file of the module is at hand, or its pages in the core."""
        return self.files.status == "found" or self.files.image is not None

    @property
    def images(self) -> tuple[ElfImage, ...]:
        """The debug file, the image and its mini debug info, as far as they were found."""
        return self.files.images

    @property
    def table(self) -> SymbolTable:
        """The functions of the symbol tables."""
        if self._table is None:
            from forensics.symbols.table import functions_of

            pack = self.files.pack
            self._table = functions_of(self.images, self.fragments) if self.images or pack is None else pack.table
            if pack is not None and pack.table.complete and not self._table.complete:
                self._table = pack.table  # the file is stripped, and the pack was made before it was
        return self._table

    @property
    def fragments(self) -> FragmentTable | Absence:
        """Where the functions and their fragments begin and end, stripped or not."""
        if self._fragments is None:
            from forensics.symbols.fragments import fragments_in, fragments_of

            pack = self.files.pack
            if self.files.image is not None:
                self._fragments = fragments_of(self.files.image)
            elif pack is not None and pack.section("header"):
                self._fragments = fragments_in(
                    pack.section("header"), pack.header_address, pack.section("frames"), pack.frames_address
                )
            else:
                self._fragments = Absence(f"boundaries of functions of {self.files.module.path}", "no file has them")
        return self._fragments

    @property
    def checks(self) -> Checks:
        """The checks that the module counts (BUG_ON and its like); none where no file tells."""
        if self._checks is None:
            from forensics.symbols.checks import Checks, checks_of

            if self.files.image is not None:
                self._checks = checks_of(self.files.image)
            else:
                self._checks = Checks(()) if self.files.pack is None else self.files.pack.checks
        return self._checks

    def check_borders(self) -> tuple[int, int]:
        """Where the entries of the counted checks begin and end; (0, 0) when there are none or no file tells."""
        kept = self.records.records("check_borders")
        if "" not in kept:
            if not self.found:
                return 0, 0
            kept[""] = list(self.checks.borders)
        try:
            start, stop = kept[""]
            return int(start), int(stop)
        except (TypeError, ValueError):
            del kept[""]  # a record of another shape is as good as none
            return 0, 0

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
            packed = self.files.pack.image if self.files.pack is not None else None
            if not self._dwarf and packed is not None and not isinstance(packed, Absence):
                self._dwarf = open_dwarf(packed)
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
        symbol, start = self._named(address)
        site = CodeSite(symbol, start, self._calls(address))
        if not self._lacks_a_file(address):
            self._sites[key] = site.to_plain()
        return site

    def _lacks_a_file(self, address: int) -> bool:
        """Whether names are in a file that is missing (a .dwo, or what dwz shares): it may be there next time."""
        return not isinstance(self.dwarf, Absence) and self.dwarf.gap(address) is not None

    def _named(self, address: int) -> tuple[str, int]:
        """The symbol that holds ``address`` and its start; ("", 0) for none."""
        if isinstance(self.fragments, Absence):
            return self.table.find(address)
        return self.table.find_within(address, self.fragments)

    def hint(self, address: int) -> str:
        """Where code without a name comes from, inferred from the assertions it refers to; "" for no hint."""
        kept = self.records.records("hints")
        key = f"{address:x}"
        if key not in kept:
            kept[key] = self._hint(address)
        return str(kept[key])

    def _hint(self, address: int) -> str:
        fragment = self.fragments if isinstance(self.fragments, Absence) else self.fragments.find(address)
        if isinstance(fragment, Absence):
            return ""
        from forensics.symbols.hints import hint_of, references_from, references_in

        if self.files.image is not None:
            return hint_of(references_in(self.files.image, fragment, self.checks), address)
        pack = self.files.pack
        return hint_of(references_from(pack.references, fragment), address) if pack is not None else ""

    def _calls(self, address: int) -> tuple[Call, ...]:
        pack = self.files.pack
        if pack is not None and pack.has_lines and pack.calls(address):
            return pack.calls(address)
        calls = () if isinstance(self.dwarf, Absence) else self.dwarf.calls(address)
        if not isinstance(calls, tuple):
            return ()
        if calls and not calls[-1].function:
            # The file with the names is missing (a .dwo, or what `dwz` shares): the symbol table has the function's.
            return (*calls[:-1], Call(plain_name(self._named(address)[0]), calls[-1].file, calls[-1].line))
        return calls

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
        found = self.sentences(address, start)
        return found[0] if len(found) == 1 else ""

    def sentences(self, address: int, start: int) -> tuple[str, ...]:
        """What the assertion at ``address`` may print, the likeliest first; see ``sentences_before``."""
        kept = self.records.records("sentences")
        key = f"{address:x}"
        if key not in kept:
            from forensics.symbols.assertions import sentence_from, sentences_before

            if self.files.image is not None:
                fragment = self.fragments if isinstance(self.fragments, Absence) else self.fragments.find(address)
                end = 0 if isinstance(fragment, Absence) else fragment.end
                kept[key] = list(sentences_before(self.files.image, address, start, end))
            elif self.files.pack is not None:
                found = sentence_from(self.files.pack.assertions, address, start)
                kept[key] = [found] if found else []
            else:
                return ()
        found_before = kept[key]
        # A record of another shape is as good as none.
        return tuple(map(str, found_before)) if isinstance(found_before, list) else ()

    def text(self, address: int, most: int) -> str | Absence:
        """The string that the image holds at ``address``, at most ``most`` bytes of it."""
        image = self.files.image
        data: bytes | Absence = Absence(f"text at {address:#x}", "no file of the build is at hand", "`--exe`")
        while image is not None and not isinstance(data, bytes) and most:
            data, most = image.read(address, most), most // 2
        return data if isinstance(data, Absence) else data.split(b"\0", 1)[0].decode("utf-8", "replace")

    def is_fatal(self, file: str, line: int) -> bool | None:
        """Whether the assertion at this place ends the process; None where no file tells."""
        kept = self.records.records("fatal")
        key = f"{file}:{line}"
        if key not in kept:
            from forensics.symbols.assertions import is_fatal, is_fatal_by

            if self.files.image is not None:
                kept[key] = is_fatal(self.files.image, file, line)
            elif self.files.pack is not None:
                kept[key] = is_fatal_by(self.files.pack.assertions, file, line)
            else:
                return None
        found = kept[key]
        return found if isinstance(found, bool) else None

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
