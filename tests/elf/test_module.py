"""Modules of a process: which files were mapped, where, and which builds they are."""

from __future__ import annotations

from forensics.absence import Absence
from forensics.elf.core import read_core
from forensics.elf.module import Module
from forensics.memory.random_access import BytesInMemory
from tests.builders.core import AT_ENTRY, Core, File, Load
from tests.builders.elf import PT_LOAD, Image, program_header


def modules(core: Core) -> tuple[Module, ...]:
    """The modules of ``core``."""
    return read_core(BytesInMemory(core.build(), "core")).modules


def mapped(path: str, start: int = 0x400000, image: bytes | None = None) -> Core:
    """A core in which ``path`` is mapped at ``start``, first page dumped."""
    data = Image().build() if image is None else image
    return Core(loads=(Load(start, data, flags=5),), files=(File(start, start + 0x2000, path),))


def test_a_mapped_image_is_a_module_with_its_build_id() -> None:
    """From the first page, which the kernel dumps."""
    (one,) = modules(mapped("/usr/sbin/haproxy"))
    assert (one.path, one.name, one.start, one.end) == ("/usr/sbin/haproxy", "haproxy", 0x400000, 0x402000)
    assert one.build_id == bytes(range(20)).hex()
    assert not one.deleted


def test_the_load_bias_is_the_start_minus_the_address_in_the_image() -> None:
    """A PIE has bias = start, an executable of fixed address has bias 0."""
    assert modules(mapped("/a"))[0].base == 0x400000
    image = bytearray(Image().build())
    image[64 : 64 + 56] = program_header(PT_LOAD, 0, 0x400000, 0x1100)
    assert modules(mapped("/a", 0x400000, bytes(image)))[0].base == 0


def test_an_upgrade_leaves_a_deleted_module() -> None:
    """The kernel marks the path; the plain path is kept, the mark too."""
    (one,) = modules(mapped("/usr/sbin/haproxy (deleted)"))
    assert (one.path, one.deleted) == ("/usr/sbin/haproxy", True)


def test_a_module_without_build_id_says_so() -> None:
    """Linked with --build-id=none."""
    (one,) = modules(mapped("/a", image=Image(build_id=b"").build()))
    assert isinstance(one.build_id, Absence)
    assert "has none" in one.build_id.reason


def test_a_first_page_that_was_not_dumped_leaves_the_build_id_unknown() -> None:
    """coredump_filter without bit 4; the remedy names it."""
    core = Core(
        loads=(Load(0x400000, b"", size=0x2000),),
        files=(File(0x400000, 0x402000, "/usr/lib/libc.so.6"),),
    )
    (one,) = modules(core)
    assert isinstance(one.build_id, Absence)
    assert "coredump_filter" in one.build_id.remedy
    assert one.base == 0x400000


def test_the_executable_is_the_module_that_holds_the_entry_point() -> None:
    """Not the first in the table."""
    image = Image().build()
    core = Core(
        loads=(Load(0x400000, image), Load(0x600000, image)),
        files=(File(0x400000, 0x402000, "/lib/libx.so"), File(0x600000, 0x602000, "/usr/sbin/haproxy")),
        auxv={AT_ENTRY: 0x601000},
    )
    assert [(one.name, one.main) for one in modules(core)] == [("libx.so", False), ("haproxy", True)]


def test_without_auxv_the_first_module_is_the_executable() -> None:
    """Somebody has to be."""
    assert modules(mapped("/usr/sbin/haproxy"))[0].main


def test_mapped_data_files_are_no_modules() -> None:
    """Locale archives, caches, shared memory."""
    core = Core(
        loads=(Load(0x400000, Image().build()), Load(0x700000, b"data" * 100)),
        files=(File(0x400000, 0x402000, "/usr/sbin/haproxy"), File(0x700000, 0x701000, "/usr/lib/locale/C.utf8")),
    )
    assert [one.name for one in modules(core)] == ["haproxy"]


def test_several_mappings_of_one_file_are_one_module() -> None:
    """Text, read-only data, data."""
    core = Core(
        loads=(Load(0x400000, Image().build()),),
        files=tuple(File(0x400000 + at, 0x401000 + at, "/bin/a", at) for at in (0, 0x1000, 0x3000)),
    )
    (one,) = modules(core)
    assert (one.start, one.end) == (0x400000, 0x404000)


def test_modules_are_sorted_by_address() -> None:
    """Whatever the order of the table."""
    image = Image().build()
    core = Core(
        loads=(Load(0x600000, image), Load(0x400000, image)),
        files=(File(0x600000, 0x602000, "/b.so"), File(0x400000, 0x402000, "/a.so")),
    )
    assert [one.name for one in modules(core)] == ["a.so", "b.so"]


def test_a_path_that_is_no_text_is_still_a_path() -> None:
    """File names are bytes."""
    data = mapped("/bin/aXb").build().replace(b"aXb", b"a\xffb")
    assert read_core(BytesInMemory(data)).modules[0].path == "/bin/a\ufffdb"


def test_an_end_before_the_start_is_harmless() -> None:
    """A table that lies."""
    core = Core(loads=(Load(0x400000, Image().build()),), files=(File(0x400000, 0x1000, "/a.so"),))
    assert modules(core)[0].end == 0x1000
