"""Compressed inputs read as if they were not, whatever happened to them."""

from __future__ import annotations

import io
import lzma
import random
import tempfile
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forensics.errors import EmptyInput, ForensicsError
from forensics.memory.open import open_bytes
from forensics.memory.spool import BLOCK, Spool
from forensics.memory.streams import compression_of, head_of
from tests.builders.bounds import within_bytes, within_seconds
from tests.memory.compressors import COMPRESSORS

all_compressions = pytest.mark.parametrize("kind", COMPRESSORS)
on_files = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

#: Pieces of a core: zeros of some length, then some bytes.
pieces = st.lists(st.tuples(st.integers(0, 3 * BLOCK), st.binary(max_size=300)), min_size=1, max_size=4)


def noise(size: int, seed: int = 7) -> bytes:
    """Bytes that do not compress."""
    return random.Random(seed).randbytes(size)


def compressed(tmp_path: Path, kind: str, data: bytes) -> str:
    """The path of a file with ``data`` compressed."""
    path = tmp_path / "core.compressed"
    path.write_bytes(COMPRESSORS[kind](data))
    return str(path)


@all_compressions
@on_files
@given(content=pieces, offset=st.integers(0, 4 * BLOCK), size=st.integers(1, 2 * BLOCK))
def test_sparse_content_is_read_back_equal(
    tmp_path: Path, kind: str, content: list[tuple[int, bytes]], offset: int, size: int
) -> None:
    """As a whole and in any slice."""
    data = b"".join(bytes(zeros) + some for zeros, some in content) + b"!"
    with_bytes = open_bytes(compressed(tmp_path, kind, data))
    assert with_bytes.size == len(data)
    assert with_bytes.damage is None
    assert with_bytes.read(0, len(data) + 5) == data
    assert with_bytes.read(offset, size) == data[offset : offset + size]
    with_bytes.close()


@all_compressions
def test_several_frames_in_a_row_are_one_content(tmp_path: Path, kind: str) -> None:
    """`zstd` and `gzip` files may be joined; some collectors write them so."""
    path = tmp_path / "core"
    path.write_bytes(COMPRESSORS[kind](b"one" * 1000) + COMPRESSORS[kind](b"two" * 1000))
    source = open_bytes(str(path))
    assert source.read(0, 10_000) == b"one" * 1000 + b"two" * 1000
    assert source.damage is None


@all_compressions
@pytest.mark.parametrize("kept", [0.2, 0.5, 0.9, 0.999])
def test_a_truncated_file_gives_what_can_be_read_and_says_so(tmp_path: Path, kind: str, kept: float) -> None:
    """A transfer that was interrupted."""
    data = noise(40 * BLOCK)
    path = tmp_path / "core"
    whole = COMPRESSORS[kind](data)
    path.write_bytes(whole[: int(len(whole) * kept)])
    source = open_bytes(str(path))
    assert source.damage is not None
    assert source.damage.reason
    assert source.damage.remedy
    assert 0 < source.size <= len(data)
    # bzip2 works in blocks of 100 kB here, lz4 in 64 KiB.
    assert source.size > len(data) * kept - 6 * BLOCK
    assert source.read(0, source.size) == data[: source.size]


@all_compressions
def test_a_file_whose_last_bytes_are_missing_keeps_all_blocks_but_the_last(tmp_path: Path, kind: str) -> None:
    """The checksum may be gone; the content is not."""
    data = noise(3 * BLOCK + 100)
    path = tmp_path / "core"
    path.write_bytes(COMPRESSORS[kind](data)[:-6])
    source = open_bytes(str(path))
    assert source.damage is not None
    assert source.size >= (0 if kind == "bzip2" else 2 * BLOCK)
    assert source.read(0, source.size) == data[: source.size]


@all_compressions
@on_files
@given(place=st.floats(0, 1), flip=st.integers(1, 255), seed=st.integers(0, 9))
def test_corrupt_bytes_give_partial_content_or_an_error_of_ours(
    tmp_path: Path, kind: str, place: float, flip: int, seed: int
) -> None:
    """Never anything that a library raises."""
    raw = bytearray(COMPRESSORS[kind](noise(2 * BLOCK, seed) + bytes(BLOCK)))
    raw[4 + int(place * (len(raw) - 5))] ^= flip
    path = tmp_path / "core"
    path.write_bytes(raw)
    try:
        with within_seconds(5):
            source = open_bytes(str(path))
    except ForensicsError:
        return
    assert len(source.read(0, source.size)) == source.size


@all_compressions
def test_a_head_without_content_is_empty_input(tmp_path: Path, kind: str) -> None:
    """Four good bytes, then nothing."""
    path = tmp_path / "core"
    path.write_bytes(COMPRESSORS[kind](b"x" * 1000)[:6])
    with pytest.raises(EmptyInput):
        open_bytes(str(path))


@all_compressions
def test_content_of_no_bytes_is_empty_input(tmp_path: Path, kind: str) -> None:
    """An empty core that was compressed."""
    with pytest.raises(EmptyInput):
        open_bytes(compressed(tmp_path, kind, b""))


