"""A core of any size: a real one, with one more segment that is a hole in the file.

The program headers move behind the old end of the file, and the new segment follows them.
Readers of such a core must neither read nor map it whole.
"""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

PT_LOAD = 1
PF_RW = 6
PAGE = 4096
#: An address at which no process of x86-64 or aarch64 Linux has anything: between heap and libraries.
ADDRESS = 0x1000_0000_0000
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_PROGRAM_HEADER = struct.Struct("<IIQQQQQQ")


def round_up(number: int) -> int:
    """The next multiple of a page."""
    return -(-number // PAGE) * PAGE


def append_segment(source: Path, target: Path, size: int) -> None:
    """Copy the core ``source`` to ``target`` with a PT_LOAD of ``size`` more bytes, all of them a hole."""
    shutil.copyfile(source, target)
    with target.open("r+b") as core:
        header = list(_HEADER.unpack(core.read(_HEADER.size)))
        if header[0][:6] != b"\x7fELF\x02\x01":
            raise ValueError(f"{source} is no 64-bit little-endian ELF file")
        core.seek(header[5])
        table = core.read(header[10] * _PROGRAM_HEADER.size)
        table_offset = round_up(target.stat().st_size)
        segment_offset = round_up(table_offset + len(table) + _PROGRAM_HEADER.size)
        segment = _PROGRAM_HEADER.pack(PT_LOAD, PF_RW, segment_offset, ADDRESS, 0, size, size, PAGE)
        core.seek(table_offset)
        core.write(table + segment)
        header[5], header[10] = table_offset, header[10] + 1
        core.seek(0)
        core.write(_HEADER.pack(*header))
        core.truncate(segment_offset + size)
