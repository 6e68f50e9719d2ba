"""Notes of a core: records of (name, type, descriptor), parsed with every length checked."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from forensics.absence import Absence
from forensics.elf.constants import signal_code_name, signal_name
from forensics.elf.header import LP64, Layout
from forensics.record import record

_NOTE = struct.Struct("<III")
_NOTE_BIG_ENDIAN = struct.Struct(">III")

#: elf_prstatus (linux/elfcore.h): pr_cursig at 12; where pr_pid and pr_reg stand, by the bits of a word.
_PRSTATUS = {64: (32, 112), 32: (24, 72)}
#: elf_prpsinfo: pr_pid and pr_fname by its size. 32-bit x86 and ARM have 16-bit user numbers, others 32-bit ones.
_PRPSINFO = {136: (24, 40), 124: (12, 28), 128: (16, 32)}
#: si_code of a signal that a timer of the process sent.
_SI_TIMER = -2
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
    signal that somebody sent (si_code <= 0), and ``user`` that process's real user id; ``system_call``
    the number of the call that was refused (SIGSYS). Each is None when it does not apply.
    """

    number: int
    code: int
    address: int | None
    sender: int | None
    user: int | None = None
    system_call: int | None = None

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
    """NT_PRPSINFO: ``name`` is pr_fname (15 characters), ``arguments`` pr_psargs (79), ``parent`` pr_ppid.

    ``owner`` holds pr_uid and pr_gid.
    """

    pid: int
    name: str
    arguments: str
    parent: int = 0
    owner: tuple[int, int] | Absence = Absence("user of the process", "NT_PRPSINFO of this machine is not read for it")


def iter_notes(data: bytes, layout: Layout = LP64) -> Iterator[Note]:
    """Notes in ``data``, ending quietly where one would reach past the end."""
    position, form = 0, _NOTE_BIG_ENDIAN if layout.big_endian else _NOTE
    while position + 12 <= len(data):
        name_size, size, kind = form.unpack_from(data, position)
        start = position + 12 + (name_size + 3 & ~3)
        end = start + size
        if end > len(data):
            return
        owner = data[position + 12 : position + 12 + name_size].rstrip(b"\0")
        yield Note(owner, kind, data[start:end])
        position = start + (size + 3 & ~3)


def parse_thread(descriptor: bytes, layout: Layout = LP64) -> ThreadStatus | None:
    """NT_PRSTATUS, or None for a descriptor too short to hold one register."""
    pid, registers = _PRSTATUS[layout.bits]
    words = min((len(descriptor) - registers) // layout.word_size, _MOST_REGISTERS)
    if words < 1:
        return None
    signal, lwp = layout.number(descriptor[12:14]), layout.number(descriptor[pid : pid + 4])
    return ThreadStatus(lwp, signal, struct.unpack_from(f"{layout.order}{words}{layout.word}", descriptor, registers))


def parse_siginfo(descriptor: bytes, layout: Layout = LP64) -> SignalInfo | None:
    """NT_SIGINFO; the union that follows si_code begins at byte 16 on 64-bit Linux, at 12 on 32-bit."""
    union = 16 if layout.bits == 64 else 12
    if len(descriptor) < union + 8:
        return None
    number, _errno, code = struct.unpack_from(f"{layout.order}iii", descriptor)
    sent = code <= 0
    # A timer's signal has the timer's number there, no process.
    pid, user = struct.unpack_from(f"{layout.order}iI", descriptor, union) if sent and code != _SI_TIMER else (None, 0)
    fault = not sent and number in (4, 5, 7, 8, 11)
    address = struct.unpack_from(f"{layout.order}{layout.word}", descriptor, union)[0] if fault else None
    refused = _refused(number, code, descriptor, layout)
    return SignalInfo(number, code, address, pid, None if pid is None else user, refused)


def _refused(number: int, code: int, descriptor: bytes, layout: Layout) -> int | None:
    """The system call of a SIGSYS: ``_syscall`` of siginfo's _sigsys stands behind the address of the call."""
    if number != 31 or code <= 0:
        return None
    place = (16 if layout.bits == 64 else 12) + layout.word_size
    found = descriptor[place : place + 4]
    return layout.number(found) if len(found) == 4 else None


def parse_files(descriptor: bytes, layout: Layout = LP64) -> tuple[MappedFile, ...]:
    """NT_FILE: a count, the page size, the ranges, then as many NUL-terminated names."""
    head, line = 2 * layout.word_size, 3 * layout.word_size
    if len(descriptor) < head:
        return ()
    count, page = struct.unpack_from(f"{layout.order}2{layout.word}", descriptor)
    if count > (len(descriptor) - head) // line:
        return ()
    names = descriptor[head + count * line :].split(b"\0", count)
    ranges = struct.iter_unpack(f"{layout.order}3{layout.word}", descriptor[head : head + count * line])
    return tuple(
        MappedFile(start, end, offset * page, name.decode("utf-8", "replace"))
        for (start, end, offset), name in zip(ranges, names, strict=False)
    )


def parse_process(descriptor: bytes, layout: Layout = LP64) -> ProcessInfo | None:
    """NT_PRPSINFO."""
    size = len(descriptor)
    known = _PRPSINFO.get(136 if layout.bits == 64 else size) if size >= (136 if layout.bits == 64 else 124) else None
    if known is None:
        return None
    pid, name = known
    text = descriptor[name : name + 96]
    number, parent = layout.number(descriptor[pid : pid + 4]), layout.number(descriptor[pid + 4 : pid + 8])
    found = number, _text(text[:16]), _text(text[16:]).rstrip(), parent
    if layout.bits != 64:
        return ProcessInfo(*found)
    # Both stand before the pid, 4 bytes each.
    return ProcessInfo(*found, (layout.number(descriptor[16:20]), layout.number(descriptor[20:24])))


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("utf-8", "replace")


def parse_auxv(descriptor: bytes, layout: Layout = LP64) -> dict[int, int]:
    """NT_AUXV: pairs of words up to AT_NULL."""
    whole = len(descriptor) - len(descriptor) % (2 * layout.word_size)
    pairs = struct.iter_unpack(f"{layout.order}2{layout.word}", descriptor[:whole])
    return {key: value for key, value in pairs if key}


def parse_code_mask(descriptor: bytes) -> int:
    """NT_ARM_PAC_MASK: the bits of a code address that hold an authentication code (insn_mask), 0 for none."""
    return int.from_bytes(descriptor[8:16], "little")


def build_id_of(notes: bytes, layout: Layout = LP64) -> str | None:
    """The NT_GNU_BUILD_ID in the notes of an image, as lower-case hexadecimal."""
    for note in iter_notes(notes, layout):
        if note.owner == b"GNU" and note.type == 3 and 4 <= len(note.descriptor) <= 64:
            return note.descriptor.hex()
    return None
