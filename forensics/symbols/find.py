"""Finding the files of a module: each candidate in a fixed order, each proven by its build-id."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from forensics.absence import Absence
from forensics.elf.image import ElfImage
from forensics.elf.module import VDSO, Module
from forensics.errors import ForensicsError
from forensics.memory.random_access import BytesInMemory, LocalFile, RandomAccess
from forensics.record import record

if TYPE_CHECKING:
    from forensics.symbols.pack import SymbolPack

#: Where distributions install separate debug files (gdb's own default).
SYSTEM_DEBUG_DIRECTORY = "/usr/lib/debug"


@record
class Places:
    """Where to look: what the user named. Paths; empty means not given."""

    executable: str = ""
    debug_directories: tuple[str, ...] = ()
    sysroot: str = ""
    packs: tuple[str, ...] = ()


@dataclass(slots=True)
class ModuleFiles:
    """What was found for one module.

    ``status`` is found, missing, mismatched (a file is there, of another build)
    or malformed. ``tried`` lists each place with what was there, in order.
    """

    module: Module
    status: str = "missing"
    image: ElfImage | None = None
    debug: ElfImage | None = None
    pack: SymbolPack | None = None
    tried: list[str] = field(default_factory=list)

    @property
    def identity(self) -> str:
        """Changes whenever better or other files are found: results kept are only valid for the same files."""
        parts = []
        for image in (self.image, self.debug):
            if image is not None and isinstance(image.source, LocalFile):
                status = os.stat(image.path)
                parts.append(f"{image.path}:{status.st_size}:{status.st_mtime_ns}")
        if self.pack is not None:
            parts.append(f"{self.pack.path}:{self.pack.size}")
        return "|".join(parts)


def find_files(module: Module, places: Places, read_memory: RandomAccess | None = None) -> ModuleFiles:
    """The executable or library of ``module``, its debug file and its symbol pack.

    ``read_memory`` is the image as the core holds it, for the vdso.
    """
    files = ModuleFiles(module)
    if module.path == VDSO:
        _accept_memory(files, read_memory)
        return files
    _find_pack(files, places)
    for path, why in _candidates(module, places):
        if _accept(files, path, why, explicit=path == places.executable or bool(places.sysroot)):
            break
    _find_debug(files, places)
    if files.pack is not None or files.debug is not None:
        files.status = "found"
    return files


def _accept_memory(files: ModuleFiles, memory: RandomAccess | None) -> None:
    try:
        if memory is not None:
            files.image = ElfImage(memory)
            files.status = "found"
    except ForensicsError as error:
        files.tried.append(f"memory of the core: {error.message}")
        files.status = "malformed"


def _candidates(module: Module, places: Places) -> Iterator[tuple[str, str]]:
    """Paths to try for the image itself, in the order that reports print."""
    if (places.executable and module.main) or (
        places.executable and os.path.basename(places.executable) == module.name
    ):
        yield places.executable, "--exe"
    if places.sysroot:
        # As in gdb: who names another host's root does not mean this host's files.
        yield os.path.join(places.sysroot, module.path.lstrip("/")), "--sysroot"
    else:
        yield module.path, "path in the core"


def _accept(files: ModuleFiles, path: str, why: str, *, explicit: bool) -> bool:
    """Use the image at ``path`` if it proves to be the one that ran."""
    image = _open(files, path, why)
    if image is None:
        return False
    wanted = files.module.build_id
    if isinstance(wanted, Absence):
        if not explicit:
            files.tried.append(f"{path} ({why}): cannot be proven: the core does not tell the build-id")
            return False
        files.tried.append(f"{path} ({why}): used without proof: the core does not tell the build-id")
    elif image.build_id != wanted:
        other = image.build_id or "none"
        files.tried.append(f"{path} ({why}): another build: its build-id is {other}, the core's is {wanted}")
        files.status = "mismatched"
        return False
    else:
        files.tried.append(f"{path} ({why}): build-id matches")
    files.image = image
    files.status = "found"
    return True


def _open(files: ModuleFiles, path: str, why: str) -> ElfImage | None:
    if not os.path.isfile(path):
        files.tried.append(f"{path} ({why}): not there")
        return None
    try:
        return ElfImage(LocalFile(path))
    except ForensicsError as error:
        files.tried.append(f"{path} ({why}): {error.message}")
        if files.status == "missing":
            files.status = "malformed"
        return None


def _find_pack(files: ModuleFiles, places: Places) -> None:
    build_id = files.module.build_id
    if isinstance(build_id, Absence) or not places.packs:
        return
    from forensics.symbols.pack import open_pack, pack_name

    for place in places.packs:
        path = os.path.join(place, pack_name(build_id)) if os.path.isdir(place) else place
        if not os.path.isfile(path):
            files.tried.append(f"{path} (--symbols): not there")
            continue
        pack = open_pack(path)
        if isinstance(pack, Absence):
            files.tried.append(f"{path} (--symbols): {pack.reason}")
        elif pack.build_id == build_id:
            files.tried.append(f"{path} (--symbols): build-id matches")
            files.pack = pack
            return


def _find_debug(files: ModuleFiles, places: Places) -> None:
    """The separate debug file, by build-id; only where the image itself has no DWARF."""
    build_id = files.module.build_id
    if isinstance(build_id, Absence) or len(build_id) < 6:
        return
    if files.image is not None and ".debug_info" in files.image.sections:
        return
    host = os.path.join(places.sysroot or "/", SYSTEM_DEBUG_DIRECTORY.lstrip("/"))
    for root in (*places.debug_directories, host):
        path = os.path.join(root, ".build-id", build_id[:2], build_id[2:] + ".debug")
        if not os.path.isfile(path):
            continue
        try:
            image = ElfImage(LocalFile(path))
        except ForensicsError as error:
            files.tried.append(f"{path}: {error.message}")
            continue
        if image.build_id == build_id:
            files.tried.append(f"{path}: debug file, build-id matches")
            files.debug = image
            return


def vdso_bytes(data: bytes) -> RandomAccess:
    """The vdso's image as random-access bytes."""
    return BytesInMemory(data, VDSO)
