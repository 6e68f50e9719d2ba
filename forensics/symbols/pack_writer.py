"""Making a symbol pack: everything that a build's files say, gone through once."""

from __future__ import annotations

import json
import os
import struct
import tempfile
from array import array
from collections.abc import Iterator

from forensics import __version__
from forensics.absence import Absence
from forensics.elf.constants import PT_GNU_EH_FRAME, STT_OBJECT
from forensics.elf.image import ElfImage
from forensics.symbols.assertions import all_assertions
from forensics.symbols.dwarf.call_sites import call_sites
from forensics.symbols.dwarf.functions import Function
from forensics.symbols.dwarf.info import Unit
from forensics.symbols.dwarf.locate import DAMAGE, DwarfLines
from forensics.symbols.module import ModuleSymbols
from forensics.symbols.pack import FORMAT, FUNCTION, HEAD, JUMP, MAGIC, NOTHING, pack_name
from forensics.symbols.site import Call

#: Structures whose layout is kept, each with functions whose units declare it (newest name first).
STRUCTURES = {
    "stktable": ("stktable_requeue_exp", "stktable_touch_with_exp", "__stktable_store"),
    "task": ("__task_queue",),
}

_LEVEL = 19


class _Names:
    """NUL-terminated names, each once; ``offset`` gives the place of one."""

    def __init__(self) -> None:
        self._offsets: dict[str, int] = {}
        self._size = 0

    def offset(self, name: str) -> int:
        found = self._offsets.get(name)
        if found is None:
            found = self._offsets[name] = self._size
            self._size += len(name.encode()) + 1
        return found

    def content(self) -> bytes:
        return b"".join(name.encode() + b"\0" for name in self._offsets)


def write_pack(symbols: ModuleSymbols, directory: str) -> str | Absence:
    """Write the pack of a module into ``directory``; its path, or why there is none."""
    build_id = symbols.files.module.build_id
    if isinstance(build_id, Absence):
        return build_id
    if not symbols.images:
        return Absence(f"symbols of {symbols.files.module.path}", "; ".join(symbols.files.tried) or "no file was found")
    names = _Names()
    sections = {"functions": _functions(symbols, names), "variables": _variables(symbols, names)}
    if isinstance(symbols.dwarf, DwarfLines):
        sections |= _dwarf_sections(symbols.dwarf, names)
        sections["layouts"] = json.dumps(_layouts(symbols)).encode()
    sections["names"] = names.content()
    image = symbols.files.image
    header: dict[str, object] = {
        "build_id": build_id, "path": symbols.files.module.path, "made_by": f"haproxy-forensics {__version__}",
        "frames_address": 0, "header_address": 0,
    }  # fmt: skip
    if image is not None:
        sections |= _frames(image, header)
        rows = [[one.load, one.sentence, one.crash, one.code.hex()] for one in all_assertions(image)]
        if rows:
            sections["assertions"] = json.dumps(rows).encode()
    path = os.path.join(directory, pack_name(build_id))
    _write(path, header, sections)
    return path


def _write(path: str, header: dict[str, object], sections: dict[str, bytes]) -> None:
    """Write all at once: a reader never sees half a pack."""
    import zstandard

    compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
    places: dict[str, list[int]] = {}
    body = b""
    for name, data in sections.items():
        packed = compressor.compress(data)
        places[name] = [len(body), len(packed), len(data)]
        body += packed
    text = json.dumps(header | {"sections": places}).encode()
    descriptor, temporary = tempfile.mkstemp(dir=os.path.dirname(path) or ".", prefix=".new-")
    with os.fdopen(descriptor, "wb") as file:
        file.write(HEAD.pack(MAGIC, FORMAT, len(text)) + text + body)
    os.chmod(temporary, 0o644)
    os.replace(temporary, path)


def _functions(symbols: ModuleSymbols, names: _Names) -> bytes:
    return b"".join(
        FUNCTION.pack(start, size & 0xFFFFFFFF, names.offset(name)) for start, size, name in symbols.table.functions
    )


