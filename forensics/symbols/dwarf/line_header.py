"""The header of a line number program: its files and its opcodes (DWARF 5, 6.2.4)."""

from __future__ import annotations

import struct

from forensics.elf.encoding import read_uleb128
from forensics.record import record
from forensics.symbols.dwarf.forms import LINE_STRP, STRING, STRP, SUPPLEMENT_STRINGS, read_number, sizes_of, skip_form
from forensics.symbols.dwarf.info import DebugInfo
from forensics.symbols.dwarf.units import read_length

_CONTENT_PATH, _CONTENT_DIRECTORY = 1, 2

#: Files of one unit; HAProxy's units have some 150.
_MAX_FILES = 1 << 16


@record
class LineHeader:
    """What a line program needs: ``files`` by index, as gdb would print them.

    ``first`` is the index of the first file (0 from DWARF 5 on, else 1);
    ``program`` and ``end`` bound the program in .debug_line.
    """

    minimum: int
    default_is_stmt: bool
    line_base: int
    line_range: int
    opcode_lengths: bytes
    files: tuple[str, ...]
    first: int
    program: int
    end: int

    def file(self, index: int) -> str:
        """The file with this index, "" for an index out of range."""
        place = index - self.first
        return self.files[place] if 0 <= place < len(self.files) else ""


#: For a unit without a line program.
NO_HEADER = LineHeader(1, True, 0, 1, b"", (), 0, 0, 0)


def read_line_header(info: DebugInfo, offset: int, directory: str, primary: str) -> LineHeader:
    """The header at ``offset`` of .debug_line, for the unit compiled from ``primary`` in ``directory``.

    ``primary`` is "" for a skeleton whose split file, which has the name, is not there.
    ValueError, IndexError or struct.error when it is damaged.
    """
    data = info.section(".debug_line")
    length, start, offset_size = read_length(data, offset)
    (version,) = struct.unpack_from("<H", data, start)
    end = min(start + length, len(data))
    # From DWARF 5 on, the sizes of an address and of a segment's selector follow the version.
    position = start + 2 + (2 if version >= 5 else 0)
    sizes = sizes_of(version, offset_size)
    program = position + offset_size + int.from_bytes(data[position : position + offset_size], "little")
    position += offset_size
    minimum, position = data[position], position + 1
    if version >= 4:
        position += 1  # maximum operations of a VLIW instruction: 1 here
    is_stmt, line_base, line_range, opcode_base = struct.unpack_from("<BbBB", data, position)
    position += 4
    lengths = data[position : position + opcode_base - 1]
    position += opcode_base - 1
    if version >= 5:
        files, first = _files_5(info, data, position, sizes)
        primary = primary or first
    else:
        files = _files_4(data, position)
    # gdb knows the unit's own file by the name the compiler was given (buildsym.c, start_subfile).
    absolute = f"{directory}/{primary}"
    files = tuple(primary if name == absolute and name.startswith("/") else name for name in files)
    return LineHeader(
        minimum, bool(is_stmt), line_base, line_range, lengths, files, 0 if version >= 5 else 1, program, end
    )


def _joined(directory: str, name: str) -> str:
    return f"{directory}/{name}" if directory and not name.startswith("/") else name


def _files_4(data: bytes, position: int) -> tuple[str, ...]:
    """DWARF 2 to 4: NUL-terminated directories, then files; directory 0 is the unit's own."""
    directories = [""]
    while data[position]:
        end = data.index(b"\0", position)
        directories.append(data[position:end].decode("utf-8", "replace"))
        position = end + 1
    position += 1
    files: list[str] = []
    while data[position] and len(files) < _MAX_FILES:
        end = data.index(b"\0", position)
        name = data[position:end].decode("utf-8", "replace")
        directory, position = read_uleb128(data, end + 1)
        _time, position = read_uleb128(data, position)
        _size, position = read_uleb128(data, position)
        files.append(_joined(directories[directory] if directory < len(directories) else "", name))
    return tuple(files)


def _files_5(info: DebugInfo, data: bytes, position: int, sizes: dict[int, int]) -> tuple[tuple[str, ...], str]:
    """DWARF 5: the files, and the unit's own as the compiler was given it ("" if that is not told)."""
    directories, position = _table_5(info, data, position, sizes)
    entries, _position = _table_5(info, data, position, sizes)
    names = [name for name, _directory in directories]
    files = tuple(_joined(names[place] if place < len(names) else "", name) for name, place in entries)
    return files, entries[0][0] if entries and entries[0][1] == 0 else ""


def _table_5(info: DebugInfo, data: bytes, position: int, sizes: dict[int, int]) -> tuple[list[tuple[str, int]], int]:
    """One of the two self-describing tables of DWARF 5: (path, directory index) of each row."""
    formats = []
    count, position = data[position], position + 1
    for _one in range(count):
        content, position = read_uleb128(data, position)
        form, position = read_uleb128(data, position)
        formats.append((content, form))
    rows: list[tuple[str, int]] = []
    total, position = read_uleb128(data, position)
    for _one in range(min(total, _MAX_FILES)):
        path, directory = "", 0
        for content, form in formats:
            if content == _CONTENT_PATH:
                path = _path(info, data, position, form, sizes)
            elif content == _CONTENT_DIRECTORY:
                directory = read_number(data, position, form, sizes)
            position = skip_form(data, position, form, sizes)
        rows.append((path, directory))
    return rows, position


def _path(info: DebugInfo, data: bytes, position: int, form: int, sizes: dict[int, int]) -> str:
    if form == STRING:
        return data[position : data.index(b"\0", position)].decode("utf-8", "replace")
    if form in SUPPLEMENT_STRINGS:
        strings = info.supplement.section(".debug_str") if info.supplement else b""
    elif form in (STRP, LINE_STRP):
        strings = info.section(".debug_line_str" if form == LINE_STRP else ".debug_str")
    else:
        return ""
    start = read_number(data, position, form, sizes)
    end = strings.find(b"\0", start)
    return strings[start:end].decode("utf-8", "replace") if end >= 0 else ""
