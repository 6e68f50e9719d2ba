"""What HAProxy 2.9 and later put aside for the day it dies: the variable ``post_mortem`` (src/debug.c)."""

from __future__ import annotations

from collections.abc import Iterator

from forensics.absence import Absence
from forensics.elf.module import Module
from forensics.haproxy.post_mortem_layout import (
    MAGIC,
    ROOTS,
    TEXTS,
    UTSNAME,
    UTSNAME_SIZE,
    Shape,
    head,
    iter_shapes,
    shape_of,
)
from forensics.haproxy.structs import Struct, TypedMemory
from forensics.memory.process import Segment
from forensics.record import record

#: It begins at such a multiple, in bytes.
_ALIGNED = 256
#: How much is searched for it, in bytes: the executable's own data, then other memory that can be written, by address.
#: Executables have some MB of data; in a huge core what lies further away is left alone.
SEARCHED = 256 << 20
_CHUNK = 1 << 20
#: Bytes that are read of it: those of 2.9, with a table of 256 threads, have 5 KB.
_SIZE = 8192
_LONGEST_ARGUMENT = 4096
_MOST_COMPONENTS = 64
#: struct post_mortem_component: name[32], version[32], toolchain, toolchain_opts, build_settings, path.
_COMPONENT = 96


@record
class Component:
    """A part that HAProxy is made of: the first is itself. Texts are "" where nothing was put."""

    name: str
    version: str
    toolchain: str
    toolchain_options: str
    build_settings: str
    path: str


@record
class PostMortem:
    """What was put aside, by the names of the structure's members; what a build does not keep is not there.

    ``platform`` has texts, ``process`` numbers (pid, uids, gids), ``limits`` pairs of soft and hard limits,
    ``capabilities`` the effective, permitted and inheritable set, or the errno that asking for them gave; ``roots``
    addresses of HAProxy's own variables, by the member that leads there. ``how`` says how the places of the
    members are known.
    """

    address: int
    how: str
    platform: dict[str, str]
    process: dict[str, int]
    limits: dict[str, tuple[int, int]]
    capabilities: dict[str, tuple[int, int, int] | int]
    arguments: tuple[str, ...]
    roots: dict[str, int]
    components: tuple[Component, ...]


def read_post_mortem(space: TypedMemory) -> PostMortem | Absence:
    """What was put aside; an Absence in releases before 2.9, and in a process that died while it started."""
    address = find_post_mortem(space)
    if isinstance(address, Absence):
        return address
    data = _read(space, address)
    if isinstance(data, Absence):
        return Absence("post_mortem", data.reason, data.remedy)
    if not data[: len(MAGIC)].strip(b"\0"):
        return Absence("post_mortem", "it is still empty: HAProxy fills it when the configuration was read")
    reader = _Reader(space, data, _shape(space, address, data))
    return PostMortem(
        address, reader.shape.how, reader.platform(), reader.process(), reader.limits(), reader.capabilities(),
        reader.arguments(), reader.roots(), reader.components(),
    )  # fmt: skip


def find_post_mortem(space: TypedMemory) -> int | Absence:
    """Its address: by the symbol (2.9 and later), else by its magic (3.1 and later)."""
    address = space.variable("post_mortem")
    return address if isinstance(address, int) else _search(space)


def read_roots(space: TypedMemory) -> dict[str, int] | Absence:
    """Where HAProxy's variables lie, by the member that leads there, as the executable's own data tells.

    No layout of the build is asked for: this is for builds whose files say nothing, and layouts that are kept for
    their release are themselves checked by these variables.
    """
    address = space.variable("post_mortem")
    if isinstance(address, Absence):
        address = _search(space, own=True)
    data = address if isinstance(address, Absence) else _read(space, address)
    return data if isinstance(data, Absence) else _Reader(space, data, _shape_by_content(space, data)).roots()


def _search(space: TypedMemory, *, own: bool = False) -> int | Absence:
    left = SEARCHED
    for segment in _segments(space, own=own):
        size = min(segment.file_size, left)
        left -= size
        for start in range(0, size, _CHUNK):
            # The chunk begins at a page: what is searched begins at a multiple of 256 within it.
            data = space.memory.read(segment.address + start, min(_CHUNK, size - start), alone=True)
            place = data.find(MAGIC) if isinstance(data, bytes) else -1
            while isinstance(data, bytes) and place >= 0:
                if (segment.address + start + place) % _ALIGNED == 0:
                    return segment.address + start + place
                place = data.find(MAGIC, place + 1)
        if left <= 0:
            break
    missing = "no symbol leads to it, and its magic is not in the memory that was searched"
    return Absence("post_mortem", f"{missing} (HAProxy 2.9 and later have it, with a magic since 3.1)", "`--exe`")


def _segments(space: TypedMemory, *, own: bool) -> Iterator[Segment]:
    """What can be written: the ``own`` of the executable, then, unless only that is asked for, all else by address."""
    module, others = space.module, []
    for segment in space.memory.segments:
        if segment.writable and segment.file_size:
            if isinstance(module, Module) and module.start <= segment.address < module.end:
                yield segment
            else:
                others.append(segment)
    if not own:
        yield from others


def _read(space: TypedMemory, address: int) -> bytes | Absence:
    """As many bytes as there are, up to ``_SIZE``."""
    segment = space.memory.find(address)
    if isinstance(segment, Absence):
        return segment
    there = segment.address + segment.file_size - address
    return space.memory.read(address, max(min(_SIZE, there), 1))