def _variables(symbols: ModuleSymbols, names: _Names) -> bytes:
    found = {
        (symbol.value, symbol.size & 0xFFFFFFFF, symbol.name.decode("utf-8", "replace"))
        for image in symbols.images
        for table in (".dynsym", ".symtab")
        for symbol in image.symbols(table)
        if symbol.type == STT_OBJECT and symbol.section
    }
    return b"".join(FUNCTION.pack(start, size, names.offset(name)) for start, size, name in sorted(found))


def _frames(image: ElfImage, header: dict[str, object]) -> dict[str, bytes]:
    """The call frame tables as they are, with their addresses."""
    section, frames = image.sections.get(".eh_frame"), image.section(".eh_frame")
    for segment in image.segments:
        if segment.type == PT_GNU_EH_FRAME and section is not None and isinstance(frames, bytes):
            header["frames_address"] = section.address
            header["header_address"] = segment.address
            return {"frames": frames, "header": image.source.read(segment.offset, segment.file_size)}
    return {}


def _layouts(symbols: ModuleSymbols) -> dict[str, dict[str, int]]:
    found = {}
    for structure, functions in STRUCTURES.items():
        for function in functions:
            address = symbols.address_of(function)
            members = symbols.layout(structure, address) if address else None
            if isinstance(members, dict):
                found[structure] = members
                break
    return found


def _dwarf_sections(dwarf: DwarfLines, names: _Names) -> dict[str, bytes]:
    records = _Records(names)
    lines: dict[int, int] = {}
    entries: list[tuple[int, int, int]] = []
    jumps = []
    for unit, function in _all_functions(dwarf):
        entry = function.ranges[0][0]
        for start, end in function.ranges:
            entries.append((start, end, entry))
            for address in _boundaries(dwarf, unit, function, start, end):
                lines[address] = records.number(dwarf.calls_in(unit, function, address))
            lines.setdefault(end, NOTHING)
        jumps += [(entry, site) for site in call_sites(function.entry)]
    jumping = {entry for entry, site in jumps if site.tail}
    kept = [(entry, site) for entry, site in jumps if site.tail or site.name or site.target in jumping]
    rows = [
        JUMP.pack(entry, site.return_pc, site.target, names.offset(site.name), int(site.tail)) for entry, site in kept
    ]
    return {
        "lines": _line_rows(lines),
        "records": records.content.tobytes(),
        "entries": b"".join(struct.pack("<QQQ", *row) for row in sorted(entries)),
        "calls": b"".join(rows),
    }


def _all_functions(dwarf: DwarfLines) -> Iterator[tuple[Unit, Function]]:
    """Every function with code, unit by unit; units that are damaged are left out."""
    for unit in dwarf.info.units:
        try:
            dwarf.info.top(unit)
            functions = dwarf.functions(unit)
        except DAMAGE:
            continue
        for function in functions:
            if function.ranges and function.ranges[0][0]:
                yield unit, function


def _boundaries(dwarf: DwarfLines, unit: Unit, function: Function, start: int, end: int) -> list[int]:
    """The addresses in [start, end) at which the answer may change."""
    _header, table = dwarf.lines(unit)
    found = {start, *table.addresses_in(start, end)}
    pending = [function]
    while pending:
        one = pending.pop()
        for low, high in one.ranges:
            found.update(address for address in (low, high) if start <= address < end)
        pending.extend(one.inlined)
    return sorted(found)


class _Records:
    """Calls and their callers, each pair once."""

    def __init__(self, names: _Names) -> None:
        self._names = names
        self._known: dict[tuple[int, int, int, int], int] = {}
        self.content = array("I")

    def number(self, calls: tuple[Call, ...]) -> int:
        """The record of the innermost call."""
        record = NOTHING
        for call in reversed(calls):
            row = self._names.offset(call.function), self._names.offset(call.file), call.line, record
            found = self._known.get(row)
            if found is None:
                found = self._known[row] = len(self._known)
                self.content.extend(row)
            record = found
        return record


def _line_rows(lines: dict[int, int]) -> bytes:
    """All starts, then all records; neighbours that say the same are one."""
    starts, chosen = array("Q"), array("I")
    for address in sorted(lines):
        if not chosen or chosen[-1] != lines[address]:
            starts.append(address)
            chosen.append(lines[address])
    return starts.tobytes() + chosen.tobytes()
