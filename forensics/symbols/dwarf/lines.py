"""From an address to its source line, by the rules of gdb.

An optimised build has several rows for one address, of several files. gdb keeps
one table a file and picks the last row at or before the address over all of
them (``lnp_state_machine::record_line`` in dwarf2/read.c, ``find_pc_sect_line``
in symtab.c, gdb 13); we do the same, so that both name the same line.
"""

from __future__ import annotations

import struct
from bisect import bisect_left, bisect_right

from forensics.elf.encoding import read_sleb128, read_uleb128
from forensics.symbols.dwarf.damage import TooMuch
from forensics.symbols.dwarf.info import DebugInfo
from forensics.symbols.dwarf.line_header import LineHeader, read_line_header

#: (address, line, is_stmt); line 0 ends what the file says.
Row = tuple[int, int, bool]

_NOTHING = ("", 0)

#: Bytes of one program; all of HAProxy's have 2 MB together.
_MAX_PROGRAM = 1 << 23


class LineTable:
    """The rows of one unit, by file."""

    def __init__(self, tables: dict[str, list[Row]]) -> None:
        self._tables = {file: _sorted(rows) for file, rows in tables.items() if rows}
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


def _sorted(rows: list[Row]) -> list[Row]:
    """By address; where something ends and something begins, the end comes first."""
    keys = [2 * row[0] + (row[1] != 0) for row in rows]
    order = sorted(range(len(rows)), key=keys.__getitem__)
    return [rows[place] for place in order]


def read_lines(info: DebugInfo, offset: int, directory: str, primary: str) -> tuple[LineHeader, LineTable]:
    """Header and rows of the program at ``offset`` of .debug_line; ``directory`` and ``primary`` as in the header.

    ValueError, IndexError or struct.error for a program that is damaged.
    """
    header = read_line_header(info, offset, directory, primary)
    if header.end - header.program > _MAX_PROGRAM:
        raise TooMuch("a line program longer than any")
    tables = _run(info.section(".debug_line"), header)
    info.spend(sum(len(rows) for rows in tables.values()))
    return header, LineTable(tables)


def _run(data: bytes, header: LineHeader) -> dict[str, list[Row]]:  # noqa: C901, PLR0915 - calls would take a third more
    """The rows of the program, by file, as gdb records them.

    One long loop on purpose: these are the most numerous records of a build, half a million for HAProxy.
    """
    tables: dict[str, list[Row]] = {"": []}
    for name in header.files:
        tables.setdefault(name, [])
    # Registers of the state machine (DWARF 5, 6.2.2); `rows` are those of the file register.
    address, line, is_stmt = 0, 1, header.default_is_stmt
    rows = first = tables[header.file(1)]
    # What gdb remembers of the last row, and whether a statement began at its address.
    last, last_address, statement_here = tables[""], -1, False
    skipping = False  # within the sequence of a function that the linker dropped
    base, end, position = len(header.opcode_lengths) + 1, header.end, header.program
    line_base, line_range, minimum = header.line_base, header.line_range, header.minimum
    while position < end:
        opcode = data[position]
        position += 1
        if opcode >= base:
            advance, step = divmod(opcode - base, line_range)
            address += advance * minimum
            line += line_base + step
        elif opcode == 5:  # set_column, which no backtrace shows
            while data[position] & 0x80:
                position += 1
            position += 1
            continue
        elif opcode == 3:
            advance, position = read_sleb128(data, position)
            line += advance
            continue
        elif opcode == 6:
            is_stmt = not is_stmt
            continue
        elif opcode == 4:
            index, position = read_uleb128(data, position)
            rows = tables[header.file(index)]
            continue
        elif opcode == 0:
            length, position = read_uleb128(data, position)
            kind = data[position]
            if kind == 1:  # end_sequence
                if not skipping:
                    _finish(last, address)
                    last, last_address, statement_here = tables[""], -1, False
                address, line, is_stmt, rows, skipping = 0, 1, header.default_is_stmt, first, False
            elif kind == 2:  # set_address
                address = int.from_bytes(data[position + 1 : position + length], "little")
                # The linker leaves 0 where it dropped a function; no code lies there.
                skipping = address == 0
            position += length
            continue
        elif opcode != 1:
            advance, position = _standard(opcode, data, position, header)
            address += advance
            continue
        if skipping:
            continue
        same_address, changed = last_address == address, rows is not last
        if line and not (changed and same_address and not is_stmt and statement_here):
            if changed:
                _finish(last, address)
                last = rows
            rows.append((address, line, is_stmt))
        if not same_address:
            statement_here, last_address = is_stmt, address
        elif is_stmt:
            statement_here = True
    return tables


def _finish(rows: list[Row], address: int) -> None:
    """End what a file says: its rows at this very address cover no code."""
    last_line = 0
    while rows:
        last_line = rows[-1][1]
        if rows[-1][0] != address:
            break
        rows.pop()
    if last_line:
        rows.append((address, 0, True))


def _standard(opcode: int, data: bytes, position: int, header: LineHeader) -> tuple[int, int]:
    """By how much a rarer standard opcode moves the address, and the position after its operands."""
    if opcode == 2:  # advance_pc
        advance, position = read_uleb128(data, position)
        return advance * header.minimum, position
    if opcode == 8:  # const_add_pc
        return (255 - len(header.opcode_lengths) - 1) // header.line_range * header.minimum, position
    if opcode == 9:  # fixed_advance_pc
        return struct.unpack_from("<H", data, position)[0], position + 2
    for _operand in range(header.opcode_lengths[opcode - 1]):
        _value, position = read_uleb128(data, position)
    return 0, position
