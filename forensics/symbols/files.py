"""The files that were found for a module, and what was tried."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from forensics.absence import Absence
from forensics.elf.constants import SHT_NOBITS
from forensics.elf.image import ElfImage
from forensics.elf.module import Module
from forensics.errors import ForensicsError
from forensics.memory.random_access import LocalFile, RandomAccess
from forensics.memory.window import MemoryWindow
from forensics.record import field, open_record

if TYPE_CHECKING:
    from forensics.symbols.pack import SymbolPack


@open_record
class ModuleFiles:
    """What was found for one module.

    ``image`` is the file that was mapped, ``debug`` its separate debug file, ``supplement`` what dwz moved
    out of that one; its build-id is ``shared_id``, "" when there is none. ``status`` is found, missing,
    mismatched (a file is there, of another build) or malformed. ``tried`` lists each place with what was
    there, in order.
    """

    module: Module
    status: str = "missing"
    image: ElfImage | None = None
    debug: ElfImage | None = None
    pack: SymbolPack | None = None
    tried: list[str] = field(default_factory=list)
    supplement: ElfImage | None = None
    shared_id: str = ""
    #: Whether ``image`` is what the core's own pages hold of it, for want of a file.
    in_memory: bool = False
    _mini: ElfImage | Absence | None = None

    @property
    def images(self) -> tuple[ElfImage, ...]:
        """All that have symbols: the debug file, the image, and the small symbol table that an image carries."""
        found = [one for one in (self.debug, self.image) if one is not None]
        if self.has_mini:
            mini = self._open_mini()
            found += [mini] if isinstance(mini, ElfImage) else []
        return tuple(found)

    @property
    def has_mini(self) -> bool:
        """Whether the image carries a symbol table in ``.gnu_debugdata`` that nothing better replaces."""
        image = self.image
        return (
            self.debug is None
            and image is not None
            and ".gnu_debugdata" in image.sections
            and ".symtab" not in image.sections
        )

    def _open_mini(self) -> ElfImage | Absence:
        """The mini debug info, decompressed when it is first asked for: a build that is known needs it not."""
        if self._mini is None and self.image is not None:
            from forensics.symbols.mini import open_mini

            self._mini = open_mini(self.image)
            if isinstance(self._mini, Absence):
                self.tried.append(f"{self.image.path} (.gnu_debugdata): {self._mini.reason}")
        return self._mini or Absence("mini debug info", "the image is missing")

    @property
    def build_id(self) -> str | Absence:
        """The build-id that proves debug files: the core's, else that of the image which the user named."""
        if isinstance(self.module.build_id, Absence) and self.image is not None:
            return self.image.build_id
        return self.module.build_id

    @property
    def complete(self) -> bool:
        """Whether there is nothing more to look for: code and DWARF are at hand."""
        return self.image is not None and self.dwarf_holder is not None

    @property
    def dwarf_holder(self) -> ElfImage | None:
        """The file with DWARF."""
        for image in (self.image, self.debug):
            if image is not None and ".debug_info" in image.sections:
                return image
        return None

    @property
    def identity(self) -> str:
        """Changes whenever better or other files are found: results kept are only valid for the same files."""
        parts = [_identity(image) for image in (self.image, self.debug, self.supplement) if image is not None]
        if self.pack is not None:
            parts.append(self.pack.identity)
        return "|".join(part for part in parts if part)

    def try_image(self, source: RandomAccess, why: str, *, explicit: bool = False) -> bool:
        """Take ``source`` as image or debug file if it proves to be of this build; say so in ``tried``.

        ``explicit`` files are the user's word, or the process's own, where the core does not tell the build-id.
        """
        image = self._proven(source, why, self.module.build_id, explicit=explicit)
        if image is None:
            return False
        if is_debug_only(image):
            self.tried[-1] += ", a debug file"
            self.debug = self.debug or image
            self.status = "found"
            return False
        self.image = image
        self.status = "found"
        return True

    def try_debug(self, source: RandomAccess, why: str) -> bool:
        """Take ``source`` as the separate debug file if it proves to be of this build; whether it does."""
        image = self._proven(source, f"{why}, debug file", self.build_id)
        if image is None:
            return False
        if self.image is None and not is_debug_only(image):
            self.image = image  # a whole file in the place of a debug file has the code, too
        else:
            self.debug = image
        self.status = "found"
        return True

    def try_supplement(self, source: RandomAccess, why: str, build_id: str, holder: ElfImage) -> bool:
        """Take ``source`` as what dwz moved out of ``holder`` if its build-id is the one that ``holder`` wants."""
        image = self._proven(source, f"{why}, shared by dwz", build_id)
        if image is None:
            return False
        self.supplement = holder.supplement = image
        return True

    def _proven(
        self, source: RandomAccess, why: str, wanted: str | Absence, *, explicit: bool = False
    ) -> ElfImage | None:
        """The ELF image that ``source`` holds, if it is of the build that is wanted."""
        place = f"{source.name} ({why})"
        try:
            image = ElfImage(source)
            build_id = image.build_id
        except ForensicsError as error:
            self.refuse(f"{place}: {error.message}")
            return None
        if isinstance(wanted, Absence):
            said = "used without proof" if explicit else "cannot be proven"
            self.tried.append(f"{place}: {said}: the core does not tell the build-id")
            return image if explicit else None
        if build_id != wanted:
            self.tried.append(f"{place}: another build: its build-id is {build_id or 'none'}, not {wanted}")
            self.status = "mismatched" if self.status in ("missing", "malformed") else self.status
            return None
        self.tried.append(f"{place}: build-id matches")
        return image

    def refuse(self, sentence: str) -> None:
        """Say of a file that it is there, but cannot be read."""
        self.tried.append(sentence)
        if self.status == "missing":
            self.status = "malformed"

    def open(self, path: str, why: str) -> LocalFile | None:
        """The file at ``path``; None, and said, when there is none or it cannot be opened."""
        if not os.path.isfile(path):
            self.tried.append(f"{path} ({why}): not there")
            return None
        try:
            return LocalFile(path)
        except ForensicsError as error:
            self.refuse(f"{path} ({why}): {error.message}")
            return None


def is_debug_only(image: ElfImage) -> bool:
    """Whether ``image`` is a separate debug file: its code was left out."""
    text = image.sections.get(".text")
    return text is not None and text.type == SHT_NOBITS


def _identity(image: ElfImage) -> str:
    """What tells the file of ``image`` from another: path, size and time; of a copy in a core its content.

    The build-id alone would not do for the latter: whoever made a core could put there what they like.
    """
    source = image.source
    if isinstance(source, MemoryWindow):
        return f"core:{source.digest}"
    if not isinstance(source, LocalFile):
        return ""
    try:
        status = os.stat(image.path)
    except OSError:
        return f"{image.path}:gone"
    return f"{image.path}:{status.st_size}:{status.st_mtime_ns}"
