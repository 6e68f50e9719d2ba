"""Finding the files of a module: each place in the order of ``places.ORDER``, each file proven by its build-id."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from forensics.absence import Absence
from forensics.elf.image import ElfImage
from forensics.elf.module import VDSO, Module
from forensics.errors import ForensicsError
from forensics.memory.random_access import BytesInMemory, RandomAccess
from forensics.symbols.archive import Archive
from forensics.symbols.files import ModuleFiles
from forensics.symbols.places import ORDER, SYSTEM_DEBUG_DIRECTORY, Places, pack_name, store_directory

__all__ = ["ORDER", "SYSTEM_DEBUG_DIRECTORY", "ModuleFiles", "Places", "find_files", "vdso_bytes"]


def find_files(
    module: Module,
    places: Places,
    read_memory: RandomAccess | None = None,
    archive: Archive | Absence | None = None,
) -> ModuleFiles:
    """The executable or library of ``module``, its debug files and its symbol pack.

    ``read_memory`` is the image as the core holds it, for the vdso; ``archive`` what the process itself
    kept of its files. Nothing here uses the network: see ``debuginfod/fetch.py``.
    """
    files = ModuleFiles(module)
    if module.path == VDSO:
        _take_vdso(files, read_memory)
        return files
    _find_image(files, places, archive)
    _find_debug(files, places)
    _find_supplement(files, places)
    if files.has_mini and files.image is not None:
        files.tried.append(f"{files.image.path} (.gnu_debugdata): mini debug info")
    _find_pack(files, places)
    _find_fetched(files, places)
    for image in (files.image, files.debug):
        if image is not None:
            image.split_directories = places.debug_directories
    return files


def _take_vdso(files: ModuleFiles, memory: RandomAccess | None) -> None:
    try:
        if memory is not None:
            files.image = ElfImage(memory)
            files.status = "found"
    except ForensicsError as error:
        files.refuse(f"memory of the core: {error.message}")


def _find_image(files: ModuleFiles, places: Places, archive: Archive | Absence | None) -> None:
    """The file that was mapped."""
    if isinstance(archive, Archive) and _in_archive(files, archive):
        return
    for path, why, explicit in _image_paths(files.module, places):
        source = files.open(path, why)
        if source is not None and files.try_image(source, why, explicit=explicit):
            return


def _in_archive(files: ModuleFiles, archive: Archive) -> bool:
    """The file as the process itself kept it; where the core tells no build-id, its word is as good as a file's."""
    build_id = files.module.build_id
    for member in archive.candidates(files.module.path, build_id if isinstance(build_id, str) else ""):
        if not member.whole:
            files.refuse(f"{member.path} in the core (set-dumpable libs): the core ends before it does")
        elif files.try_image(archive.open(member), "set-dumpable libs", explicit=True):
            return True
    return False


def _image_paths(module: Module, places: Places) -> Iterator[tuple[str, str, bool]]:
    """Paths to try for the image itself, why, and whether the user named this very file."""
    if places.executable and (module.main or os.path.basename(places.executable) == module.name):
        yield places.executable, "--exe", True
    for root in places.debug_directories:
        for path in (*_by_build_id(root, module.build_id, ""), *_below(root, module.path), root):
            if os.path.isfile(path):
                yield path, "--debug-dir", False
    deleted = ", deleted while it ran" if module.deleted else ""
    if places.sysroot:
        # As in gdb: who names another host's root does not mean this host's files.
        yield os.path.join(places.sysroot, module.path.lstrip("/")), f"--sysroot{deleted}", True
    else:
        yield module.path, f"path in the core{deleted}", False


def _by_build_id(root: str, build_id: str | Absence, suffix: str) -> tuple[str, ...]:
    """The place of a file below a debug directory, as gdb and distributions agree on it."""
    if isinstance(build_id, Absence) or len(build_id) < 6:
        return ()
    return (os.path.join(root, ".build-id", build_id[:2], build_id[2:] + suffix),)


def _below(root: str, path: str) -> tuple[str, str]:
    """The same path below ``root``, and the bare name in it."""
    return os.path.join(root, path.lstrip("/")), os.path.join(root, os.path.basename(path))


def _find_debug(files: ModuleFiles, places: Places) -> None:
    """The separate debug file; only where the image itself has no DWARF."""
    if files.dwarf_holder is not None:
        return
    looked: dict[str, str] = {}
    for path, why in _debug_paths(files, places):
        if path in looked:
            continue
        looked[path] = why
        if os.path.isfile(path) and _take_debug(files, path, why):
            return
    if files.dwarf_holder is None and files.debug is None and looked:
        files.tried.append(f"no debug file: {', '.join(dict.fromkeys(looked.values()))}")


def _debug_paths(files: ModuleFiles, places: Places) -> Iterator[tuple[str, str]]:
    """Paths of separate debug files, and why each."""
    module = files.module
    for root in places.debug_directories:
        for path in (*_by_build_id(root, files.build_id, ".debug"), *_below(root, f"{module.path}.debug"), root):
            yield path, "--debug-dir"
    system = places.system_debug
    for path in _by_build_id(system, files.build_id, ".debug"):
        yield path, system
    if files.image is None or ".gnu_debuglink" not in files.image.sections:
        return
    from forensics.symbols.links import debug_link

    found = debug_link(files.image)
    if isinstance(found, Absence):
        files.tried.append(f"{files.image.path} (.gnu_debuglink): {found.reason}")
        return
    link = found.name
    # gdb's places and order ("Separate Debug Files"), with the user's directories beside the system's.
    folder = os.path.dirname(os.path.realpath(files.image.path))
    yield os.path.join(folder, link), ".gnu_debuglink"
    yield os.path.join(folder, ".debug", link), ".gnu_debuglink"
    for root in (*places.debug_directories, system):
        yield os.path.join(root, os.path.dirname(module.path).lstrip("/"), link), ".gnu_debuglink"
        yield os.path.join(root, link), ".gnu_debuglink"