@all_compressions
def test_each_format_is_recognised_by_its_content(tmp_path: Path, kind: str) -> None:
    """Names of files do not count."""
    assert compression_of(COMPRESSORS[kind](b"x")) == kind.split(maxsplit=1)[0]
    assert head_of(compressed(tmp_path, kind, b"abc" * 9), 4) == b"abca"


@pytest.mark.parametrize("kind", ["zstd", "gzip", "xz", "bzip2"])
def test_zeros_take_no_memory(tmp_path: Path, kind: str) -> None:
    """A bomb: 64 MiB of zeros in some kilobytes."""
    path = compressed(tmp_path, kind, bytes(64 << 20))
    with within_bytes(16 << 20), within_seconds(10):
        spool = Spool(path)
    assert spool.size == 64 << 20
    assert spool.damage is None
    assert spool.read(32 << 20, 16) == bytes(16)


def test_an_xz_file_does_not_choose_our_memory(tmp_path: Path) -> None:
    """A dictionary of 768 MiB: refused, where 64 MiB (`xz -9`) are taken."""
    path = tmp_path / "core.xz"
    for size, opens in ((768 << 20, False), (64 << 20, True)):
        filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": size}]
        path.write_bytes(lzma.compress(b"abc" * 99, filters=filters))
        assert head_of(str(path)) == (b"abc" * 99 if opens else b"")
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 768 << 20}]
    path.write_bytes(lzma.compress(b"abc" * 99, filters=filters))
    spool = Spool(str(path))
    assert spool.size == 0
    assert spool.damage is not None
    assert "memory" in spool.damage.reason.lower()


def test_xz_streams_may_follow_each_other(tmp_path: Path) -> None:
    """With zeros between them, as `xz` itself reads them."""
    path = tmp_path / "core.xz"
    path.write_bytes(lzma.compress(b"abc") + bytes(1 << 17) + lzma.compress(b"def") + lzma.compress(b"g") + bytes(4))
    spool = Spool(str(path))
    assert spool.read(0, spool.size) == b"abcdefg"
    assert spool.damage is None


def test_content_beyond_the_size_limit_is_lost_and_said_so(tmp_path: Path) -> None:
    """The limit is what a bomb meets."""
    spool = Spool(compressed(tmp_path, "zstd", bytes(64 << 20)), size_limit=8 << 20)
    assert spool.size <= 8 << 20
    assert spool.damage is not None
    assert "more than" in spool.damage.reason


def test_content_beyond_the_memory_limit_goes_to_a_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unnamed, so that a crash of ours leaves nothing behind."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    data = noise(20 * BLOCK) + bytes(5 * BLOCK) + noise(7 * BLOCK + 13, 8)
    spool = Spool(compressed(tmp_path, "lz4", data), memory_limit=4 * BLOCK)
    assert spool.read(0, len(data)) == data
    assert spool.damage is None
    assert list((tmp_path / "temporary").iterdir()) == []
    for _try in range(50):
        offset, size = random.randrange(len(data)), random.randrange(3 * BLOCK)
        assert spool.read(offset, size) == data[offset : offset + size]
    spool.close()


def test_memory_stays_bounded_when_content_is_spilled(tmp_path: Path) -> None:
    """32 MiB that do not compress, 2 MiB allowed."""
    path = compressed(tmp_path, "zstd of unknown size", noise(32 << 20))
    with within_bytes(10 << 20):
        Spool(path, memory_limit=2 << 20).close()


def test_content_beyond_the_disk_limit_is_lost_and_said_so(tmp_path: Path) -> None:
    """What came before stays readable."""
    data = noise(20 * BLOCK)
    spool = Spool(compressed(tmp_path, "gzip", data), memory_limit=2 * BLOCK, disk_limit=4 * BLOCK)
    assert spool.size == 6 * BLOCK
    assert spool.damage is not None
    assert "temporary space" in spool.damage.reason
    assert spool.read(0, spool.size) == data[: spool.size]


def test_no_place_for_temporary_files_loses_the_rest_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TMPDIR may be full or read-only."""

    def refuse(**_arguments: object) -> io.BytesIO:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    data = noise(10 * BLOCK)
    spool = Spool(compressed(tmp_path, "gzip", data), memory_limit=2 * BLOCK)
    assert spool.damage is not None
    assert "temporary" in spool.damage.reason
    assert spool.read(0, spool.size) == data[: spool.size]


def test_a_window_larger_than_128_mib_is_refused_not_allocated(tmp_path: Path) -> None:
    """A file must not choose our memory."""
    parameters = zstandard.ZstdCompressionParameters(window_log=30, enable_ldm=True, write_content_size=False)
    path = tmp_path / "core"
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    path.write_bytes(compressor.compress(noise(1000)) + compressor.flush())
    with pytest.raises(EmptyInput, match="zstd"):
        open_bytes(str(path))


def test_a_closed_spool_keeps_no_blocks(tmp_path: Path) -> None:
    """Memory is given back before the process ends."""
    spool = Spool(compressed(tmp_path, "xz", noise(4 * BLOCK)), memory_limit=BLOCK)
    spool.close()
    spool.close()
    assert spool.read(0, 4) == bytes(4)