def _shape(space: TypedMemory, address: int, data: bytes) -> Shape:
    found = space.at("post_mortem", address)
    known = shape_of(found) if isinstance(found, Struct) else None
    # A layout that is kept for a release may know only some members.
    if known is not None and {"utsname", "pid", "components"} <= known.offsets.keys():
        return known
    return _shape_by_content(space, data)


def _shape_by_content(space: TypedMemory, data: bytes) -> Shape:
    magic = data.startswith(MAGIC)
    readers = [_Reader(space, data, shape) for shape in iter_shapes(magic)]
    proven = [reader for reader in readers if reader.names_haproxy()]
    both = [reader for reader in proven if reader.arguments()]
    return next((reader.shape for reader in (*both, *proven)), head(magic))


class _Reader:
    """The bytes of post_mortem, with the places of its members."""

    def __init__(self, space: TypedMemory, data: bytes, shape: Shape) -> None:
        self.space = space
        self.data = data
        self.shape = shape

    def number(self, name: str, size: int, *, at: int = 0) -> int | Absence:
        """The unsigned number ``at`` bytes behind the begin of a member."""
        offset = self.shape.get(name)
        if isinstance(offset, Absence):
            return offset
        data = self.data[offset + at : offset + at + size]
        return int.from_bytes(data, "little") if len(data) == size else Absence(f"post_mortem.{name}", "it was cut")

    def platform(self) -> dict[str, str]:
        """The texts about the machine that are not empty."""
        start = self.shape.offsets["utsname"]
        places = [(name, start + UTSNAME_SIZE * index, UTSNAME_SIZE) for index, name in enumerate(UTSNAME)]
        places += [(name, self.shape.offsets[name], size) for name, size in TEXTS if name in self.shape.offsets]
        texts = {name: _text(self.data[at : at + size]) for name, at, size in places}
        return {name: text for name, text in texts.items() if text}

    def process(self) -> dict[str, int]:
        """The pid, and the users and groups that the process was started as and ran as (signed, as HAProxy prints)."""
        found = {name: self.number(name, 4) for name in ("pid", "boot_uid", "boot_gid", "run_uid", "run_gid")}
        return {name: value - (value >> 31 << 32) for name, value in found.items() if isinstance(value, int)}

    def limits(self) -> dict[str, tuple[int, int]]:
        """Soft and hard limits of descriptors and memory, at boot and as it ran."""
        found = {}
        for name in ("boot_lim_fd", "boot_lim_ram", "run_lim_fd", "run_lim_ram", "limit_fd", "limit_ram"):
            soft, hard = self.number(name, 8), self.number(name, 8, at=8)
            if isinstance(soft, int) and isinstance(hard, int):
                found[name] = soft, hard
        return found

    def capabilities(self) -> dict[str, tuple[int, int, int] | int]:
        """The sets ``boot`` and ``run``: the low halves of all three come first, then the high ones."""
        found: dict[str, tuple[int, int, int] | int] = {}
        for name in ("boot", "run"):
            error = self.number(f"caps.err_{name}", 4)
            words = [self.number(f"caps.{name}", 4, at=4 * index) for index in range(6)]
            known = [one for one in words if isinstance(one, int)]
            if isinstance(error, int) and len(known) == len(words):
                low, high = known[:3], known[3:]
                found[name] = error or (low[0] | high[0] << 32, low[1] | high[1] << 32, low[2] | high[2] << 32)
        return found

    def arguments(self) -> tuple[str, ...]:
        """The command line; it ends where the core no longer holds it. Of more than 255 arguments some are lost."""
        pointer, count = self.number("argv", 8), self.number("argc", 1)
        if isinstance(pointer, Absence) or isinstance(count, Absence):
            return ()
        found = []
        for index in range(count):
            at = self.space.memory.word(pointer + 8 * index)
            text = at if isinstance(at, Absence) else self.space.text(at, _LONGEST_ARGUMENT)
            if isinstance(text, Absence):
                break
            found.append(text)
        return tuple(found)

    def roots(self) -> dict[str, int]:
        """Where HAProxy's variables lie: ``ha_thread_ctx``, ``global`` and so on (a pointer to it of ``fdtab``)."""
        found = {name: self.number(name, 8) for name in ROOTS}
        return {name: value for name, value in found.items() if isinstance(value, int) and value}

    def names_haproxy(self) -> bool:
        """Whether the first component is HAProxy itself."""
        return any(one.name == "haproxy" for one in self.components()[:1])

    def components(self) -> tuple[Component, ...]:
        """The parts that HAProxy listed."""
        count, start = self.number("nb_components", 4), self.number("components", 8)
        if isinstance(count, Absence) or isinstance(start, Absence) or not 0 < count <= _MOST_COMPONENTS:
            return ()
        data = self.space.memory.read(start, count * _COMPONENT)
        if isinstance(data, Absence):
            return ()
        return tuple(self._component(data[at : at + _COMPONENT]) for at in range(0, len(data), _COMPONENT))

    def _component(self, data: bytes) -> Component:
        pointers = [int.from_bytes(data[at : at + 8], "little") for at in range(64, _COMPONENT, 8)]
        texts = [self.space.text(pointer, _LONGEST_ARGUMENT) if pointer else "" for pointer in pointers]
        known = [text if isinstance(text, str) else "" for text in texts]
        return Component(_text(data[:32]), _text(data[32:64]), *known)


def _text(data: bytes) -> str:
    return data.split(b"\0", 1)[0].decode("utf-8", "replace")
