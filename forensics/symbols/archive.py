"""The files that HAProxy itself keeps in memory, hence in its core.

``set-dumpable libs`` (HAProxy 3.4) makes it read the executable and every library into one
tar archive when it starts (``load_libs`` in src/tools.c); its own ``dev/gdb/libs-from-core``
finds that by the magic of ustar. Headers: POSIX.1-2017, pax, "ustar Interchange Format".
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from forensics.absence import Absence
from forensics.elf.image import ElfImage
from forensics.errors import InputError
from forensics.memory.process import Memory, Segment
from forensics.memory.window import MemoryWindow
from forensics.record import record

#: Bytes of a header, and the unit that members are padded to.
BLOCK = 512

_MAGIC_AT, _MAGIC = 257, b"ustar"

#: An executable with its libraries takes megabytes; a smaller segment is not looked at.
_SMALLEST = 1 << 16

#: Segments whose beginning is looked at.
_MOST_SEGMENTS = 4096

#: Bytes searched within segments, and how many at a time.
_MOST_SEARCHED, _STRIDE = 1 << 26, 1 << 20

_PAGE = 4096

#: Bytes of one member. HAProxy with DWARF has some 16 MB.
_MAX_MEMBER = 1 << 29

#: A process with modules for every language maps some hundred libraries.
_MOST_MEMBERS = 4096


@record
class Member:
    """One file of an archive: ``path`` as on the host, ``address`` and ``size`` of its content in memory.

    ``whole`` is false when the core ends before it does.
    """

    path: str
    address: int
    size: int
    whole: bool


class Archive:
    """The members of an archive in memory."""

    def __init__(self, memory: Memory, members: tuple[Member, ...]) -> None:
        self.members = members
        self._memory = memory
        self._opened: dict[Member, MemoryWindow] = {}

    def candidates(self, path: str, build_id: str) -> tuple[Member, ...]:
        """The members that may be the file at ``path``, best first: same path, same name, else same build-id.

        The loader's path of a library, which the archive has, goes through links; the kernel's does not.
        """
        name = path.rsplit("/", 1)[-1]
        named = [one for one in self.members if one.path.rsplit("/", 1)[-1] == name]
        if not named and build_id in self._build_ids:
            named = [self._build_ids[build_id]]
        return tuple(sorted(named, key=lambda one: one.path != path))

    @cached_property
    def _build_ids(self) -> dict[str, Member]:
        """The members by build-id, for files that were loaded by another name."""
        found: dict[str, Member] = {}
        for member in self.members:
            try:
                build_id = ElfImage(self.open(member)).build_id
            except InputError:
                continue
            if isinstance(build_id, str):
                found.setdefault(build_id, member)
        return found

    def open(self, member: Member) -> MemoryWindow:
        """The content of ``member``, read from memory as it is asked for."""
        window = self._opened.get(member)
        if window is None:
            name = f"{member.path} in the core"
            window = self._opened[member] = MemoryWindow(self._memory, member.address, member.size, name)
        return window


def find_archive(memory: Memory) -> Archive | Absence:
    """The archive of the executable and its libraries, if the process kept one."""
    for segment, address in _starts(memory):
        members = tuple(_members(memory, segment, address))
        if members:
            return Archive(memory, members)
    return Absence("archive of libraries", "the core holds none", "`set-dumpable libs` in haproxy.cfg (HAProxy 3.4)")


def _starts(memory: Memory) -> Iterator[tuple[Segment, int]]:
    """Where an archive may begin: at the beginning of a mapping, else at a page of one that was merged."""
    likely = [one for one in memory.segments if one.file_size >= _SMALLEST and not one.executable]
    for segment in likely[:_MOST_SEGMENTS]:
        if _is_header(memory.read(segment.address, BLOCK, alone=True)):
            yield segment, segment.address
    # The archive is read-only, and hardly any other memory of its own is: mostly there is nothing to search.
    left = _MOST_SEARCHED
    for segment in likely[:_MOST_SEGMENTS]:
        if not segment.writable and left > 0 and not _is_image(memory, segment):
            yield from _pages(memory, segment, left)
            left -= segment.file_size


def _is_image(memory: Memory, segment: Segment) -> bool:
    return memory.read(segment.address, 4, alone=True) == b"\x7fELF"


def _pages(memory: Memory, segment: Segment, limit: int) -> Iterator[tuple[Segment, int]]:
    for begin in range(0, min(segment.file_size, limit), _STRIDE):
        data = memory.read(segment.address + begin, min(_STRIDE, segment.file_size - begin))
        if isinstance(data, Absence):
            return
        for page in range(0, len(data) - BLOCK + 1, _PAGE):
            if _is_header(data[page : page + BLOCK]):
                yield segment, segment.address + begin + page


def _is_header(block: bytes | Absence) -> bool:
    """Whether ``block`` is a header whose checksum is right: the sum of its bytes, its own field as spaces."""
    if isinstance(block, Absence) or block[_MAGIC_AT : _MAGIC_AT + 5] != _MAGIC:
        return False
    return _number(block[148:156]) == sum(block) - sum(block[148:156]) + 8 * 0x20


def _number(field: bytes) -> int:
    """A number of a header: octal digits up to a NUL or space, or binary for sizes beyond 8 GiB; -1 for neither."""
    if field[0] & 0x80:
        return int.from_bytes(field[1:], "big")
    try:
        # HAProxy leaves digits of an earlier value behind the NUL.
        return int(field.lstrip(b" ").split(b"\0", 1)[0].rstrip(b" ") or b"0", 8)
    except ValueError:
        return -1


def _members(memory: Memory, segment: Segment, address: int) -> Iterator[Member]:
    """The regular files of the archive at ``address``; each header lies after the content before it."""
    for _count in range(_MOST_MEMBERS):
        block = memory.read(address, BLOCK)
        if isinstance(block, Absence) or not _is_header(block):
            return
        size = _number(block[124:136])
        if size < 0 or address + BLOCK + size > segment.end:
            return
        content = address + BLOCK
        path = _path(block)
        if 0 < size <= _MAX_MEMBER and path and block[156:157] in (b"0", b"\0"):
            dumped = memory.read(content + size - 1, 1)
            yield Member(path, content, size, isinstance(dumped, bytes))
        address = content + (size + BLOCK - 1) // BLOCK * BLOCK


def _path(block: bytes) -> str:
    """The path of a member on the host. HAProxy puts all of them into one directory, ``core-<pid>``."""
    name, prefix = (part.split(b"\0", 1)[0] for part in (block[:100], block[345:500]))
    whole = (prefix + b"/" + name if prefix else name).decode("utf-8", "replace")
    folder, _slash, rest = whole.partition("/")
    return f"/{rest if folder.startswith('core-') else whole}" if rest else ""
