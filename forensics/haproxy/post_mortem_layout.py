"""Where the members of ``post_mortem`` lie (struct post_mortem, src/debug.c), with and without the build's layout.

Without it a handful of shapes are tried, and the content decides: the first component that HAProxy lists there is
itself, so a shape whose pointer to components leads to the name "haproxy" is the one. Two shapes have that pointer in
one place: of these the one is right whose arguments can be read, too.
"""

from __future__ import annotations

from collections.abc import Iterator

from forensics.absence import Absence
from forensics.haproxy.structs import Struct
from forensics.record import record

#: What feed_post_mortem writes at its head, since 3.1-dev11, and in later 3.0.
MAGIC = b"POST-MORTEM STARTS HERE+7654321\0"

#: struct utsname (sys/utsname.h on Linux): six texts of 65 characters.
UTSNAME = ("sysname", "nodename", "release", "version", "machine", "domainname")
UTSNAME_SIZE = 65

#: Texts behind it, and their sizes. ``distro`` came with 3.3, and with later 3.2.
TEXTS = (
    ("distro", 64), ("hw_vendor", 64), ("hw_family", 64), ("hw_model", 64), ("brd_vendor", 64), ("brd_model", 64),
    ("soc_vendor", 64), ("soc_model", 64), ("cpu_model", 64), ("virt_techno", 16), ("cont_techno", 16),
)  # fmt: skip

#: Members of ``process``. Limits are pairs of 64 bits (struct rlimit), capabilities two of three 32 bits.
_MEMBERS = (
    "pid", "boot_uid", "boot_gid", "run_uid", "run_gid", "caps.boot", "caps.err_boot", "caps.run", "caps.err_run",
    "boot_lim_fd", "boot_lim_ram", "run_lim_fd", "run_lim_ram", "limit_fd", "limit_ram", "argv", "argc",
)  # fmt: skip

#: Pointers to HAProxy's roots stand between ``libs`` and the components, since 3.1-dev11 and in later 3.0: by member.
ROOTS = (
    "tgroup_info", "thread_info", "tgroup_ctx", "thread_ctx", "pools", "proxies", "global", "fdtab", "activity",
)  # fmt: skip
#: MAX_THREADS of 2.9 and 3.0, whose structure had a table of threads; builds with another number are not known.
_THREADS = 256


@record
class Shape:
    """Offsets in bytes of the members that a build has, by name; ``how`` says how they are known."""

    offsets: dict[str, int]
    how: str

    def get(self, *names: str) -> int | Absence:
        """The offset of the first of the members that there is."""
        found = next((self.offsets[name] for name in names if name in self.offsets), None)
        return Absence(f"post_mortem.{names[0]}", "this build does not keep it") if found is None else found


def shape_of(found: Struct) -> Shape:
    """The build's own layout."""
    paths = {"utsname": "platform.utsname", **{name: f"platform.{name}" for name, _size in TEXTS}}
    paths |= {name: f"process.{name}" for name in _MEMBERS}
    paths |= {name: name for name in (*ROOTS, "nb_components", "components")}
    fields = {name: found.field(path) for name, path in paths.items()}
    known = {name: field.offset for name, field in fields.items() if not isinstance(field, Absence)}
    return Shape(known, found.layout.source or "the layout of this build")


def iter_shapes(magic: bool) -> Iterator[Shape]:
    """The shapes that releases have, those with a list of libraries first, as nearly all builds have it."""
    for libs in (True, False):
        for distro in (True, False):
            if magic:
                yield _shape(magic, distro, _process_since_3_1(caps=True), libs, ROOTS)
                yield _shape(magic, distro, _process_since_3_1(caps=False), libs, ROOTS)
                yield _shape(magic, distro, _process_of_3_0(), libs, ROOTS)
            else:
                yield _shape(magic, distro, _process_of_2_9(), libs, ())


def head(magic: bool) -> Shape:
    """What is in the same place in all releases."""
    return Shape({"utsname": len(MAGIC) if magic else 0}, "what all releases have at its head")


#: Members of ``process`` by offset, and its size in bytes.
_Process = tuple[dict[str, int], int]


def _process_since_3_1(*, caps: bool) -> _Process:
    found = {"pid": 0, "boot_uid": 4, "boot_gid": 8, "run_uid": 12, "run_gid": 16}
    if caps:
        found |= {"caps.boot": 20, "caps.err_boot": 44, "caps.run": 48, "caps.err_run": 72}
    limits = 80 if caps else 24
    names = ("boot_lim_fd", "boot_lim_ram", "run_lim_fd", "run_lim_ram")
    found |= {name: limits + 16 * index for index, name in enumerate(names)}
    return found | {"argv": limits + 64, "argc": limits + 72}, limits + 80


def _process_of_3_0() -> _Process:
    """Later 3.0 (read in 3.0.11): the magic, the arguments and the roots came, the rest stayed."""
    limits = {"pid": 0, "boot_uid": 4, "boot_gid": 8, "limit_fd": 16, "limit_ram": 32}
    return limits | {"argv": 48, "argc": 56}, 64


def _process_of_2_9() -> _Process:
    limits = {"pid": 0, "boot_uid": 4, "boot_gid": 8, "limit_fd": 16, "limit_ram": 32}
    return limits, 48 + 16 * _THREADS


def _shape(magic: bool, distro: bool, process: _Process, libs: bool, roots: tuple[str, ...]) -> Shape:
    offsets, at = {"utsname": len(MAGIC) if magic else 0}, (len(MAGIC) if magic else 0) + len(UTSNAME) * UTSNAME_SIZE
    for name, size in TEXTS:
        if name != "distro" or distro:
            offsets[name] = at
            at += size
    members, size = process
    at = at + 7 & ~7
    offsets |= {name: at + offset for name, offset in members.items()}
    at += size + 8 * libs
    offsets |= {name: at + 8 * index for index, name in enumerate(roots)}
    at += 8 * len(roots)
    return Shape(offsets | {"nb_components": at, "components": at + 8}, "its content: the components name HAProxy")
