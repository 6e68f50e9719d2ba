"""Where the files of a process were loaded whose core does not tell: one of arm64, run by qemu.

Read from the dynamic linker's own list (``struct r_debug`` and ``struct link_map`` of glibc's ``link.h``), which
the executable's dynamic section points to, by pyelftools: nothing of ours has a part in it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.elffile import ELFFile
from elftools.elf.segments import NoteSegment

EM_AARCH64 = 183
AT_PHDR, AT_BASE = 3, 7
DT_NULL, DT_DEBUG = 0, 21


@dataclass(frozen=True)
class Loaded:
    """A file of a process: where it lies here, and what its addresses were moved by."""

    path: Path
    base: int


def is_arm64(executable: Path) -> bool:
    """Whether ``executable`` is one for arm64."""
    with executable.open("rb") as file:
        head = file.read(20)
    return head[:4] == b"\x7fELF" and int.from_bytes(head[18:20], "little") == EM_AARCH64


class _Memory:
    """The memory that a core holds."""

    def __init__(self, core: ELFFile) -> None:
        self._core = core
        self._segments = [segment.header for segment in core.iter_segments("PT_LOAD")]

    def words(self, address: int, count: int) -> tuple[int, ...]:
        """``count`` 64-bit words at ``address``."""
        return struct.unpack(f"<{count}Q", self.bytes(address, 8 * count))

    def bytes(self, address: int, size: int) -> bytes:
        """Up to ``size`` bytes at ``address``: less at the end of a segment, none where the core has none."""
        for header in self._segments:
            if header.p_vaddr <= address < header.p_vaddr + header.p_filesz:
                self._core.stream.seek(header.p_offset + address - header.p_vaddr)
                data = self._core.stream.read(min(size, header.p_vaddr + header.p_filesz - address))
                assert isinstance(data, bytes)
                return data
        return b""


def _auxiliary(core: ELFFile) -> dict[int, int]:
    """The auxiliary vector."""
    for segment in core.iter_segments("PT_NOTE"):
        assert isinstance(segment, NoteSegment)
        for note in segment.iter_notes():
            if note["n_type"] == "NT_AUXV":
                data = note["n_descdata"]
                words = struct.unpack(f"<{len(data) // 8}Q", data)
                return dict(zip(words[::2], words[1::2], strict=False))
    return {}


def loaded_files(core: Path, executable: Path, sysroot: Path | None) -> list[Loaded]:
    """The files of the process, the executable first; none where the executable lay at its own addresses."""
    with executable.open("rb") as program, core.open("rb") as dump:
        image, kept = ELFFile(program), ELFFile(dump)
        dynamic = image.get_section_by_name(".dynamic")
        if image["e_type"] != "ET_DYN" or dynamic is None:
            return []
        vector = _auxiliary(kept)
        base = vector[AT_PHDR] - image["e_phoff"]
        return [Loaded(executable, base), *_libraries(_Memory(kept), base + dynamic["sh_addr"], vector, sysroot)]


def _libraries(memory: _Memory, dynamic: int, vector: dict[int, int], sysroot: Path | None) -> list[Loaded]:
    """The entries of the linker's list but the first, which is the executable."""
    place = dynamic
    tag, value = memory.words(place, 2)
    while tag not in (DT_NULL, DT_DEBUG):
        place += 16
        tag, value = memory.words(place, 2)
    assert tag == DT_DEBUG
    _version, entry = memory.words(value, 2)
    found = []
    while entry:
        base, name, _dynamic, entry, _previous = memory.words(entry, 5)
        path = memory.bytes(name, 4096).split(b"\0")[0].decode()
        if base == vector[AT_BASE]:
            path = path or "/lib/ld-linux-aarch64.so.1"  # the name of the interpreter lies in the executable
        inside = Path(f"{sysroot or ''}{path}")
        if path and inside.is_file():
            found.append(Loaded(inside, base))
    return found
