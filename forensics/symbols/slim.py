"""Working out a build's lines, calls and layouts once and for all: what a slim symbol pack holds instead of DWARF."""

from __future__ import annotations

import json
import struct
from array import array
from collections.abc import Iterator

from forensics.symbols.dwarf.call_sites import call_sites
from forensics.symbols.dwarf.functions import Function
from forensics.symbols.dwarf.info import Unit
from forensics.symbols.dwarf.locate import DAMAGE, DwarfLines
from forensics.symbols.module import ModuleSymbols
from forensics.symbols.pack import JUMP, NOTHING
from forensics.symbols.pack_names import Names
from forensics.symbols.site import Call

#: Structures whose layout is kept, each with functions whose units declare it (newest name first).
STRUCTURES = {
    "stktable": ("stktable_requeue_exp", "stktable_touch_with_exp", "__stktable_store"),
    "task": ("__task_queue",),
}


def slim_sections(symbols: ModuleSymbols, dwarf: DwarfLines, names: Names) -> dict[str, bytes]:
    """The sections ``lines``, ``records``, ``entries``, ``calls`` and ``layouts`` of a pack (see ``symbols/pack.py``).

    ``names`` gets the texts that they refer to.
    """
    return _dwarf_sections(dwarf, names) | {"layouts": json.dumps(_layouts(symbols)).encode()}


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
