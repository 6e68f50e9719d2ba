"""The files that HAProxy keeps in memory: found in the core, bounded, used as those on a disk."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forensics.absence import Absence
from forensics.api import Options, open_core, triage
from forensics.elf.core import read_core
from forensics.elf.module import Module
from forensics.memory.open import open_bytes
from forensics.memory.process import Memory, Segment
from forensics.memory.random_access import BytesInMemory
from forensics.symbols.archive import Archive, find_archive
from forensics.symbols.find import Places, find_files
from forensics.symbols.module import ModuleSymbols
from forensics.unwind.backtrace import Process, backtraces
from samples.lab.haproxy import HAProxy, LabError, collect, config_text, work_folder
from samples.lab.packages import EXPERIMENTAL, PackageError, sysroot
from tests.builders.elf import Function, Image
from tests.builders.tar import Entry, archive

CHECKOUT = Path(__file__).resolve().parents[2]
ID, OTHER = bytes(range(20)), bytes(range(1, 21))
HEXADECIMAL = ID.hex()
START = 0x7F0000000000
SIZE = 1 << 17


class CountingBytes(BytesInMemory):
    """Bytes that count what is read of them."""

    count = 0

    def read(self, offset: int, size: int) -> bytes:
        data = super().read(offset, size)
        self.count += len(data)
        return data


def image(build_id: bytes = ID) -> bytes:
    return Image(build_id=build_id, functions=(Function("crash_here", 0x1000, 16),)).build()


def memory(data: bytes, *, writable: bool = False, size: int = SIZE, dumped: int | None = None) -> Memory:
    """One mapping that holds ``data``; ``dumped`` bytes of it are in the core."""
    source = BytesInMemory(data.ljust(size, b"\0")[:dumped], "core")
    return Memory(source, (Segment(START, size, 0, size if dumped is None else dumped, False, writable),))


def module(path: str = "/usr/sbin/haproxy", build_id: str | Absence = HEXADECIMAL) -> Module:
    return Module(path, 0x400000, 0x500000, 0x400000, build_id, True, False)


def found(data: bytes, **how: int) -> Archive:
    """The archive in ``data``."""
    one = find_archive(memory(data, **how))  # type: ignore[arg-type]  # numbers and truth values
    assert isinstance(one, Archive)
    return one


def test_members_are_found_by_the_path_that_they_had_on_the_host() -> None:
    one = found(archive(Entry("usr/sbin/haproxy", image()), Entry("lib/libc.so.6", b"libc")))
    assert [(each.path, each.size, each.whole) for each in one.members] == [
        ("/usr/sbin/haproxy", len(image()), True),
        ("/lib/libc.so.6", 4, True),
    ]
    assert one.open(one.members[1]).read(1, 100) == b"ibc"
    assert one.open(one.members[1]).read(4, 1) == b""


def test_a_member_is_used_like_a_file_and_says_where_it_came_from() -> None:
    files = find_files(
        module(), Places(sysroot="/nonexistent"), None, found(archive(Entry("usr/sbin/haproxy", image())))
    )
    assert files.status == "found"
    assert files.tried[0] == "/usr/sbin/haproxy in the core (set-dumpable libs): build-id matches"
    assert ModuleSymbols(files).site(0x1004).symbol == "crash_here"


def test_a_library_is_found_by_name_and_a_renamed_file_by_build_id() -> None:
    entries = (Entry("lib/liba.so", image(OTHER)), Entry("lib/libssl.so.3", image()))
    kept = found(archive(*entries))
    for path in ("/usr/lib/x86_64-linux-gnu/libssl.so.3", "/opt/haproxy (renamed)"):
        files = find_files(module(path), Places(sysroot="/nonexistent"), None, kept)
        assert files.image is not None, path
        assert files.image.path == "/lib/libssl.so.3 in the core"


def test_a_member_of_another_build_is_not_used() -> None:
    kept = found(archive(Entry("usr/sbin/haproxy", image(OTHER))))
    files = find_files(module(), Places(sysroot="/nonexistent"), None, kept)
    assert files.image is None
    assert files.status == "mismatched"
    assert "another build" in files.tried[0]


def test_without_a_build_id_the_word_of_the_process_counts() -> None:
    """A core without the first pages of images (coredump_filter 1) still has the archive."""
    kept = found(archive(Entry("usr/sbin/haproxy", image())))
    files = find_files(module(build_id=Absence("build-id", "not there")), Places(sysroot="/nonexistent"), None, kept)
    assert files.image is not None
    assert "without proof" in files.tried[0]


def test_an_archive_in_the_middle_of_a_mapping_is_found_if_it_is_read_only() -> None:
    """The kernel merges neighbours with equal rights."""
    data = bytes(5 * 4096) + archive(Entry("usr/sbin/haproxy", image()))
    assert found(data).members[0].path == "/usr/sbin/haproxy"
    assert isinstance(find_archive(memory(data, writable=True)), Absence)


def test_what_is_cut_off_is_said_and_not_used() -> None:
    kept = found(archive(Entry("usr/sbin/haproxy", image() + bytes(1 << 16))), dumped=(1 << 16) + 512)
    assert [each.whole for each in kept.members] == [False]
    files = find_files(module(), Places(sysroot="/nonexistent"), None, kept)
    assert files.image is None
    assert "the core ends before it does" in files.tried[0]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 257 + b"ustar",
        archive(Entry("a", b"x", wrong=1)),
        archive(Entry("a", b"x", size=b"7777777777")),
        archive(Entry("a", b"x", size=b"x")),
        archive(Entry("a", b"x", size=b"-1")),
        archive(Entry("a", b"x", size=b"\xff" * 11)),
        archive(Entry("a", b"", kind=b"5")),
        archive(Entry("", b"x", prefix="")),
    ],
)  # fmt: skip
def test_what_is_no_archive_of_files_gives_none(data: bytes) -> None:
    assert isinstance(find_archive(memory(data)), Absence)


def test_a_size_of_nothing_does_not_make_a_loop() -> None:
    """Each header lies behind the one before it, whatever the sizes say."""
    kept = found(archive(*(Entry(f"e{number}", b"") for number in range(50)), Entry("last", b"x")))
    assert [each.path for each in kept.members] == ["/last"]


def test_the_number_of_members_is_bounded() -> None:
    data = archive(*(Entry("a", b"x") for _ in range(5000)))
    assert len(found(data, size=1 << 23).members) == 4096


def test_the_search_reads_a_little_of_each_mapping_only() -> None:
    size, count = 1 << 20, 64
    source = CountingBytes(bytes(size * count), "core")
    segments = [Segment(START + 2 * size * n, size, size * n, size, False, True) for n in range(count)]
    assert isinstance(find_archive(Memory(source, segments)), Absence)
    assert source.count == count * 512


def test_results_of_a_copy_in_a_core_are_not_taken_for_those_of_another_copy() -> None:
    """Equal build-id and size; whoever made the core could have changed the rest."""
    one, other = image(), image().replace(b"crash_here", b"crash_HERE")
    for data, name in ((one, "crash_here"), (other, "crash_HERE"), (one, "crash_here")):
        kept = found(archive(Entry("usr/sbin/haproxy", data)))
        symbols = ModuleSymbols(find_files(module(), Places(sysroot="/nonexistent"), None, kept))
        assert symbols.site(0x1004).symbol == name
        symbols.save()


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 0x1800), st.integers(0, 255)), max_size=12))
def test_no_damage_to_an_archive_or_its_members_escapes(damage: list[tuple[int, int]]) -> None:
    data = bytearray(archive(Entry("usr/sbin/haproxy", image()), Entry("lib/liba.so", image(OTHER))))
    for offset, value in damage:
        data[offset] = value
    kept = find_archive(memory(bytes(data)))
    files = find_files(module(), Places(sysroot="/nonexistent"), None, kept)
    assert files.status in ("found", "missing", "mismatched", "malformed")
    ModuleSymbols(files).site(0x1004)


@pytest.fixture(scope="module")
def dumpable(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A core of Debian's HAProxy 3.4 with ``set-dumpable libs``, and the root that it ran in."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        pytest.skip("HAProxy 3.4 runs in a root of its own, which only root on Debian can make")
    lab = CHECKOUT / ".lab"
    if not (lab / "roots/experimental/complete").exists():
        pytest.skip("the lab is not here: python -m samples.lab bug-on-3.4.7")
    try:
        root = sysroot(lab.resolve(), EXPERIMENTAL)
        directory = tmp_path_factory.mktemp("dumpable")
        config = config_text(2).replace("global\n", "global\n    set-dumpable libs\n", 1)
        with HAProxy(Path("/usr/sbin/haproxy"), config, work_folder("dumpable", root), sysroot=root) as running:
            running.cli("expert-mode on; debug dev bug", 1.0)
            crashed = collect(running, directory, running.wait_end(15))
    except (PackageError, LabError, subprocess.SubprocessError) as error:
        pytest.skip(f"HAProxy 3.4 does not run here: {error}")
    if crashed.core is None:
        pytest.skip("the kernel writes no core here: see /proc/sys/kernel/core_pattern")
    return crashed.core, root


def test_every_file_in_a_real_core_is_the_one_on_the_disk(dumpable: tuple[Path, Path]) -> None:
    core, root = dumpable
    kept = find_archive(read_core(open_bytes(str(core))).memory)
    assert isinstance(kept, Archive)
    assert len(kept.members) > 10
    for member in kept.members:
        source = kept.open(member)
        assert source.read(0, source.size) == (root / member.path.lstrip("/")).read_bytes(), member.path


def test_a_real_core_needs_no_file_on_the_disk(dumpable: tuple[Path, Path]) -> None:
    core, root = dumpable
    nothing = str(core.parent / "nothing")
    process, alone = open_core(str(core), Options(Places(sysroot=nothing)))
    _process, beside = open_core(str(core), Options(Places(sysroot=str(root))))
    assert alone == beside
    assert "debug_parse_cli_bug" in [frame.function for frame in alone[0].frames]
    assert all(files.status == "found" for files in process.files)
    # The same without the archive names nothing.
    process = Process(process.core, Places(sysroot=nothing))
    process.__dict__["_archive"] = Absence("archive", "left out")
    assert not [frame.function for stack in backtraces(process) for frame in stack.frames if frame.function]
    assert {files.status for files in process.files if files.module.main} == {"missing"}
    report = triage([str(core)], Options(Places(sysroot=nothing)))
    assert report.crash.condition == "one > zero"
    assert not [gap for gap in report.gaps if gap.subject.startswith("code of")]
