"""Notes of a core: records of (name, type, descriptor), parsed with every length checked."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from forensics.elf.constants import signal_code_name, signal_name
from forensics.record import record

_NOTE = struct.Struct("<III")

#: elf_prstatus of 64-bit Linux: pr_cursig at 12, pr_pid at 32, pr_reg at 112 (linux/elfcore.h).
_PRSTATUS_REGISTERS = 112
#: No processor's pr_reg has more words (aarch64: 34).
_MOST_REGISTERS = 64


@record
class Note:
    """One note; ``descriptor`` is its payload."""

    owner: bytes
    type: int
    descriptor: bytes


@record
class ThreadStatus:
    """NT_PRSTATUS: one thread. ``registers`` are the words of pr_reg, in the kernel's order."""

    lwp: int
    signal: int
    registers: tuple[int, ...]


@record
class SignalInfo:
    """NT_SIGINFO: the siginfo_t of the fatal signal.

    ``address`` is si_addr for a fault; ``sender`` the pid of who sent it, for a
    signal that somebody sent (si_code <= 0). Each is None when it does not apply.
    """

    number: int
    code: int
    address: int | None
    sender: int | None

    @property
    def name(self) -> str:
        """``SIGILL`` and the like."""
        return signal_name(self.number)

    @property
    def code_name(self) -> str:
        """``SEGV_MAPERR``, ``SI_TKILL`` and the like."""
        return signal_code_name(self.number, self.code)


@record
class MappedFile:
    """One line of NT_FILE: ``start`` to ``end`` maps ``path`` from byte ``offset`` on."""

    start: int
    end: int
    offset: int
    path: str


@record
class ProcessInfo:
    """NT_PRPSINFO: ``name`` is pr_fname (15 characters), ``arguments`` pr_psargs (79)."""

    pid: int
    name: str
    arguments: str


def iter_notes(data: bytes) -> Iterator[Note]:
    """Notes in ``data``, ending quietly where one would reach past the end."""
    position = 0
    while position + 12 <= len(data):
        name_size, size, kind = _NOTE.unpack_from(data, position)
        start = position + 12 + (name_size + 3 & ~3)
        end = start + size
        if end > len(data):
            return
        owner = data[position + 12 : position + 12 + name_size].rstrip(b"\0")
        yield Note(owner, kind, data[start:end])
        position = start + (size + 3 & ~3)


def parse_thread(descriptor: bytes) -> ThreadStatus | None:
    """NT_PRSTATUS, or None for a descriptor too short to hold one register."""
    words = min((len(descriptor) - _PRSTATUS_REGISTERS) // 8, _MOST_REGISTERS)
    if words < 1:
        return None
    signal = int.from_bytes(descriptor[12:14], "little")
    lwp = int.from_bytes(descriptor[32:36], "little")
    return ThreadStatus(lwp, signal, struct.unpack_from(f"<{words}Q", descriptor, _PRSTATUS_REGISTERS))


def parse_siginfo(descriptor: bytes) -> SignalInfo | None:
    """NT_SIGINFO; the union that follows si_code begins at byte 16 on 64-bit Linux."""
    if len(descriptor) < 24:
        return None
    number, _errno, code = struct.unpack_from("<iii", descriptor)
    sent = code <= 0
    pid = struct.unpack_from("<i", descriptor, 16)[0] if sent else None
    address = None if sent or number not in (4, 5, 7, 8, 11) else struct.unpack_from("<Q", descriptor, 16)[0]
    return SignalInfo(number, code, address, pid)


def parse_files(descriptor: bytes) -> tuple[MappedFile, ...]:
    """NT_FILE: a count, the page size, the ranges, then as many NUL-terminated names."""
    if len(descriptor) < 16:
        return ()
    count, page = struct.unpack_from("<QQ", descriptor)
    if count > (len(descriptor) - 16) // 24:
        return ()
    names = descriptor[16 + count * 24 :].split(b"\0", count)
    ranges = struct.iter_unpack("<QQQ", descriptor[16 : 16 + count * 24])
    return tuple(
        MappedFile(start, end, offset * page, name.decode("utf-8", "replace"))
        for (start, end, offset), name in zip(ranges, names, strict=False)
    )


def parse_process(descriptor: bytes) -> ProcessInfo | None:
    """NT_PRPSINFO of 64-bit Linux: pr_pid at 24, pr_fname at 40, pr_psargs at 56."""
    if len(descriptor) < 136:
        return None
    name = descriptor[40:56].split(b"\0", 1)[0].decode("utf-8", "replace")
    arguments = descriptor[56:136].split(b"\0", 1)[0].decode("utf-8", "replace").rstrip()
    return ProcessInfo(int.from_bytes(descriptor[24:28], "little"), name, arguments)


def parse_auxv(descriptor: bytes) -> dict[int, int]:
    """NT_AUXV: pairs of words up to AT_NULL."""
    whole = len(descriptor) - len(descriptor) % 16
    return {key: value for key, value in struct.iter_unpack("<QQ", descriptor[:whole]) if key}


def build_id_of(notes: bytes) -> str | None:
    """The NT_GNU_BUILD_ID in the notes of an image, as lower-case hexadecimal."""
    for note in iter_notes(notes):
        if note.owner == b"GNU" and note.type == 3 and 4 <= len(note.descriptor) <= 64:
            return note.descriptor.hex()
    return None
