"""Modules of a core without NT_FILE: qemu's, old tools', damaged ones."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forensics.elf.core import CoreDump, read_core
from forensics.memory.random_access import BytesInMemory
from tests.builders.bounds import within_seconds
from tests.builders.core import AT_SYSINFO_EHDR, Core, Load
from tests.builders.elf import PHDR, Image, ident, program_header

AT_PHDR, AT_PHENT, AT_PHNUM, AT_EXECFN = 3, 4, 5, 31
MAIN, LIBRARY, DATA, HEAP = 0x5500000000, 0x5502870000, 0x550001F000, 0x5600000000
DEBUG_AT, LINKS = DATA + 0x200, DATA + 0x300
PATH = b"/usr/sbin/haproxy\0"


def read(core: Core) -> CoreDump:
    """The core."""
    return read_core(BytesInMemory(core.build(), "core"))


def data_of(dynamic: bytes, next_link: int = LINKS + 40) -> bytes:
    """The executable's data: a dynamic section, struct r_debug, two link_maps and their names."""
    page = bytearray(0x1000)
    page[0x100 : 0x100 + len(dynamic)] = dynamic
    page[0x200:0x210] = struct.pack("<iiQ", 1, 0, LINKS)
    page[0x300:0x328] = struct.pack("<5Q", MAIN, DATA + 0x500, 0, next_link, 0)
    page[0x328:0x350] = struct.pack("<5Q", LIBRARY, DATA + 0x510, 0, 0, LINKS)
    page[0x510:0x520] = b"/lib/libc.so.6\0\0"
    page[0x600 : 0x600 + len(PATH)] = PATH
    return bytes(page)


DYNAMIC = struct.pack("<6Q", 1, 77, 21, DEBUG_AT, 0, 0)


def core_of(data: bytes, head: bytes = b"", **auxv: int) -> Core:
    """A core as qemu writes it: text and headers are missing, unless ``head`` is the first page."""
    vector = {AT_PHDR: MAIN + 0x40, AT_EXECFN: DATA + 0x600}
    return Core(
        loads=(
            Load(MAIN, head, size=0x1F000, flags=5), Load(DATA, data, size=0x2000),
            Load(LIBRARY, b"", size=0x187000, flags=5), Load(LIBRARY + 0x187000, b"d" * 64, size=0x2000),
            Load(LIBRARY + 0x189000, b"c" * 64, size=0x1000, flags=5), Load(HEAP, b"h" * 64),
        ),
        auxv=vector | {int(key[2:]): value for key, value in auxv.items()},
    )  # fmt: skip


def test_the_linkers_list_names_the_libraries() -> None:
    """DT_DEBUG is searched in the data; where code follows data, the image has ended."""
    found = read(core_of(data_of(DYNAMIC))).modules
    assert [(one.path, one.start, one.end, one.base, one.main) for one in found] == [
        ("/usr/sbin/haproxy", MAIN, DATA + 0x2000, MAIN, True),
        ("/lib/libc.so.6", LIBRARY, LIBRARY + 0x189000, LIBRARY, False),
    ]


def test_the_program_headers_lead_to_the_linkers_list_where_the_core_holds_them() -> None:
    """PT_PHDR gives the bias, PT_DYNAMIC the rest."""
    headers = program_header(6, 0x40, 0x40, 112) + program_header(2, 0, DATA - MAIN + 0x100, 48)
    head = bytes(0x40) + headers
    core = core_of(data_of(DYNAMIC), head, at4=PHDR.size, at5=2)
    assert [one.path for one in read(core).modules] == ["/usr/sbin/haproxy", "/lib/libc.so.6"]


def test_a_list_that_leads_to_itself_ends() -> None:
    """l_next of the first link is the link itself."""
    with within_seconds(5):
        assert [one.path for one in read(core_of(data_of(DYNAMIC, LINKS))).modules] == ["/usr/sbin/haproxy"]


def test_without_a_list_the_executable_is_known_by_its_program_headers() -> None:
    """A static executable; below 4 GiB it has a fixed address, and its bias is 0."""
    core = Core(loads=(Load(0x400000, b"", size=0x1000, flags=5),), auxv={AT_PHDR: 0x400040})
    (one,) = read(core).modules
    assert (one.start, one.base, one.main) == (0x400000, 0, True)


def test_images_are_found_by_their_magic() -> None:
    """First pages that the kernel dumped; the one with a dynamic linker is the program."""
    library, program = Image(build_id=b"l" * 20).build(), bytearray(Image(build_id=b"p" * 20).build())
    struct.pack_into("<I", program, 64 + 2 * PHDR.size, 3)  # PT_INTERP
    core = Core(loads=(Load(0x7F0000000000, library, flags=5), Load(0x550000000000, bytes(program), flags=5)))
    assert [(one.start, one.main, one.build_id) for one in read(core).modules] == [
        (0x550000000000, True, b"p".hex() * 20), (0x7F0000000000, False, b"l".hex() * 20),
    ]  # fmt: skip


def test_the_vdso_is_not_taken_twice() -> None:
    """It has a magic, too."""
    core = Core(loads=(Load(0x7FFF0000, Image().build(), flags=5),), auxv={AT_SYSINFO_EHDR: 0x7FFF0000})
    assert [one.path for one in read(core).modules] == ["linux-vdso"]


def test_a_core_without_threads_is_a_core_if_it_holds_an_image() -> None:
    """Its notes were lost; the build can still be told."""
    dump = read(Core(threads=(), siginfo=None, loads=(Load(0x550000000000, Image().build(), flags=5),)))
    assert dump.threads == ()
    assert dump.modules[0].build_id == bytes(range(20)).hex()
    assert dump.gaps[0].subject == "threads of the core"


@pytest.mark.parametrize("count", [1, 60_000])
def test_many_segments_without_file_table_are_bounded(count: int) -> None:
    """Each could begin with an ELF header."""
    loads = tuple(Load(0x10000 + number * 0x1000, ident(), size=0x1000) for number in range(count))
    with within_seconds(10):
        read(Core(loads=loads))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0x100, 0x360), st.integers(0, 255)), max_size=10),
    st.sampled_from([MAIN + 0x40, 0, 1, (1 << 64) - 1, DATA, LIBRARY + 8]),
    st.sampled_from([0, 56, 1 << 63]), st.sampled_from([0, 3, 1 << 63]),
)  # fmt: skip
def test_lying_lists_end_in_modules(edits: list[tuple[int, int]], headers: int, size: int, count: int) -> None:
    """Whatever the memory says."""
    data = bytearray(data_of(DYNAMIC))
    for place, value in edits:
        data[place] = value
    core = core_of(bytes(data), at3=headers, at4=size, at5=count)
    with within_seconds(5):
        for one in read(core).modules:
            assert one.end > one.start