def _take_debug(files: ModuleFiles, path: str, why: str) -> bool:
    """Use the file at ``path`` if it is the debug file of this build."""
    image = files.image
    if image is not None and os.path.exists(image.path) and os.path.samefile(path, image.path):
        return False
    source = files.open(path, why)
    if source is None:
        return False
    if image is not None and why == ".gnu_debuglink" and isinstance(image.build_id, Absence):
        return _take_by_checksum(files, image, source)
    return files.try_debug(source, why)


def _take_by_checksum(files: ModuleFiles, image: ElfImage, source: RandomAccess) -> bool:
    """The debug file of an image without build-id: its checksum is all that proves it."""
    from forensics.symbols.links import DebugLink, crc_of, debug_link

    link = debug_link(image)
    wanted, crc = link.crc if isinstance(link, DebugLink) else -1, crc_of(source)
    if crc != wanted:
        files.tried.append(f"{source.name} (.gnu_debuglink): another file: its CRC is {crc:08x}, not {wanted:08x}")
        return False
    try:
        files.debug = ElfImage(source)
    except ForensicsError as error:
        files.tried.append(f"{source.name} (.gnu_debuglink): {error.message}")
        return False
    files.tried.append(f"{source.name} (.gnu_debuglink, debug file): CRC matches; the image has no build-id")
    return True


def _find_supplement(files: ModuleFiles, places: Places) -> None:
    """What dwz moved out of the DWARF that was found."""
    holder = files.dwarf_holder
    if holder is None or files.supplement is not None or ".gnu_debugaltlink" not in holder.sections:
        return
    from forensics.symbols.links import alternate_link

    link = alternate_link(holder)
    if isinstance(link, Absence):
        files.tried.append(f"{holder.path} (.gnu_debugaltlink): {link.reason}")
        return
    files.shared_id = link.build_id
    for path, why in _supplement_paths(holder, link.path, link.build_id, places):
        if os.path.isfile(path):
            source = files.open(path, why)
            if source is not None and files.try_supplement(source, why, link.build_id, holder):
                return
    files.tried.append(f"{link.path} (.gnu_debugaltlink, shared by dwz): not there, build-id {link.build_id}")


def _supplement_paths(holder: ElfImage, path: str, build_id: str, places: Places) -> Iterator[tuple[str, str]]:
    """Where the file may be: the path, taken from the place of the file that names it; then by build-id."""
    if os.path.isabs(path):
        yield os.path.join(places.sysroot, path.lstrip("/")) if places.sysroot else path, ".gnu_debugaltlink"
    else:
        yield os.path.join(os.path.dirname(os.path.realpath(holder.path)), path), ".gnu_debugaltlink"
    for root in (*places.debug_directories, places.system_debug):
        why = "--debug-dir" if root in places.debug_directories else root
        for one in (
            *_by_build_id(root, build_id, ".debug"),
            os.path.join(root, ".dwz", os.path.basename(path)),
            os.path.join(root, os.path.basename(path)),
        ):
            yield one, why
    from forensics.symbols.debuginfod.cache import cached_path

    if found := cached_path(build_id, "debuginfo"):
        yield found, "debuginfod's cache"


def _find_pack(files: ModuleFiles, places: Places) -> None:
    """A symbol pack of this build: of those that the user named, else of the store if the files are not all there."""
    build_id = files.module.build_id
    if isinstance(build_id, Absence):
        return
    for place in places.packs:
        path = os.path.join(place, pack_name(build_id)) if os.path.isdir(place) else place
        if not os.path.isfile(path):
            files.tried.append(f"{path} (--symbols): not there")
        elif _take_pack(files, path, "--symbols", build_id):
            return
    store = store_directory()
    path = os.path.join(store, pack_name(build_id))
    if store and files.dwarf_holder is None and os.path.isfile(path):
        _take_pack(files, path, "symbol store", build_id)


def _take_pack(files: ModuleFiles, path: str, why: str, build_id: str) -> bool:
    from forensics.symbols.pack import open_pack

    pack = open_pack(path, build_id)
    if isinstance(pack, Absence):
        files.tried.append(f"{path} ({why}): {pack.reason}")
        return False
    files.tried.append(f"{path} ({why}): build-id matches")
    files.pack = pack
    files.status = "found"
    return True


def _find_fetched(files: ModuleFiles, places: Places) -> None:
    """What a debuginfod client fetched before, and what the servers said when they were asked in this run."""
    build_id = files.build_id
    if isinstance(build_id, Absence):
        return
    from forensics.symbols.debuginfod.cache import cached_path

    without_shared = files.supplement is None and not files.shared_id
    if files.image is None and (path := cached_path(build_id, "executable")):
        _take_fetched(files, path, files.try_image)
    if files.dwarf_holder is None and (path := cached_path(build_id, "debuginfo")):
        _take_fetched(files, path, files.try_debug)
    if without_shared:
        _find_supplement(files, places)
    if places.may_fetch:
        from forensics.symbols.debuginfod.fetch import answers

        files.tried += answers((build_id, files.shared_id), places)


def _take_fetched(files: ModuleFiles, path: str, take: Callable[[RandomAccess, str], bool]) -> None:
    source = files.open(path, "debuginfod's cache")
    if source is not None:
        take(source, "debuginfod's cache")


def vdso_bytes(data: bytes) -> RandomAccess:
    """The vdso's image as random-access bytes."""
    return BytesInMemory(data, VDSO)
