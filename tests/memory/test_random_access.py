"""Bytes at any offset, from a file or from memory."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forensics.errors import EmptyInput, ForensicsError, InputError, UnreadableInput
from forensics.memory.open import open_bytes
from forensics.memory.random_access import BytesInMemory, LocalFile, RandomAccess
from forensics.memory.streams import head_of
from tests.builders.bounds import within_seconds

DATA = bytes(range(256)) * 40


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A plain file of 10,240 bytes."""
    path = tmp_path / "core"
    path.write_bytes(DATA)
    return path


@given(offset=st.integers(-10, len(DATA) + 10), size=st.integers(-10, len(DATA) + 10))
def test_a_read_is_a_slice_that_ends_with_the_data(offset: int, size: int) -> None:
    """Negative offsets and sizes give nothing; reading past the end gives what there is."""
    expected = DATA[offset : offset + size] if offset >= 0 and size > 0 else b""
    assert BytesInMemory(DATA).read(offset, size) == expected


def test_a_local_file_reads_as_bytes_in_memory_do(file: Path) -> None:
    """The contract is one."""
    local: RandomAccess = LocalFile(str(file))
    memory: RandomAccess = BytesInMemory(DATA)
    for offset, size in ((0, 1), (0, 10**9), (10_239, 5), (10_240, 1), (-1, 4), (5, 0), (5, -1), (1 << 70, 8)):
        assert local.read(offset, size) == memory.read(offset, size)
    assert local.size == memory.size
    assert local.damage is None


def test_a_file_that_shrinks_while_it_is_read_gives_fewer_bytes(file: Path) -> None:
    """No SIGBUS, no error: the reads end early."""
    local = LocalFile(str(file))
    os.truncate(file, 100)
    assert local.read(0, 1000) == DATA[:100]
    assert local.read(5000, 8) == b""


def test_a_file_that_is_removed_while_it_is_read_stays_readable(file: Path) -> None:
    """systemd-coredump vacuums at any time."""
    local = LocalFile(str(file))
    file.unlink()
    assert local.read(0, 4) == DATA[:4]


def test_closing_twice_is_harmless(file: Path) -> None:
    """The second close closes nobody else's descriptor."""
    local = LocalFile(str(file))
    local.close()
    other = os.open(file, os.O_RDONLY)
    local.close()
    assert os.fstat(other).st_size == len(DATA)
    os.close(other)


def test_the_input_is_opened_for_reading_only(file: Path) -> None:
    """A read-only file does, and it keeps its times of change."""
    file.chmod(0o444)
    before = file.stat()
    open_bytes(str(file)).read(0, 100)
    after = file.stat()
    assert (after.st_mtime_ns, after.st_size, stat.S_IMODE(after.st_mode)) == (
        before.st_mtime_ns,
        before.st_size,
        0o444,
    )


def test_a_plain_file_is_opened_as_it_is(file: Path) -> None:
    """Without a copy."""
    assert isinstance(open_bytes(str(file)), LocalFile)


def test_an_empty_file_is_an_error_of_its_own(tmp_path: Path) -> None:
    """With what leaves cores of 0 bytes."""
    (tmp_path / "core").touch()
    with pytest.raises(EmptyInput) as caught:
        open_bytes(str(tmp_path / "core"))
    assert "ulimit -c" in caught.value.hint


def test_a_directory_is_refused_with_the_command_for_directories(tmp_path: Path) -> None:
    """`scan` reads directories."""
    with pytest.raises(UnreadableInput) as caught:
        open_bytes(str(tmp_path))
    assert "scan" in caught.value.hint


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_a_missing_file_is_unreadable(tmp_path: Path) -> None:
    """And leaves no half-made object behind that complains when it is collected."""
    with pytest.raises(UnreadableInput, match="No such file"):
        open_bytes(str(tmp_path / "none"))


def test_a_file_without_permission_is_unreadable(file: Path) -> None:
    """The message says so."""
    file.chmod(0)
    before = os.geteuid()
    # Root may read everything; a moment as somebody else makes the test true for root, too.
    os.seteuid(65534 if before == 0 else before)
    try:
        with pytest.raises(UnreadableInput, match="Permission"):
            open_bytes(str(file))
    finally:
        os.seteuid(before)


@pytest.mark.parametrize("path", ["a\0b", "a" * 5000, "\udcff\udcfe"])
def test_a_path_that_no_file_can_have_is_unreadable(path: str) -> None:
    """Paths come from command lines and from lists in files."""
    with pytest.raises(InputError):
        open_bytes(path)


def test_a_loop_of_links_is_unreadable(tmp_path: Path) -> None:
    """ELOOP is an answer like any other."""
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(UnreadableInput):
        open_bytes(str(tmp_path / "a"))


def test_a_fifo_does_not_hang(tmp_path: Path) -> None:
    """Nobody may ever write to it."""
    os.mkfifo(tmp_path / "core")
    with within_seconds(2), pytest.raises(ForensicsError):
        open_bytes(str(tmp_path / "core"))


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null", "/dev/tty"])
def test_a_device_is_no_input(device: str) -> None:
    """It has no size to read at random."""
    if not os.path.exists(device):
        pytest.skip(f"there is no {device}")
    with within_seconds(2), pytest.raises(ForensicsError):
        open_bytes(device)


def test_the_head_of_a_damaged_file_is_empty(tmp_path: Path) -> None:
    """Recognising a kind never fails on content."""
    (tmp_path / "x").write_bytes(b"\x28\xb5\x2f\xfd broken")
    assert head_of(str(tmp_path / "x")) == b""
    with pytest.raises(UnreadableInput):
        head_of(str(tmp_path / "none"))
