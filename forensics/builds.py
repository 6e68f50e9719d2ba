"""The builds that inputs name: modules of cores, executables and libraries, entries of the symbol store."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from forensics.absence import Absence
from forensics.elf.constants import ET_CORE, ET_EXEC
from forensics.elf.core import read_core
from forensics.elf.image import ElfImage
from forensics.elf.module import VDSO, Module
from forensics.errors import UnknownInput
from forensics.memory.open import open_bytes
from forensics.record import record, replace
from forensics.symbols.debuginfod.fetch import fetch_missing, find_or_fetch
from forensics.symbols.find import Places, find_files
from forensics.symbols.module import ModuleSymbols
from forensics.symbols.pack import SymbolPack
from forensics.symbols.pack_writer import pack_entry
from forensics.symbols.store import SymbolStore
from forensics.unwind.backtrace import Process


@record
class Extracted:
    """One build: the entry of a pack, or why there is none."""

    path: str
    build_id: str
    entry: bytes | Absence
    #: Whether the store held it, as complete as the files that were found.
    kept: bool


def modules_of(path: str, places: Places) -> Iterator[ModuleSymbols]:
    """The symbols of each module of a core, or of the executable, library or debug file at ``path``.

    Raises InputError for what is none of these.
    """
    source = open_bytes(path)
    image = ElfImage(source)
    if image.header.type == ET_CORE:
        process = Process(read_core(source), places)
        modules = [module for module in process.core.modules if module.path != VDSO]
        if places.may_fetch:
            # All at once, and again while what came names further files.
            while [process.symbols(module) for module in modules] and process.fetch():
                pass
        for module in modules:
            yield process.symbols(module)
        return
    name = os.path.realpath(path)
    main = image.header.type == ET_EXEC or ".so" not in os.path.basename(name)
    module = Module(name, 0, 1 << 62, 0, image.build_id, main, False)
    yield ModuleSymbols(find_or_fetch(module, replace(places, executable=path)))


def fetched_modules(inputs: Sequence[str], places: Places) -> Iterator[ModuleSymbols]:
    """The modules that ``inputs`` name (cores, files, whole build-ids), after debuginfod was asked for what they lack.

    Raises InputError, and UsageError when no server is known.
    """
    asking = replace(places, debuginfod=True)
    groups = [_build(one, asking) if _is_build_id(one) else list(modules_of(one, asking)) for one in inputs]
    fetch_missing((symbols.files for group in groups for symbols in group), asking)
    for one in inputs:
        yield from _build(one, asking) if _is_build_id(one) else modules_of(one, asking)


def _is_build_id(text: str) -> bool:
    """Whether ``text`` is written like (the beginning of) a build-id, and is no file."""
    return len(text) >= 6 and set(text) <= set("0123456789abcdef") and not os.path.exists(text)


def _build(build_id: str, places: Places) -> list[ModuleSymbols]:
    """A build of which nothing but its build-id is known."""
    return [ModuleSymbols(find_files(Module(build_id, 0, 1 << 62, 0, build_id, False, False), places))]


def extract(inputs: Sequence[str], places: Places, store: SymbolStore, *, slim: bool = False) -> Iterator[Extracted]:
    """The pack entries of all builds that ``inputs`` name: paths, or build-ids of the store (from 6 digits on).

    What the store holds is taken from there, unless the files at hand tell more. Raises InputError.
    """
    seen = set()
    for one in inputs:
        for each in _extract(one, places, store, slim=slim):
            if each.build_id not in seen:
                seen.add(each.build_id)
                yield each


def _extract(one: str, places: Places, store: SymbolStore, *, slim: bool) -> Iterator[Extracted]:
    if _is_build_id(one):
        yield from _stored(one, store)
        return
    for symbols in modules_of(one, places):
        module = symbols.files.module
        build_id = symbols.files.build_id if isinstance(symbols.files.build_id, str) else ""
        held = store.find(build_id) if build_id else Absence(module.path, "it has no build-id")
        if isinstance(held, SymbolPack) and not slim and (held.has_dwarf or isinstance(symbols.dwarf, Absence)):
            yield Extracted(module.path, build_id, held.content(), True)
        else:
            yield Extracted(module.path, build_id, pack_entry(symbols, slim=slim), False)


def _stored(prefix: str, store: SymbolStore) -> Iterator[Extracted]:
    found = [(build_id, pack) for build_id, pack in store.entries() if build_id.startswith(prefix)]
    if not found:
        raise UnknownInput(
            f"no file and no build of the symbol store is called `{prefix}`",
            "`haproxy-forensics symbols list` shows what the store holds",
        )
    for build_id, pack in found:
        if isinstance(pack, SymbolPack):
            yield Extracted(pack.image_path, build_id, pack.content(), True)
        else:
            yield Extracted(build_id, build_id, pack, True)
