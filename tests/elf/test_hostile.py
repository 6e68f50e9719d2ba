"""A real core, damaged at random: an error of ours or a core with gaps, within bounds of time."""

from __future__ import annotations

from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forensics.elf.core import read_core
from forensics.elf.image import ElfImage
from forensics.errors import ForensicsError, InputError
from forensics.memory.random_access import BytesInMemory
from tests.builders.bounds import within_seconds
from tests.builders.core import AT_SYSINFO_EHDR, Core, File, Load, Thread
from tests.builders.elf import Fde, Function, Image

SAMPLE = Path(__file__).parents[2] / "samples" / "foreign" / "core.zst"

hostile = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

#: Most of what is parsed stands in the first 8 KiB: headers and notes.
places = st.one_of(st.integers(0, 64), st.integers(0, 8192), st.integers(0, 9_000_000))
#: Values that lengths and offsets lie with.
lies = st.sampled_from([0, 1, 0x7F, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 40, 1 << 63, (1 << 64) - 1])


@pytest.fixture(scope="module")
def real_core() -> bytes:
    """The smallest of the samples."""
    with SAMPLE.open("rb") as file:
        return zstandard.ZstdDecompressor().stream_reader(file).read()


def examine(data: bytes) -> None:
    """Read all that this floor reads."""
    with within_seconds(2):
        try:
            core = read_core(BytesInMemory(data, "core"))
        except InputError:
            return
        for module in core.modules:
            core.memory.read(module.start, 4096)
        _everything = core.main_module, core.truncation, core.signal and core.signal.code_name


@hostile
@given(flips=st.lists(st.tuples(places, st.integers(1, 255)), min_size=1, max_size=12))
def test_flipped_bytes(real_core: bytes, flips: list[tuple[int, int]]) -> None:
    """Cosmic rays and bad disks."""
    data = bytearray(real_core)
    for place, flip in flips:
        data[place % len(data)] ^= flip
    examine(bytes(data))


@hostile
@given(kept=places)
def test_truncated_anywhere(real_core: bytes, kept: int) -> None:
    """Full disks."""
    examine(real_core[:kept])


@hostile
@given(start=places, size=st.integers(1, 100_000))
def test_zeroed_ranges(real_core: bytes, start: int, size: int) -> None:
    """Holes that a copy left."""
    examine(real_core[:start] + bytes(size) + real_core[start + size :])


@hostile
@given(edits=st.lists(st.tuples(st.integers(0, 1000), lies, st.sampled_from([2, 4, 8])), min_size=1, max_size=4))
def test_lies_about_sizes_and_offsets(real_core: bytes, edits: list[tuple[int, int, int]]) -> None:
    """At every field of the headers and of the first notes."""
    data = bytearray(real_core)
    for place, value, width in edits:
        data[place * 4 : place * 4 + width] = (value & ((1 << width * 8) - 1)).to_bytes(width, "little")
    examine(bytes(data))


@hostile
@given(st.binary(max_size=2000))
def test_random_bytes_behind_an_elf_header(body: bytes) -> None:
    """From nothing."""
    examine(Core().build()[:64] + body)


@hostile
@given(
    threads=st.integers(0, 5),
    loads=st.lists(
        st.builds(
            Load, st.integers(0, (1 << 64) - 1), st.binary(max_size=64), st.none() | lies, st.none() | lies,
            st.none() | lies,
        ),
        max_size=6,
    ),
    files=st.lists(
        st.builds(File, st.integers(0, 1 << 63), st.integers(0, 1 << 63), st.sampled_from(["/a.so", "", "[x]"])),
        max_size=5,
    ),
    vdso=lies,
)  # fmt: skip
def test_well_formed_cores_of_nonsense(threads: int, loads: list[Load], files: list[File], vdso: int) -> None:
    """Every field is readable, none makes sense."""
    core = Core(tuple(Thread(one) for one in range(threads)), tuple(loads), tuple(files), {AT_SYSINFO_EHDR: vdso})
    examine(core.build())


@hostile
@given(
    edits=st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), max_size=10), kept=st.integers(0, 6000),
)  # fmt: skip
def test_damaged_images(edits: list[tuple[int, int]], kept: int) -> None:
    """An executable on the disk can be damaged too."""
    data = bytearray(Image(functions=(Function("f", 0x1000, 16),), fdes=(Fde(0x1000, 16),)).build())
    for place, value in edits:
        data[place % len(data)] = value
    with within_seconds(2):
        try:
            image = ElfImage(BytesInMemory(bytes(data[: max(kept, 1)])))
        except ForensicsError:
            return
        _build_id = image.build_id
        for name in image.sections:
            image.section(name)
        for table in (".dynsym", ".symtab"):
            list(image.symbols(table))
        image.read(0x1000, 16)
