"""Split DWARF: the .dwo file, or the part of a .dwp package, to which a unit is the skeleton.

DWARF 5 describes it in 3.1.2 and appendix F; before, gcc wrote an extension of DWARF 4
(https://gcc.gnu.org/wiki/DebugFission). A file is believed when it carries the skeleton's id.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from forensics.absence import Absence
from forensics.elf.image import ElfImage
from forensics.errors import ForensicsError
from forensics.memory.random_access import BytesInMemory, LocalFile
from forensics.symbols.dwarf.damage import DAMAGE
from forensics.symbols.dwarf.entry import Entry
from forensics.symbols.dwarf.info import AT_COMP_DIR, DebugInfo
from forensics.symbols.dwarf.package import Package, Parts, open_package
from forensics.symbols.dwarf.sections import DebugSections
from forensics.symbols.dwarf.units import UT_SKELETON, UT_SPLIT_COMPILE, Unit

AT_DWO_NAME, AT_GNU_DWO_NAME, AT_GNU_DWO_ID, AT_GNU_RANGES_BASE = 0x76, 0x2130, 0x2131, 0x2132

#: Sections that split units share with the executable: only the linker knows addresses.
_SHARED = frozenset((".debug_addr", ".debug_ranges"))

#: Bytes of one .dwo file; HAProxy's have up to 0.3 MB. Each is read at once: hundreds of them need no descriptor each.
_MAX_FILE = 1 << 28
#: Bytes of all .dwo files of one program; HAProxy's have 11 MB.
_MAX_FILES = 1 << 29


def is_skeleton(top: Entry) -> bool:
    """Whether a unit's own entry says that the rest of the unit lies in another file."""
    return top.unit.kind == UT_SKELETON or AT_GNU_DWO_NAME in top.values


class SplitInfo(DebugInfo):
    """One split unit with its types: sections of a .dwo file or of a package, and the executable's addresses."""

    def __init__(self, image: DebugSections, skeleton: Entry, package: Package | None, parts: Parts) -> None:
        """``parts`` say what the unit owns of a ``package``; both are empty for a .dwo file."""
        self._skeleton = skeleton
        self._package = package
        self._owned = parts
        self._others: dict[int, SplitInfo] = {}
        info = _section(image, skeleton, package, parts, ".debug_info")
        super().__init__(image, info)

    def _read_section(self, name: str) -> bytes:
        return _section(self.image, self._skeleton, self._package, self._owned, name)

    def type_at(self, signature: int) -> Entry | None:
        """The type with this signature: of the .dwo file, or of any part of the package."""
        found = super().type_at(signature)
        if found is not None or self._package is None:
            return found
        other = self._other(signature)
        return DebugInfo.type_at(other, signature) if other is not None else None

    def parts_with_types(self) -> Iterator[DebugInfo]:
        """The other parts of the package, each with a type."""
        for signature in self._package.types.signatures() if self._package is not None else ():
            other = self._other(signature)
            if other is not None:
                yield other

    def _other(self, signature: int) -> SplitInfo | None:
        """The part of the package that has the type with this signature."""
        other = self._others.get(signature)
        if other is None and self._package is not None:
            parts = self._package.types.find(signature)
            if parts:
                other = self._others[signature] = SplitInfo(self.image, self._skeleton, self._package, parts)
                other._others = self._others
        return other

    def _set_bases(self, unit: Unit, entry: Entry) -> None:
        super()._set_bases(unit, entry)
        unit.address_base = self._skeleton.unit.address_base
        unit.ranges_base = self._skeleton.number(AT_GNU_RANGES_BASE, 0)
        unit.low_pc = self._skeleton.unit.low_pc
        if unit.version < 5:
            unit.string_offsets_base = 0  # the extension's table has no header

    def unit_with(self, identity: int) -> Entry | None:
        """The entry of the split unit with this id."""
        for unit in self.units:
            if unit.version >= 5 and (unit.kind, unit.signature) == (UT_SPLIT_COMPILE, identity):
                return self.top(unit)
            if unit.version < 5:
                top = self.top(unit)
                if AT_GNU_DWO_ID in top.values and top.number(AT_GNU_DWO_ID, 0) == identity:
                    return top
        return None


