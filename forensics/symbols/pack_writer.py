"""Making the entry of a symbol pack: what a build's files say, taken over or worked out."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable
from typing import Any

from forensics import __version__
from forensics.absence import Absence
from forensics.elf.constants import PT_GNU_EH_FRAME, STT_OBJECT
from forensics.elf.image import ElfImage
from forensics.symbols.assertions import all_assertions
from forensics.symbols.dwarf.locate import DAMAGE, DwarfLines
from forensics.symbols.dwarf.sections import DebugSections
from forensics.symbols.dwarf.split import is_skeleton
from forensics.symbols.hints import all_references
from forensics.symbols.module import ModuleSymbols
from forensics.symbols.pack import FORMAT, FUNCTION, HEAD, MAGIC, SUPPLEMENT
from forensics.symbols.pack_names import Names

#: The DWARF that answers need (DWARF 5, table 6.1 and its GNU forerunners); .debug_macro, _names, _pubnames are not.
DWARF_SECTIONS = (
    ".debug_info", ".debug_types", ".debug_abbrev", ".debug_line", ".debug_line_str", ".debug_str",
    ".debug_str_offsets", ".debug_addr", ".debug_aranges", ".debug_ranges", ".debug_rnglists",
    ".debug_loc", ".debug_loclists",
)  # fmt: skip

#: zstd levels: DWARF of a HAProxy takes 0.12 s at 6 and gets 3 % smaller at 12, in four times that.
_QUICK, _SMALL = 6, 19


def pack_entry(symbols: ModuleSymbols, *, slim: bool = False) -> bytes | Absence:
    """The entry of a module, ready to be written; or why there is none.

    ``slim`` works out lines and calls and leaves the DWARF out.
    """
    build_id = symbols.files.build_id
    if isinstance(build_id, Absence):
        return build_id
    if not symbols.images:
        return Absence(f"symbols of {symbols.files.module.path}", "; ".join(symbols.files.tried) or "no file was found")
    names = Names()
    variables = _variables(symbols)
    sections = {"functions": _functions(symbols, names), "variables": _variable_rows(variables, names)}
    sections |= _dwarf(symbols, names, slim=slim)
    header: dict[str, object] = {
        "build_id": build_id, "path": symbols.files.module.path, "made_by": f"haproxy-forensics {__version__}",
        "machine": symbols.images[-1].header.machine, "version": _version(symbols, variables),
        "complete": symbols.table.complete,
        "frames_address": 0, "header_address": 0,
    }  # fmt: skip
    image = symbols.files.image
    sections |= _debug_frames(symbols)
    if image is not None:
        sections |= _frames(image, header) | _assertions(symbols, image)
    sections["names"] = names.content()
    return _entry(header, sections, _SMALL if slim else _QUICK)


def write_pack(path: str, entries: Iterable[bytes]) -> None:
    """Write a pack all at once: a reader never sees half of it, and of two writers the last one stays."""
    descriptor, temporary = tempfile.mkstemp(dir=os.path.dirname(path) or ".", prefix=".new-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(entries)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)


def _entry(header: dict[str, object], sections: dict[str, bytes], level: int) -> bytes:
    import zstandard

    compressor = zstandard.ZstdCompressor(level=level, write_checksum=True)
    places: dict[str, list[int]] = {}
    pieces, position = [], 0
    for name, data in sections.items():
        if not data:
            continue
        packed = compressor.compress(data)
        places[name] = [position, len(packed), len(data)]
        pieces.append(packed)
        position += len(packed)
    text = json.dumps(header | {"sections": places}).encode()
    return b"".join((HEAD.pack(MAGIC, FORMAT, len(text), position), text, *pieces))


def _functions(symbols: ModuleSymbols, names: Names) -> bytes:
    return b"".join(
        FUNCTION.pack(start, size & 0xFFFFFFFF, names.offset(name)) for start, size, name in symbols.table.functions
    )


def _variables(symbols: ModuleSymbols) -> list[tuple[int, int, str]]:
    """(address, size in bytes, name) of the global variables, by address."""
    found = {
        (symbol.value, symbol.size & 0xFFFFFFFF, symbol.name.decode("utf-8", "replace"))
        for image in symbols.images
        for table in (".dynsym", ".symtab")
        for symbol in image.symbols(table)
        if symbol.type == STT_OBJECT and symbol.section
    }
    return sorted(found)


def _variable_rows(variables: list[tuple[int, int, str]], names: Names) -> bytes:
    return b"".join(FUNCTION.pack(start, size, names.offset(name)) for start, size, name in variables)


def _version(symbols: ModuleSymbols, variables: list[tuple[int, int, str]]) -> str:
    """What `haproxy_version` says in the file (src/version.c: a char array), "" in what is no HAProxy."""
    image = symbols.files.image
    for start, size, name in variables:
        if name == "haproxy_version" and image is not None and 0 < size <= 256:
            text = image.read(start, size)
            return text.split(b"\0", 1)[0].decode("ascii", "replace") if isinstance(text, bytes) else ""
    return ""


def _dwarf(symbols: ModuleSymbols, names: Names, *, slim: bool) -> dict[str, bytes]:
    dwarf = symbols.dwarf
    if isinstance(dwarf, Absence):
        return {}
    if slim or not _is_whole(dwarf):
        from forensics.symbols.slim import slim_sections

        return slim_sections(symbols, dwarf, names)
    found = _sections_of(dwarf.info.image, "")
    supplement = dwarf.info.image.supplement
    return found | _sections_of(supplement, SUPPLEMENT) if supplement is not None else found


def _is_whole(dwarf: DwarfLines) -> bool:
    """Whether the file holds all of its DWARF: split units (`-gsplit-dwarf`) lie in files of their own."""
    try:
        tops = [dwarf.info.top(unit) for unit in dwarf.info.units]
    except DAMAGE:
        return True  # damaged here is as good as damaged there
    return not any(map(is_skeleton, tops))


def _sections_of(image: DebugSections, prefix: str) -> dict[str, bytes]:
    found = {}
    for name in DWARF_SECTIONS:
        data = image.section(name)
        if isinstance(data, bytes) and data:
            found[prefix + name] = data
    return found


def _assertions(symbols: ModuleSymbols, image: ElfImage) -> dict[str, bytes]:
    """What the code tells of assertions, which a pack does not hold."""
    references = all_references(image, symbols.checks)
    found: dict[str, list[Any]] = {
        "assertions": [[one.load, one.sentence, one.crash, one.code.hex()] for one in all_assertions(image)],
        "checks": [one.to_plain() for one in symbols.checks.all] if symbols.checks else [],
        "references": [[one.address, one.file, one.line, one.function] for one in references],
    }
    return {name: json.dumps(rows).encode() for name, rows in found.items() if rows}


def _debug_frames(symbols: ModuleSymbols) -> dict[str, bytes]:
    """Call frames that only debuggers need: of code in assembly, or built without tables for run time."""
    for image in symbols.images:
        frames = image.section(".debug_frame")
        if isinstance(frames, bytes) and frames:
            return {".debug_frame": frames}
    return {}


def _frames(image: ElfImage, header: dict[str, object]) -> dict[str, bytes]:
    """The call frame tables as they are, with their addresses."""
    section, frames = image.sections.get(".eh_frame"), image.section(".eh_frame")
    if section is None or not isinstance(frames, bytes):
        return {}
    header["frames_address"] = section.address
    for segment in image.segments:
        if segment.type == PT_GNU_EH_FRAME:
            header["header_address"] = segment.address
            return {"frames": frames, "header": image.source.read(segment.offset, segment.file_size)}
    return {"frames": frames}  # statically linked programs may come without the search table
