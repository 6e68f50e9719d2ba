"""All that DWARF says of an address: the calls active there, each with file and line."""

from __future__ import annotations

from forensics.absence import Absence
from forensics.symbols.dwarf.call_sites import CallSite, call_sites
from forensics.symbols.dwarf.damage import DAMAGE
from forensics.symbols.dwarf.functions import Function, functions_of_unit
from forensics.symbols.dwarf.info import AT_COMP_DIR, AT_NAME, AT_STMT_LIST, DebugInfo, open_debug_info
from forensics.symbols.dwarf.line_header import NO_HEADER, LineHeader
from forensics.symbols.dwarf.lines import LineTable, read_lines
from forensics.symbols.dwarf.ranges import UnitIndex, holds
from forensics.symbols.dwarf.sections import DebugSections
from forensics.symbols.dwarf.units import Unit
from forensics.symbols.site import Call

__all__ = ["DAMAGE", "DwarfLines", "open_dwarf"]


class DwarfLines:
    """Addresses to calls, for one file with DWARF; units are read once, when first needed."""

    def __init__(self, info: DebugInfo) -> None:
        self.info = info
        self._index = UnitIndex(info)
        self._lines: dict[int, tuple[LineHeader, LineTable]] = {}
        self._functions: dict[int, list[Function]] = {}

    def unit_of(self, pc: int) -> Unit | None:
        """The unit whose code holds ``pc``."""
        return self._index.find(pc)

    def calls(self, pc: int) -> tuple[Call, ...] | Absence:
        """The calls active at ``pc``, innermost first.

        Without the split file or the supplementary file that holds a name, the name is "": see ``gap``.
        """
        try:
            unit = self._index.find(pc)
            if unit is not None:
                return self._calls(unit, pc)
        except DAMAGE as error:
            return Absence(f"source line of {pc:#x}", f"the DWARF of {self.info.path} is damaged ({error})")
        return Absence(f"source line of {pc:#x}", f"no unit in {self.info.path} covers this code")

    def _calls(self, unit: Unit, pc: int) -> tuple[Call, ...]:
        if isinstance(self.info.body(unit), Absence):
            _header, table = self.lines(unit)
            file, line = table.find(pc)
            return (Call("", file, line),) if line else ()
        holding = [one for one in self.functions(unit) if holds(one.ranges, pc)]
        # Aliases of assembly functions share their code; the last one declared is the one that gdb shows.
        return self.calls_in(unit, holding[-1], pc) if holding else ()

    def gap(self, pc: int) -> Absence | None:
        """The file that is missing for the names of the functions at ``pc``, None when none is."""
        try:
            unit = self._index.find(pc)
            body = self.info.body(unit) if unit is not None else None
        except DAMAGE:
            return None
        return body if isinstance(body, Absence) else self.info.supplement_gap

    def function_at(self, pc: int) -> Function | None:
        """The physical function that holds ``pc``."""
        unit = self._index.find(pc)
        holding = [one for one in self.functions(unit) if holds(one.ranges, pc)] if unit else []
        return holding[-1] if holding else None

    def call_sites(self, pc: int) -> tuple[int, list[CallSite]]:
        """Entry point and call sites of the function that holds ``pc``; (0, []) when there is none."""
        try:
            function = self.function_at(pc)
            return (function.ranges[0][0], call_sites(function.entry)) if function else (0, [])
        except DAMAGE:
            return 0, []

    def calls_in(self, unit: Unit, function: Function, pc: int) -> tuple[Call, ...]:
        """The calls active at ``pc``, which ``function`` is known to hold."""
        header, table = self.lines(unit)
        file, line = table.find(pc)
        calls = []
        for one in reversed(function.active(pc)):
            calls.append(Call(one.name, file, line))
            file, line = header.file(one.call_file), one.call_line
        return tuple(calls)

    def functions(self, unit: Unit) -> list[Function]:
        """The functions of ``unit``; read once."""
        found = self._functions.get(unit.offset)
        if found is None:
            found = self._functions[unit.offset] = functions_of_unit(self.info, unit)
        return found

    def lines(self, unit: Unit) -> tuple[LineHeader, LineTable]:
        """Header and rows of the line program of ``unit``; read once."""
        found = self._lines.get(unit.offset)
        if found is None:
            found = self._lines[unit.offset] = self._read_lines(unit)
        return found

    def _read_lines(self, unit: Unit) -> tuple[LineHeader, LineTable]:
        """A split unit's lines are those of its skeleton, which does not repeat its name."""
        top, body = self.info.top(unit), self.info.body(unit)
        if AT_STMT_LIST not in top.values:
            return NO_HEADER, LineTable({})
        name = top.text(AT_NAME) or ("" if isinstance(body, Absence) else body.text(AT_NAME))
        return read_lines(self.info, top.number(AT_STMT_LIST, 0), top.text(AT_COMP_DIR), name)


def open_dwarf(image: DebugSections) -> DwarfLines | Absence:
    """The DWARF of ``image``, or why it cannot be used."""
    try:
        info = open_debug_info(image)
        return info if isinstance(info, Absence) else DwarfLines(info)
    except DAMAGE as error:
        return Absence(f"source lines of {image.path}", f"the DWARF is damaged ({error})", "the original debug file")
