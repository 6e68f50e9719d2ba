"""Reading a core dump: threads, signal, memory and modules, without reading the whole file."""

from __future__ import annotations

from forensics.absence import Absence
from forensics.elf.constants import (
    AT_SYSINFO_EHDR,
    ET_CORE,
    NT_ARM_PAC_MASK,
    NT_ARM_TLS,
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
from forensics.elf.header import LP64, Layout, ProgramHeader, read_header, read_segments
from forensics.elf.module import Module, find_modules, vdso_module
from forensics.elf.notes import (
    MappedFile,
    ProcessInfo,
    SignalInfo,
    ThreadStatus,
    iter_notes,
    parse_auxv,
    parse_code_mask,
    parse_files,
    parse_process,
    parse_siginfo,
    parse_thread,
)
from forensics.elf.truncation import Truncation, explain_truncation, find_truncation, stack_word
from forensics.errors import MalformedInput
from forensics.memory.process import Memory, Segment
from forensics.memory.random_access import RandomAccess
from forensics.record import field, open_record, record

#: Notes of a core with 1,024 threads take some 3 MB, the file table of a huge process as much again.
MAX_NOTES = 64 << 20

#: The subject of the gap of a core without threads.
NO_THREADS = "threads of the core"


@record
class CoreDump:
    """What a core says of its process.

    ``threads`` stand in the order of the file; Linux writes the thread that
    caused the dump first. ``signal`` is None when nothing killed the process
    (a core made by gcore). ``modules`` are sorted by address. A core that was
    cut before its notes has no thread, and ``gaps`` says so. ``code_mask`` are the bits
    of a code address that hold an authentication code (aarch64; 0: not told). ``thread_pointers`` are those
    of aarch64 by LWP; x86-64 has them in pr_reg.
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
    layout: Layout = LP64
    code_mask: int = 0
    thread_pointers: dict[int, int] = field(default_factory=dict)

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
    #: The kernel writes the thread that died before anything else (fs/binfmt_elf.c), gdb the process's
    #: NT_PRPSINFO (linux-tdep.c).
    by_kernel: bool = False
    signal: SignalInfo | None = None
    process: ProcessInfo | None = None
    auxv: dict[int, int] | None = None
    files: tuple[MappedFile, ...] = ()
    code_mask: int = 0
    thread_pointers: dict[int, int] = field(default_factory=dict)


def read_core(source: RandomAccess) -> CoreDump:
    """Read the core that ``source`` holds, of any machine.

    Raises MalformedInput when it is no core, or holds neither a thread nor a module.
    """
    header = read_header(source, any_layout=True)
    if header.type != ET_CORE:
        raise MalformedInput(
            f"`{source.name}` is an ELF file, but not a core", "give an executable with `--exe`, and the core beside it"
        )
    headers = read_segments(source, header)
    gaps = _gaps(source, header.segments, headers)
    notes = _read_notes(source, headers, header.layout)
    memory = _memory(source, headers, notes.files)
    auxv = notes.auxv or {}
    modules = _modules(notes, memory, auxv)
    if not notes.threads:
        gaps.append(_no_thread(source, header.machine, known=bool(modules)))
    signal = _fatal(notes)
    word = stack_word(header.machine)
    truncation = find_truncation(source, headers, notes.threads, modules, word, signal is not None)
    if truncation is not None:
        gaps.append(explain_truncation(source.name, truncation))
    if notes.signal is None:
        gaps.append(Absence("signal information", "the core has no NT_SIGINFO", "a core written by the kernel"))
    return CoreDump(
        source.name, header.machine, tuple(notes.threads), signal, notes.process, auxv, notes.files,
        modules, memory, truncation, tuple(gaps), header.layout, notes.code_mask, notes.thread_pointers,
    )  # fmt: skip


def _modules(notes: _Notes, memory: Memory, auxv: dict[int, int]) -> tuple[Module, ...]:
    modules = find_modules(notes.files, memory, auxv)
    if AT_SYSINFO_EHDR not in auxv:
        return modules
    return tuple(sorted((*modules, *vdso_module(memory, auxv[AT_SYSINFO_EHDR])), key=lambda one: one.start))


def _no_thread(source: RandomAccess, machine: int, *, known: bool) -> Absence:
    """The gap of a core without threads; MalformedInput when nothing else is ``known`` either."""
    from forensics.elf.constants import MACHINES

    remedy = "supply the complete core; `coredumpctl info` tells whether the collector cut it (ProcessSizeMax)"
    if known:
        return Absence(NO_THREADS, "it holds no thread: its notes are missing or cut", remedy)
    raise MalformedInput(
        f"`{source.name}` holds no thread: its notes are missing or cut"
        f" (it has {source.size} bytes, {MACHINES.get(machine, 'unknown machine')})",
        remedy,
    )


def _memory(source: RandomAccess, headers: tuple[ProgramHeader, ...], files: tuple[MappedFile, ...]) -> Memory:
    """The address space: what the program headers list, and mappings of files that only NT_FILE lists.

    gcore writes no PT_LOAD for what it does not dump, such as code (gcore_create_callback of gdb's gcore.c);
    the kernel writes an empty one.
    """
    segments = [_segment(one) for one in headers if one.type == PT_LOAD]
    memory = Memory(source, segments)
    unlisted = [
        Segment(one.start, one.end - one.start, 0, 0, executable=True, writable=False)
        for one in files
        if one.start < one.end and isinstance(memory.find(one.start), Absence)
    ]
    return Memory(source, segments + unlisted) if unlisted else memory


def _segment(header: ProgramHeader) -> Segment:
    flags = header.flags
    file_size = min(header.file_size, header.size)
    return Segment(header.address, header.size, header.offset, file_size, bool(flags & PF_X), bool(flags & PF_W))


def _gaps(source: RandomAccess, claimed: int, headers: tuple[ProgramHeader, ...]) -> list[Absence]:
    gaps = [source.damage] if source.damage is not None else []
    if len(headers) < claimed:
        gaps.append(Absence("segments of the core", f"{claimed - len(headers)} program headers are cut off"))
    return gaps


def _read_notes(source: RandomAccess, headers: tuple[ProgramHeader, ...], layout: Layout) -> _Notes:
    found, left = _Notes([]), MAX_NOTES
    for header in headers:
        if header.type == PT_NOTE and left > 0:
            _collect(found, source.read(header.offset, min(header.file_size, left)), layout)
            left -= header.file_size
    return found


def _collect(found: _Notes, data: bytes, layout: Layout) -> None:
    for note in iter_notes(data, layout):
        if note.type == NT_PRSTATUS and note.owner == b"CORE":
            thread = parse_thread(note.descriptor, layout)
            if thread:
                found.by_kernel = found.by_kernel or (not found.threads and found.process is None)
                found.threads.append(thread)
        elif note.type == NT_SIGINFO and found.signal is None:
            found.signal = parse_siginfo(note.descriptor, layout)
        elif note.type == NT_FILE and note.owner == b"CORE":
            found.files = parse_files(note.descriptor, layout)
        elif note.type == NT_PRPSINFO and note.owner == b"CORE":
            found.process = parse_process(note.descriptor, layout)
        elif note.type == NT_AUXV and note.owner == b"CORE":
            found.auxv = parse_auxv(note.descriptor, layout)
        elif note.type == NT_ARM_PAC_MASK and note.owner == b"LINUX" and not found.code_mask:
            found.code_mask = parse_code_mask(note.descriptor)
        elif note.type == NT_ARM_TLS and note.owner == b"LINUX" and found.threads:
            # A thread's notes follow its NT_PRSTATUS.
            found.thread_pointers[found.threads[-1].lwp] = int.from_bytes(note.descriptor[:8], "little")


def _fatal(notes: _Notes) -> SignalInfo | None:
    """The signal that killed the process.

    gcore writes pr_cursig 0 for a process that nothing killed, or the stop that
    gdb itself had caused (SIGSTOP, SIGTRAP). SIGSTOP ends no process, and SIGTRAP did where
    the kernel wrote the core.
    """
    if not notes.threads:
        return notes.signal
    current = notes.threads[0].signal
    if current in (0, 19) or (current == 5 and not notes.by_kernel):
        return None
    if notes.signal is not None and notes.signal.number == current:
        return notes.signal
    return SignalInfo(current, 0, None, None) if notes.signal is None else notes.signal
