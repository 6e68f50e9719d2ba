"""The symbols of one module, from whatever files were found for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from forensics.absence import Absence
from forensics.elf.constants import STT_OBJECT, STT_TLS
from forensics.elf.image import ElfImage
from forensics.elf.module import VDSO, Window
from forensics.names import plain_name
from forensics.symbols.find import ModuleFiles
from forensics.symbols.layout import Layout
from forensics.symbols.memo import BuildRecords
from forensics.symbols.site import UNKNOWN_SITE, Call, CodeSite

# The readers of symbol tables and DWARF are imported where they are used: a build that is known needs none of them.
if TYPE_CHECKING:
    from forensics.symbols.checks import Checks
    from forensics.symbols.dwarf.call_sites import CallSite
    from forensics.symbols.dwarf.locate import DwarfLines
    from forensics.symbols.dwarf.structures import Structures
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
        self._structures: Structures | Absence | None = None
        self._layouts: dict[str, Layout | Absence] = {}
        self._extents: dict[str, tuple[int, int, bool]] | None = None

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
        found = self.extent(name)
        return found if isinstance(found, Absence) else found[0]

    def extent(self, name: str, *, thread_local: bool = False) -> tuple[int, int] | Absence:
        """Address and size in bytes of a variable; of a thread-local one the offset in the thread's block."""
        kept = self.records.records("extents")
        if name not in kept:
            if not self.found:
                return Absence(f"variable {name}", f"no file of {self.files.module.path} is at hand", "`--exe`")
            kept[name] = self.variables.get(name, (0, 0, False))
        try:
            address, size, local = kept[name]
            if (address or local) and bool(local) == thread_local:
                return int(address), int(size)
        except (TypeError, ValueError):
            del kept[name]  # a record of another shape is as good as none
        return Absence(f"variable {name}", "the symbol tables do not list it", "the debug symbols of this build")

    @property
    def variables(self) -> dict[str, tuple[int, int, bool]]:
        """Address, size and whether it is thread-local, of each variable; global ones come before static ones.

        A static executable has libc's own ``static`` variables, one of them named ``global``.
        """
        if self._extents is None:
            self._extents = {}
            static: dict[str, tuple[int, int, bool]] = {}
            for table in (".dynsym", ".symtab"):
                for image in self.images:
                    for symbol in image.symbols(table):
                        if symbol.section and symbol.type in (STT_OBJECT, STT_TLS):
                            place = symbol.value, symbol.size, symbol.type == STT_TLS
                            found = static if symbol.static else self._extents
                            found.setdefault(symbol.name.decode("utf-8", "replace"), place)
            self._extents = static | self._extents
            pack = self.files.pack
            for called, (address, size) in pack.extents.items() if pack is not None else ():
                self._extents.setdefault(called, (address, size, False))
        return self._extents

    def struct(self, name: str) -> Layout | Absence:
        """The layout of ``struct name``, as this build's debug information declares it.

        ``proxy.conf`` names what has no name of its own: the structure that is member ``conf`` of ``struct proxy``.
        """
        if name not in self._layouts:
            self._layouts[name] = self._struct(name)
        return self._layouts[name]

    def _struct(self, name: str) -> Layout | Absence:
        kept = self.records.records("structs")
        if name not in kept:
            found = self._find_structs(name.split(".", 1)[0])
            if isinstance(found, Absence):
                return found
            kept.update(found)
            # That there is none is worth keeping, too: it costs a look at all units to know.
            kept.setdefault(name, None)
        try:
            if kept[name] is not None:
                return Layout.from_plain(name, kept[name], "debug information of this build")
        except (TypeError, ValueError, KeyError, AttributeError):
            del kept[name]  # a record of another shape is as good as none
        return Absence(f"struct {name}", "this build's debug information does not declare it")

    @property
    def declares_types(self) -> bool:
        """Whether this build's debug information is at hand, or what was read in it before."""
        pack = self.files.pack
        if self.records.records("structs") or (pack is not None and pack.structs):
            return True
        return not isinstance(self.structures, Absence)

    def _find_structs(self, name: str) -> dict[str, Any] | Absence:
        """The structure and its nameless inner ones as JSON keeps them; {} where there is none of that name."""
        pack = self.files.pack
        if pack is not None and pack.structs:
            return {each: plain for each, plain in pack.structs.items() if each.split(".", 1)[0] == name}
        structures = self.structures
        if isinstance(structures, Absence):
            return structures
        found = structures.layouts(name)
        return {} if isinstance(found, Absence) else {each: one.to_plain() for each, one in found.items()}

    def enumeration(self, name: str) -> dict[int, str] | Absence:
        """The names of ``enum name`` by value, as this build's debug information declares them."""
        kept = self.records.records("enums")
        if name not in kept:
            pack, structures = self.files.pack, self.structures
            if pack is not None and pack.enums:
                kept[name] = pack.enums.get(name)
            elif isinstance(structures, Absence):
                return structures
            else:
                found = structures.enumeration(name)
                kept[name] = None if isinstance(found, Absence) else {str(value): text for value, text in found.items()}
        try:
            if kept[name] is not None:
                return {int(value): str(text) for value, text in kept[name].items()}
        except (TypeError, ValueError, AttributeError):
            del kept[name]  # a record of another shape is as good as none
        return Absence(f"enum {name}", "this build's debug information does not declare it")

    @property
    def structures(self) -> Structures | Absence:
        """The structures of this build's DWARF."""
        if self._structures is None:
            from forensics.symbols.dwarf.structures import Structures
            from forensics.symbols.needed import UNITS

            self._structures = self.dwarf if isinstance(self.dwarf, Absence) else Structures(self.dwarf.info, UNITS)
        return self._structures

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

    def save(self) -> None:
        """Keep what was found out."""
        self.records.save()
