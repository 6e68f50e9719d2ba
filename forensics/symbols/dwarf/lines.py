"""From an address to its source line, by the rules of gdb.

An optimised build has several rows for one address, of several files. gdb keeps
one table a file and picks the last row at or before the address over all of
them (``lnp_state_machine::record_line`` in dwarf2/read.c, ``find_pc_sect_line``
in symtab.c, gdb 13); we do the same, so that both name the same line.
"""

from __future__ import annotations

import struct
from bisect import bisect_left, bisect_right
from dataclasses import dataclass

from forensics.elf.encoding import read_sleb128, read_uleb128
from forensics.symbols.dwarf.info import DebugInfo
from forensics.symbols.dwarf.line_header import LineHeader, read_line_header

#: (address, line, is_stmt); line 0 ends what the file says.
Row = tuple[int, int, bool]

_NOTHING = ("", 0)


class LineTable:
    """The rows of one unit, by file."""

    def __init__(self, tables: dict[str, list[Row]]) -> None:
        self._tables = {
            file: sorted(rows, key=lambda row: (row[0], row[1] != 0)) for file, rows in tables.items() if rows
        }
        self._all: list[int] | None = None
        self._addresses = {file: [row[0] for row in rows] for file, rows in self._tables.items()}

    def addresses_in(self, start: int, end: int) -> list[int]:
        """The addresses in [start, end) where a row begins."""
        if self._all is None:
            self._all = sorted({row[0] for rows in self._tables.values() for row in rows})
        return self._all[bisect_left(self._all, start) : bisect_left(self._all, end)]

    def find(self, pc: int) -> tuple[str, int]:
        """File and line of ``pc``; ("", 0) when no row covers it."""
        best: Row | None = None
        best_file = ""
        for file, rows in self._tables.items():
            index = bisect_right(self._addresses[file], pc) - 1
            if index < 0:
                continue
            row = rows[index]
            if row[1] and (best is None or row[0] > best[0]):
                best, best_file = _statement(rows, index), file
        return (best_file, best[1]) if best else _NOTHING


def _statement(rows: list[Row], index: int) -> Row:
    """The row at ``index``, or an earlier one of the same address that begins a statement."""
    chosen = index
    while not rows[chosen][2] and chosen > 0 and rows[chosen - 1][0] == rows[index][0] and rows[chosen - 1][1]:
        chosen -= 1
    return rows[chosen] if rows[chosen][2] else rows[index]


@dataclass(slots=True)
class _Registers:
    """The state machine of the line program (DWARF 5, 6.2.2)."""

    address: int = 0
    file: int = 1
    line: int = 1
    is_stmt: bool = True


class _Recorder:
    """Rows as gdb records them."""

    def __init__(self, header: LineHeader) -> None:
        self.header = header
        self.tables: dict[str, list[Row]] = {}
        self._last_file = ""
        self._last_address = -1
        self._statement_here = False

    def record(self, state: _Registers) -> None:
        file = self.header.file(state.file)
        changed = file != self._last_file
        same_address = self._last_address == state.address
        ignored = state.line == 0 or (changed and same_address and not state.is_stmt and self._statement_here)
        if changed and not ignored:
            self._finish(state.address)
        if not ignored:
            self.tables.setdefault(file, []).append((state.address, state.line, state.is_stmt))
            self._last_file = file
        if not same_address:
            self._statement_here = False
            self._last_address = state.address
        self._statement_here = self._statement_here or state.is_stmt

    def _finish(self, address: int) -> None:
        """End what the last file said: its rows at this very address cover no code."""
        rows = self.tables.get(self._last_file)
        if not rows:
            return
        last_line = 0
        while rows:
            last_line = rows[-1][1]
            if rows[-1][0] != address:
                break
            rows.pop()
        if last_line:
            rows.append((address, 0, True))

    def end_sequence(self, address: int) -> None:
        self._finish(address)
        self._last_file = ""
        self._last_address = -1
        self._statement_here = False


def read_lines(info: DebugInfo, offset: int, directory: str, primary: str) -> tuple[LineHeader, LineTable]:
    """Header and rows of the program at ``offset`` of .debug_line; ``directory`` and ``primary`` as in the header.

    ValueError, IndexError or struct.error for a program that is damaged.
    """
    header = read_line_header(info, offset, directory, primary)
    recorder = _Recorder(header)
    data, position = info.section(".debug_line"), header.program
    state, skipping = _Registers(is_stmt=header.default_is_stmt), False
    base = len(header.opcode_lengths) + 1
    while position < header.end:
        opcode = data[position]
        position += 1
        if opcode >= base:
            adjusted = opcode - base
            state.address += adjusted // header.line_range * header.minimum
            state.line += header.line_base + adjusted % header.line_range
            if not skipping:
                recorder.record(state)
        elif opcode == 1:
            if not skipping:
                recorder.record(state)
        elif opcode == 0:
            position, skipping, state = _extended(data, position, state, recorder, skipping)
        else:
            position = _standard(opcode, data, position, state, header)
    return header, LineTable(recorder.tables)


def _extended(
    data: bytes, position: int, state: _Registers, recorder: _Recorder, skipping: bool
) -> tuple[int, bool, _Registers]:
    """end_sequence, set_address; the others carry nothing that a backtrace needs."""
    length, position = read_uleb128(data, position)
    opcode = data[position]
    if opcode == 1:
        if not skipping:
            recorder.end_sequence(state.address)
        state, skipping = _Registers(is_stmt=recorder.header.default_is_stmt), False
    elif opcode == 2:
        state.address = int.from_bytes(data[position + 1 : position + length], "little")
        # The linker leaves 0 where it dropped a function; no code lies there.
        skipping = state.address == 0
    return position + length, skipping, state


def _standard(opcode: int, data: bytes, position: int, state: _Registers, header: LineHeader) -> int:
    """A standard opcode; the position after its operands."""
    if opcode == 2:
        advance, position = read_uleb128(data, position)
        state.address += advance * header.minimum
    elif opcode == 3:
        advance, position = read_sleb128(data, position)
        state.line += advance
    elif opcode == 4:
        state.file, position = read_uleb128(data, position)
    elif opcode == 6:
        state.is_stmt = not state.is_stmt
    elif opcode == 8:
        state.address += (255 - len(header.opcode_lengths) - 1) // header.line_range * header.minimum
    elif opcode == 9:
        state.address += struct.unpack_from("<H", data, position)[0]
        position += 2
    else:
        for _operand in range(header.opcode_lengths[opcode - 1]):
            _value, position = read_uleb128(data, position)
    return position