def _section(image: DebugSections, skeleton: Entry, package: Package | None, parts: Parts, name: str) -> bytes:
    if name in _SHARED:
        return skeleton.info.section(name)
    if package is not None:
        return package.section(name, parts)
    return image.joined(f"{name}.dwo")


class SplitFiles:
    """The split units of one file, each looked for once."""

    def __init__(self, info: DebugInfo) -> None:
        self._info = info
        self._found: dict[int, Entry | Absence] = {}
        self._packages: list[Package] | None = None
        self._read = 0

    def find(self, top: Entry) -> Entry | Absence:
        """The entry of the split unit whose skeleton begins with ``top``."""
        found = self._found.get(top.offset)
        if found is None:
            found = self._found[top.offset] = self._find(top)
        return found

    def _find(self, top: Entry) -> Entry | Absence:
        identity = top.unit.signature if top.unit.kind == UT_SKELETON else top.number(AT_GNU_DWO_ID, 0)
        name = top.text(AT_DWO_NAME) or top.text(AT_GNU_DWO_NAME)
        tried = []
        for package in self.packages:
            body = _in_package(package, top, identity)
            if isinstance(body, Entry):
                return body
            tried.append(f"`{package.image.path}`: {body.reason}")
        for path in _paths(self._info.image, top.text(AT_COMP_DIR), name):
            image = _open(path, _MAX_FILES - self._read)
            self._read += image.source.size if isinstance(image, ElfImage) else 0
            body = _in_file(image, top, identity) if isinstance(image, ElfImage) else image
            if isinstance(body, Entry):
                return body
            tried.append(f"`{path}`: {body.reason}")
        return Absence(
            f"functions of {name or 'a split unit'} of {self._info.path}",
            f"its split DWARF was not found ({'; '.join(tried) or 'no name'})",
            f"the `.dwo` files of this build, or `{os.path.basename(self._info.path)}.dwp` beside the executable",
        )

    @property
    def packages(self) -> list[Package]:
        """The packages beside the executable and in the directories that were given."""
        if self._packages is None:
            image = self._info.image
            own = f"{image.path}.dwp"
            base = os.path.basename(own)
            # A separate debug file has its name, the package that of the executable.
            paths = [own, f"{image.path.removesuffix('.debug')}.dwp"]
            for place in image.split_directories:
                paths += [os.path.join(place, base), os.path.join(place, base.removesuffix(".debug.dwp") + ".dwp")]
            opened = [open_package(path) for path in dict.fromkeys(paths) if os.path.isfile(path)]
            self._packages = [package for package in opened if isinstance(package, Package)]
        return self._packages


def _paths(image: DebugSections, directory: str, name: str) -> Iterator[str]:
    """Where a .dwo file may lie: as the compiler said, beside the executable, in the directories that were given."""
    if not name:
        return
    places = [os.path.dirname(os.path.abspath(image.path)), *image.split_directories]
    paths = [os.path.join(directory, name)]
    for place in places:
        paths += [os.path.join(place, name), os.path.join(place, os.path.basename(name))]
    yield from (path for path in dict.fromkeys(paths) if os.path.isabs(path))


def _in_package(package: Package, top: Entry, identity: int) -> Entry | Absence:
    """The split unit of a package."""
    try:
        parts = package.units.find(identity)
        body = SplitInfo(package.image, top, package, parts).unit_with(identity) if parts else None
    except DAMAGE as error:
        return Absence(package.image.path, f"damaged ({error})")
    return body or Absence(package.image.path, "it does not list the unit")


def _in_file(image: ElfImage, top: Entry, identity: int) -> Entry | Absence:
    """The split unit of a .dwo file."""
    try:
        body = SplitInfo(image, top, None, {}).unit_with(identity)
    except DAMAGE as error:
        return Absence(image.path, f"damaged ({error})")
    return body or Absence(image.path, "another build")


def _open(path: str, most: int) -> ElfImage | Absence:
    """The file at ``path``, copied to memory, if it has not more than ``most`` bytes."""
    if not os.path.isfile(path):
        return Absence(path, "not there")
    try:
        file = LocalFile(path)
        try:
            if file.size > min(_MAX_FILE, most):
                return Absence(path, f"it has {file.size} bytes")
            return ElfImage(BytesInMemory(file.read(0, file.size), path))
        finally:
            file.close()
    except ForensicsError as error:
        return Absence(path, error.message)
