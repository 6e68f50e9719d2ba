"""Working out a build's lines, calls and layouts once and for all: what a slim symbol pack holds instead of DWARF."""

from __future__ import annotations

import json
import struct
from array import array
from collections.abc import Iterator
from typing import Any

from forensics.absence import Absence
from forensics.symbols.dwarf.call_sites import call_sites
from forensics.symbols.dwarf.functions import Function
from forensics.symbols.dwarf.info import Unit
from forensics.symbols.dwarf.locate import DAMAGE, DwarfLines
from forensics.symbols.module import ModuleSymbols
from forensics.symbols.needed import ENUMERATIONS, STRUCTURES
from forensics.symbols.pack import JUMP, NOTHING
from forensics.symbols.pack_names import Names
from forensics.symbols.site import Call


def slim_sections(symbols: ModuleSymbols, dwarf: DwarfLines, names: Names) -> dict[str, bytes]:
    """The sections ``lines``, ``records``, ``entries``, ``calls`` and ``types`` of a pack (see ``symbols/pack.py``).

    ``names`` gets the texts that they refer to.
    """
    return _dwarf_sections(dwarf, names) | {"types": json.dumps(_types(symbols), separators=(",", ":")).encode()}


def _types(symbols: ModuleSymbols) -> dict[str, dict[str, Any]]:
    """The structures and enumerations that HAProxy's state is read with, as far as this build has them."""
    structures = symbols.structures
    if isinstance(structures, Absence):
        return {}
    structs: dict[str, Any] = {}
    for name in STRUCTURES:
        found = structures.layouts(name)
        if not isinstance(found, Absence):
            structs |= {each: layout.to_plain() for each, layout in found.items()}
    enums = {}
    for name in ENUMERATIONS:
        values = structures.enumeration(name)
        if not isinstance(values, Absence):
            enums[name] = {str(value): text for value, text in values.items()}
    return {"structs": structs, "enums": enums}


def _dwarf_sections(dwarf: DwarfLines, names: Names) -> dict[str, bytes]:
    records = _Records(names)
    lines: dict[int, int] = {}
    entries: list[tuple[int, int, int]] = []
    jumps = []
    for unit, function in _all_functions(dwarf):
        entry = function.ranges[0][0]
        try:
            for start, end in function.ranges:
                for address in _boundaries(dwarf, unit, function, start, end):
                    lines[address] = records.number(dwarf.calls_in(unit, function, address))
                lines.setdefault(end, NOTHING)
            jumps += [(entry, site) for site in call_sites(function.entry)]
        except DAMAGE:
            continue  # a damaged function says nothing, and keeps none of the others from being told
        entries += [(start, end, entry) for start, end in function.ranges]
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

    def __init__(self, names: Names) -> None:
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
