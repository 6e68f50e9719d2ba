"""Reading a core dump: threads, signal, memory and modules, without reading the whole file."""

from __future__ import annotations

from forensics.absence import Absence
from forensics.elf.constants import (
    AT_SYSINFO_EHDR,
    ET_CORE,
    MACHINES,
    NT_AUXV,
    NT_FILE,
    NT_PRPSINFO,
    NT_PRSTATUS,
    NT_SIGINFO,
    PF_W,
    PF_X,
    PT_LOAD,
    PT_NOTE,
)
from forensics.elf.header import ProgramHeader, read_header, read_segments
from forensics.elf.module import Module, find_modules, vdso_module
from forensics.elf.notes import (
    MappedFile,
    ProcessInfo,
    SignalInfo,
    ThreadStatus,
    iter_notes,
    parse_auxv,
    parse_files,
    parse_process,
    parse_siginfo,
    parse_thread,
)
from forensics.errors import MalformedInput
from forensics.memory.process import Memory, Segment
from forensics.memory.random_access import RandomAccess
from forensics.record import open_record, record

#: Notes of a core with 1,024 threads take some 3 MB, the file table of a huge process as much again.
MAX_NOTES = 64 << 20


@record
class Truncation:
    """How much of the file is missing, computed from the program headers (bytes)."""

    missing_bytes: int
    expected_bytes: int
    lost: str


@record
class CoreDump:
    """What a core says of its process.

    ``threads`` stand in the order of the file; Linux writes the thread that
    caused the dump first. ``signal`` is None when nothing killed the process
    (a core made by gcore). ``modules`` are sorted by address.
    """

    path: str
    machine: int
    threads: tuple[ThreadStatus, ...]
    signal: SignalInfo | None
    process: ProcessInfo | None
    auxv: dict[int, int]
    files: tuple[MappedFile, ...]
    modules: tuple[Module, ...]
    memory: Memory
    truncation: Truncation | None
    gaps: tuple[Absence, ...]

    @property
    def main_module(self) -> Module | Absence:
        """The executable: the module that holds the program's entry point, else the first mapped file."""
        for module in self.modules:
            if module.main:
                return module
        return Absence("executable", "the core lists no mapped file (NT_FILE)", "the executable, with `--exe`")


@open_record
class _Notes:
    """What the notes said, while they are read."""

    threads: list[ThreadStatus]
    signal: SignalInfo | None = None
    process: ProcessInfo | None = None
    auxv: dict[int, int] | None = None
    files: tuple[MappedFile, ...] = ()


def read_core(source: RandomAccess) -> CoreDump:
    """Read the core that ``source`` holds.

    Raises MalformedInput when it is no core or holds no thread, UnsupportedInput
    for machines that cannot be read.
    """
    header = read_header(source)
    if header.type != ET_CORE:
        raise MalformedInput(
            f"`{source.name}` is an ELF file, but not a core", "give an executable with `--exe`, and the core beside it"
        )
    headers = read_segments(source, header)
    gaps = _gaps(source, header.segments, headers)
    notes = _read_notes(source, headers)
    if not notes.threads:
        raise MalformedInput(
            f"`{source.name}` holds no thread: its notes are missing or cut"
            f" (it has {source.size} bytes, {MACHINES.get(header.machine, 'unknown machine')})",
            "supply the complete core; `coredumpctl info` tells whether the collector cut it (ProcessSizeMax)",
        )
    memory = Memory(source, (_segment(one) for one in headers if one.type == PT_LOAD))
    auxv = notes.auxv or {}
    modules = find_modules(notes.files, memory, auxv)
    if AT_SYSINFO_EHDR in auxv:
        modules = tuple(sorted((*modules, *vdso_module(memory, auxv[AT_SYSINFO_EHDR])), key=lambda one: one.start))
    truncation = _truncation(source, headers)
    if truncation is not None:
        gaps.append(_cut(source.name, truncation))
    if notes.signal is None:
        gaps.append(Absence("signal information", "the core has no NT_SIGINFO", "a core written by the kernel"))
    return CoreDump(
        source.name, header.machine, tuple(notes.threads), _fatal(notes), notes.process, auxv, notes.files,
        modules, memory, truncation, tuple(gaps),
    )  # fmt: skip


def _segment(header: ProgramHeader) -> Segment:
    flags = header.flags
    file_size = min(header.file_size, header.size)
    return Segment(header.address, header.size, header.offset, file_size, bool(flags & PF_X), bool(flags & PF_W))


def _gaps(source: RandomAccess, claimed: int, headers: tuple[ProgramHeader, ...]) -> list[Absence]:
    gaps = [source.damage] if source.damage is not None else []
    if len(headers) < claimed:
        gaps.append(Absence("segments of the core", f"{claimed - len(headers)} program headers are cut off"))
    return gaps


def _read_notes(source: RandomAccess, headers: tuple[ProgramHeader, ...]) -> _Notes:
    found, left = _Notes([]), MAX_NOTES
    for header in headers:
        if header.type == PT_NOTE and left > 0:
            _collect(found, source.read(header.offset, min(header.file_size, left)))
            left -= header.file_size
    return found


def _collect(found: _Notes, data: bytes) -> None:
    for note in iter_notes(data):
        if note.type == NT_PRSTATUS and note.owner == b"CORE":
            thread = parse_thread(note.descriptor)
            if thread:
                found.threads.append(thread)
        elif note.type == NT_SIGINFO and found.signal is None:
            found.signal = parse_siginfo(note.descriptor)
        elif note.type == NT_FILE and note.owner == b"CORE":
            found.files = parse_files(note.descriptor)
        elif note.type == NT_PRPSINFO and note.owner == b"CORE":
            found.process = parse_process(note.descriptor)
        elif note.type == NT_AUXV and note.owner == b"CORE":
            found.auxv = parse_auxv(note.descriptor)


def _fatal(notes: _Notes) -> SignalInfo | None:
    """The signal that killed the process.

    gcore writes pr_cursig 0 for a process that nothing killed, or the stop that
    gdb itself had caused (SIGSTOP, SIGTRAP); neither ends a process with a core.
    """
    current = notes.threads[0].signal
    if current in (0, 5, 19):
        return None
    if notes.signal is not None and notes.signal.number == current:
        return notes.signal
    return SignalInfo(current, 0, None, None) if notes.signal is None else notes.signal


def _cut(name: str, truncation: Truncation) -> Absence:
    return Absence(
        f"end of `{name}`",
        f"{truncation.missing_bytes} of {truncation.expected_bytes} bytes are missing: {truncation.lost}",
        "the complete core: raise `ProcessSizeMax` and `ExternalSizeMax` in coredump.conf, or `ulimit -c`,"
        f" to at least {truncation.expected_bytes >> 20} MiB, and see that the disk has room",
    )


def _truncation(source: RandomAccess, headers: tuple[ProgramHeader, ...]) -> Truncation | None:
    expected = max((one.offset + one.file_size for one in headers), default=0)
    if expected <= source.size:
        return None
    lost = [one for one in headers if one.type == PT_LOAD and one.offset + one.file_size > source.size]
    first = min((one.address for one in lost), default=0)
    where = f"{len(lost)} of {len(headers)} segments are incomplete, from address {first:#x} on" if lost else ""
    return Truncation(expected - source.size, expected, where)
