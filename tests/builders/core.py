"""Core dumps written in memory, for tests: threads, notes and segments, one oddity each."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from tests.builders.elf import (
    EHDR,
    EM_X86_64,
    ET_CORE,
    PHDR,
    PT_LOAD,
    PT_NOTE,
    SHDR,
    ident,
    note,
    program_header,
)

NT_PRSTATUS, NT_PRPSINFO, NT_AUXV, NT_SIGINFO, NT_FILE = 1, 3, 6, 0x53494749, 0x46494C45
AT_ENTRY, AT_SYSINFO_EHDR = 9, 33
PAGE = 4096

#: The words of pr_reg (linux/user_64.h).
REGISTERS = (
    "r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx", "rsi", "rdi",
    "orig_rax", "rip", "cs", "eflags", "rsp", "ss", "fs_base", "gs_base", "ds", "es", "fs", "gs",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Thread:
    """One thread: NT_PRSTATUS. ``registers`` by name, 0 where not given."""

    lwp: int = 1000
    signal: int = 11
    registers: dict[str, int] = field(default_factory=dict)

    def note(self) -> bytes:
        """The note as the kernel writes it."""
        words = struct.pack("<27Q", *(self.registers.get(name, 0) for name in REGISTERS))
        head = struct.pack("<iiihxxQQi", self.signal, 0, 0, self.signal, 0, 0, self.lwp)
        return note(b"CORE", NT_PRSTATUS, head.ljust(112, b"\0") + words + bytes(8))


@dataclass(frozen=True, slots=True)
class Load:
    """One PT_LOAD: ``data`` at ``address``; ``size`` and ``file_size`` are what it claims, ``offset`` where."""

    address: int
    data: bytes
    size: int | None = None
    file_size: int | None = None
    offset: int | None = None
    flags: int = 6


@dataclass(frozen=True, slots=True)
class File:
    """One line of NT_FILE; ``offset`` in bytes."""

    start: int
    end: int
    path: str
    offset: int = 0


def auxv_note(pairs: dict[int, int]) -> bytes:
    """NT_AUXV."""
    return note(b"CORE", NT_AUXV, b"".join(struct.pack("<QQ", *pair) for pair in pairs.items()) + bytes(16))


def siginfo_note(number: int, code: int, word: int) -> bytes:
    """NT_SIGINFO; ``word`` is si_addr of a fault, or si_pid of a signal that was sent."""
    return note(b"CORE", NT_SIGINFO, struct.pack("<iiiiQ", number, 0, code, 0, word).ljust(128, b"\0"))


def files_note(files: tuple[File, ...], *, count: int | None = None) -> bytes:
    """NT_FILE; ``count`` is the number that it claims."""
    ranges = b"".join(struct.pack("<QQQ", one.start, one.end, one.offset // PAGE) for one in files)
    names = b"".join(one.path.encode() + b"\0" for one in files)
    return note(b"CORE", NT_FILE, struct.pack("<QQ", len(files) if count is None else count, PAGE) + ranges + names)


def process_note(name: str, arguments: str, pid: int) -> bytes:
    """NT_PRPSINFO."""
    head = bytes(24) + struct.pack("<i", pid) + bytes(12)
    texts = name.encode()[:15].ljust(16, b"\0") + arguments.encode()[:79].ljust(80, b"\0")
    return note(b"CORE", NT_PRPSINFO, head + texts)


@dataclass(slots=True)
class Core:
    """A core; ``build()`` writes it. ``siginfo`` is (number, code, word), ``notes`` come after all others.

    ``extended`` counts the segments in section 0, as for more than 65,534 of them; ``claimed_segments``
    is the number that the header claims then or else.
    """

    threads: tuple[Thread, ...] = (Thread(),)
    loads: tuple[Load, ...] = ()
    files: tuple[File, ...] = ()
    auxv: dict[int, int] = field(default_factory=dict)
    siginfo: tuple[int, int, int] | None = (11, 1, 0)
    name: str = "haproxy"
    notes: bytes = b""
    notes_first: bool = True
    machine: int = EM_X86_64
    elf_class: int = 2
    endianness: int = 1
    type: int = ET_CORE
    extended: bool = False
    claimed_segments: int | None = None
    extra_headers: bytes = b""

    def note_bytes(self) -> bytes:
        """The content of the PT_NOTE, in the kernel's order: the first thread, the process, other threads."""
        parts = [one.note() for one in self.threads[:1]]
        parts.append(process_note(self.name, f"{self.name} -f haproxy.cfg", 1000))
        parts += [siginfo_note(*self.siginfo)] if self.siginfo else []
        parts += [auxv_note(self.auxv)] if self.auxv else []
        parts += [files_note(self.files)] if self.files else []
        parts += [one.note() for one in self.threads[1:]]
        return b"".join(parts) + self.notes

    def build(self) -> bytes:
        """The file: headers, notes, contents (or contents, then notes)."""
        notes = self.note_bytes()
        count = 1 + len(self.loads) + len(self.extra_headers) // PHDR.size
        position = 64 + count * PHDR.size
        note_at = position if self.notes_first else position + sum(len(one.data) for one in self.loads)
        position += len(notes) if self.notes_first else 0
        headers, contents = [program_header(PT_NOTE, note_at, 0, len(notes), 0, 0)], []
        for one in self.loads:
            offset = position if one.offset is None else one.offset
            file_size = len(one.data) if one.file_size is None else one.file_size
            size = len(one.data) if one.size is None else one.size
            headers.append(program_header(PT_LOAD, offset, one.address, file_size, size, one.flags))
            contents.append(one.data)
            position += len(one.data)
        body = b"".join((notes, *contents)) if self.notes_first else b"".join((*contents, notes))
        claimed = count if self.claimed_segments is None else self.claimed_segments
        return (
            self._header(claimed, 64 + count * PHDR.size + len(body))
            + b"".join(headers)
            + self.extra_headers
            + (body + (SHDR.pack(0, 0, 0, 0, 0, 0, 0, claimed, 0, 0) if self.extended else b""))
        )

    def _header(self, segments: int, end: int) -> bytes:
        sections = (end, 1) if self.extended else (0, 0)
        shown = 0xFFFF if self.extended else segments
        fields = EHDR.pack(self.type, self.machine, 1, 0, 64, sections[0], 0, 64, 56, shown, 64, sections[1], 0)
        return ident(self.elf_class, self.endianness) + fields
