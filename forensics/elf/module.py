"""Modules of a process: the executable and libraries that were mapped, and their build-ids."""

from __future__ import annotations

from collections.abc import Iterable

from forensics.absence import Absence
from forensics.elf.constants import AT_ENTRY, AT_PHDR, MAGIC, PT_INTERP, PT_LOAD, PT_NOTE
from forensics.elf.header import ProgramHeader, read_header, read_segments
from forensics.elf.notes import MappedFile, build_id_of
from forensics.errors import InputError
from forensics.memory.process import Memory
from forensics.record import record

#: Name of the page of code that the kernel maps into every process.
VDSO = "linux-vdso"

#: The kernel marks the path of a mapped file that was unlinked, as package upgrades do.
DELETED = " (deleted)"

#: Below this, only executables that were linked for a fixed address lie.
FIXED_BELOW = 1 << 32

#: Program headers of an image: some 15. More are a lie, which a core could repeat for thousands of files.
_MOST_SEGMENTS = 256


@record
class Module:
    """One mapped ELF image.

    ``start`` and ``end`` bound its mappings; ``base`` is the load bias, such that
    virtual address = ``base`` + address in the image. ``build_id`` is hexadecimal.
    ``deleted`` says that the file was unlinked while it was mapped.
    """

    path: str
    start: int
    end: int
    base: int
    build_id: str | Absence
    main: bool
    deleted: bool

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rsplit("/", 1)[-1]


def find_modules(files: tuple[MappedFile, ...], memory: Memory, auxv: dict[int, int]) -> tuple[Module, ...]:
    """The ELF images among the mapped files, sorted by address; without such a table, those found in memory."""
    if not files:
        return _unlisted_modules(memory, auxv)
    inside_main = auxv.get(AT_PHDR) or auxv.get(AT_ENTRY) or 0
    modules = []
    for path, mappings in _by_path(files):
        module = _module(path, mappings, memory, inside_main)
        if module is not None:
            modules.append(module)
    if modules and not any(one.main for one in modules):
        modules[0] = _as_main(modules[0])
    return tuple(sorted(modules, key=lambda one: one.start))


def _unlisted_modules(memory: Memory, auxv: dict[int, int]) -> tuple[Module, ...]:
    """The images that a core without NT_FILE betrays."""
    from forensics.elf.unlisted import find_unlisted

    modules = []
    for one in find_unlisted(memory, auxv):
        path = one.path or f"unnamed-{one.start:x}"
        base, build_id = _identity(path, MappedFile(one.start, one.end, 0, path), memory)
        modules.append(Module(path, one.start, one.end, base, build_id, one.main, False))
    if modules and not any(one.main for one in modules):
        modules = [_as_main(one) if _has_interpreter(one, memory) else one for one in modules]
    return tuple(modules)


def _has_interpreter(module: Module, memory: Memory) -> bool:
    """Whether it is a program: libraries name no dynamic linker (but libc, which some can run)."""
    return not module.name.startswith("libc") and any(
        one.type == PT_INTERP for one in mapped_segments(memory, module.start)
    )


def _as_main(module: Module) -> Module:
    return Module(module.path, module.start, module.end, module.base, module.build_id, True, module.deleted)


def _by_path(files: Iterable[MappedFile]) -> Iterable[tuple[str, list[MappedFile]]]:
    """Group mappings by path, a new group wherever a mapping of offset 0 begins one again."""
    groups: dict[str, list[MappedFile]] = {}
    for mapping in files:
        groups.setdefault(mapping.path, []).append(mapping)
    return groups.items()


def _module(path: str, mappings: list[MappedFile], memory: Memory, inside_main: int) -> Module | None:
    first = min(mappings, key=lambda one: one.start)
    end = max(one.end for one in mappings)
    main = any(one.start <= inside_main < one.end for one in mappings)
    head = memory.read(first.start, 64)
    is_elf = isinstance(head, bytes) and head.startswith(MAGIC)
    if not (is_elf or main or ".so" in path or len(mappings) >= 3):
        return None
    base, build_id = _identity(path, first, memory)
    plain = path.removesuffix(DELETED)
    return Module(plain, first.start, end, base, build_id, main, plain != path)


def _identity(path: str, first: MappedFile, memory: Memory) -> tuple[int, str | Absence]:
    """Load bias and build-id, from the image's first page in the core.

    The kernel dumps that page when bit 4 of coredump_filter is set, as it is by
    default (Documentation/filesystems/proc.rst).
    """
    window = Window(memory, first.start, path)
    unknown = Absence(
        f"build-id of {path}",
        "the core does not hold the first page of the image",
        "a core written with bit 4 of `coredump_filter` set, as is the default (0x33)",
    )
    try:
        header = read_header(window, any_layout=True)
        headers = read_segments(window, header) if header.segments <= _MOST_SEGMENTS else ()
    except InputError:
        return _unread_bias(first), unknown
    loads = [one for one in headers if one.type == PT_LOAD]
    bias = first.start - (loads[0].address - loads[0].offset) if loads else first.start
    for one in headers:
        if one.type == PT_NOTE and one.file_size <= 1 << 16:
            found = build_id_of(window.read(one.offset, one.file_size), header.layout)
            if found:
                return bias, found
    return bias, Absence(f"build-id of {path}", "the image has none, or its notes are not in the core")


def _unread_bias(first: MappedFile) -> int:
    """The load bias of an image whose headers are not in the core.

    Position-independent images are linked for address 0 and lie high; below 4 GiB only
    executables of a fixed address are mapped (on 64-bit machines, the only ones where this counts).
    """
    fixed = first.start < FIXED_BELOW and ".so" not in first.path
    return 0 if fixed else first.start - first.offset


def mapped_segments(memory: Memory, start: int) -> tuple[ProgramHeader, ...]:
    """The program headers of the image at ``start``, as the core holds them; none when it does not."""
    window = Window(memory, start, "")
    try:
        header = read_header(window, any_layout=True)
        return read_segments(window, header) if header.segments <= _MOST_SEGMENTS else ()
    except InputError:
        return ()


class Window:
    """Memory from one address on, as random-access bytes: a mapped image's first pages."""

    def __init__(self, memory: Memory, start: int, name: str) -> None:
        self.name = name
        self.size = 1 << 20
        self.damage: Absence | None = None
        self._memory = memory
        self._start = start

    def read(self, offset: int, size: int) -> bytes:
        """The bytes when all of them are in the core, else none."""
        data = self._memory.read(self._start + offset, size)
        return data if isinstance(data, bytes) else b""

    def close(self) -> None:
        """Nothing was lent."""


def vdso_module(memory: Memory, start: int) -> tuple[Module, ...]:
    """The vdso, whose whole image the kernel dumps with the process, or nothing."""
    segment = memory.find(start)
    if isinstance(segment, Absence) or segment.size > 1 << 20:
        return ()
    base, build_id = _identity(VDSO, MappedFile(start, segment.end, 0, VDSO), memory)
    return (Module(VDSO, segment.address, segment.end, base, build_id, False, False),)
