"""ELF images: sections, segments, symbols, build-ids, compressed sections."""

from __future__ import annotations

import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import pytest
import zstandard

from forensics.absence import Absence
from forensics.elf.image import ElfImage
from forensics.errors import MalformedInput
from forensics.memory.random_access import BytesInMemory, LocalFile
from tests.builders.bounds import within_bytes, within_seconds
from tests.builders.elf import Function, Image

SHF_COMPRESSED = 0x800
CONTENT = b"debugging information " * 500


def open_image(image: Image) -> ElfImage:
    """The image, written and opened."""
    return ElfImage(BytesInMemory(image.build(), "image"))


def compressed(kind: int, size: int, body: bytes) -> dict[str, tuple[int, bytes]]:
    """A section ``.debug_x`` with an Elf64_Chdr."""
    return {".debug_x": (SHF_COMPRESSED, struct.pack("<IIQQ", kind, 0, size, 1) + body)}


def test_sections_and_segments_are_found_by_name_and_address() -> None:
    """File and memory view of the same bytes."""
    image = open_image(Image(text=b"code" * 8, rodata=b"text"))
    assert image.section(".text") == b"code" * 8
    assert image.section(".rodata") == b"text"
    assert image.read(0x1000, 4) == b"code"
    assert isinstance(image.section(".debug_info"), Absence)
    assert isinstance(image.read(0x900000, 4), Absence)


def test_sections_compressed_by_old_toolchains_are_found_under_their_plain_names() -> None:
    """.zdebug_x: "ZLIB", the size in eight bytes, the stream."""
    body = b"ZLIB" + struct.pack(">Q", len(CONTENT)) + zlib.compress(CONTENT)
    image = open_image(Image(extra_sections={".zdebug_x": (0, body)}))
    assert ".debug_x" in image.sections
    assert image.section(".debug_x") == CONTENT
    for broken in (body[:-40], b"ZLIB" + struct.pack(">Q", len(CONTENT) + 1) + zlib.compress(CONTENT), b"ZLIB"):
        found = open_image(Image(extra_sections={".zdebug_x": (0, broken)})).section(".debug_x")
        assert isinstance(found, Absence)
        assert "damaged" in found.reason


@pytest.mark.parametrize("kind", [1, 2])
def test_a_section_that_claims_to_have_shrunk_a_thousandfold_is_no_debug_section(kind: int) -> None:
    """100 MB of zeros in 100 kB."""
    zeros = bytes(100_000_000)
    body = zlib.compress(zeros, 1) if kind == 1 else zstandard.ZstdCompressor().compress(zeros)
    image = open_image(Image(extra_sections=compressed(kind, len(zeros), body)))
    with within_bytes(20_000_000):
        assert isinstance(image.section(".debug_x"), Absence)


def test_sections_of_one_name_are_joined_in_their_order(tmp_path: Path) -> None:
    """An object file has one a type."""
    if not shutil.which("as"):
        pytest.skip("no assembler is installed")
    lines = [f'.section .debug_x.dwo,"G",@progbits,group{n},comdat\n.ascii "part{n}"\n' for n in (1, 2, 3)]
    (tmp_path / "x.s").write_text("".join(lines))
    subprocess.run(["as", "-o", tmp_path / "x.o", tmp_path / "x.s"], check=True)
    image = ElfImage(LocalFile(str(tmp_path / "x.o")))
    assert image.joined(".debug_x.dwo") == b"part1part2part3"
    assert image.joined(".debug_y.dwo") == b""


def test_symbols_have_name_address_and_size() -> None:
    """.dynsym of a stripped library."""
    image = open_image(Image(functions=(Function("one", 0x1000, 16), Function("two", 0x1010, 0))))
    assert [(one.name, one.value, one.size, one.type) for one in image.symbols(".dynsym")][1:] == [
        (b"one", 0x1000, 16, 2), (b"two", 0x1010, 0, 2),
    ]  # fmt: skip
    assert list(image.symbols(".symtab")) == []


def test_the_build_id_is_hexadecimal_and_absent_when_there_is_none() -> None:
    """With the linker's option as the remedy."""
    assert open_image(Image(build_id=b"\xab" * 20)).build_id == "ab" * 20
    missing = open_image(Image(build_id=b"")).build_id
    assert isinstance(missing, Absence)
    assert "--build-id" in missing.remedy


def test_the_build_id_is_found_in_the_sections_when_the_segments_have_none() -> None:
    """A separate debug file may lack contents of its segments."""
    data = bytearray(Image().build())
    data[64 + 56 : 64 + 60] = bytes(4)  # the type of PT_NOTE
    assert ElfImage(BytesInMemory(bytes(data))).build_id == bytes(range(20)).hex()


@pytest.mark.parametrize("kind", ["zlib", "zstd"])
def test_compressed_sections_are_decompressed(kind: str) -> None:
    """ELFCOMPRESS_ZLIB and ELFCOMPRESS_ZSTD."""
    number, body = (1, zlib.compress(CONTENT)) if kind == "zlib" else (2, zstandard.compress(CONTENT))
    assert open_image(Image(extra_sections=compressed(number, len(CONTENT), body))).section(".debug_x") == CONTENT


@pytest.mark.parametrize("kind", [0, 3, 99])
def test_an_unknown_compression_is_absent(kind: int) -> None:
    """With its number."""
    found = open_image(Image(extra_sections=compressed(kind, 10, b"x" * 10))).section(".debug_x")
    assert isinstance(found, Absence)
    assert str(kind) in found.reason


@pytest.mark.parametrize("kind", [1, 2])
@pytest.mark.parametrize("body", [b"", b"garbage", zlib.compress(CONTENT)[:20], zstandard.compress(CONTENT)[:20]])
def test_damaged_compressed_sections_are_absent_or_short(kind: int, body: bytes) -> None:
    """No error of a library escapes."""
    found = open_image(Image(extra_sections=compressed(kind, len(CONTENT), body))).section(".debug_x")
    assert isinstance(found, Absence) or len(found) < len(CONTENT)


def test_a_section_too_short_for_its_compression_header_is_absent() -> None:
    """23 of 24 bytes."""
    found = open_image(Image(extra_sections={".debug_x": (SHF_COMPRESSED, bytes(23))})).section(".debug_x")
    assert isinstance(found, Absence)


@pytest.mark.parametrize("claimed", [0, 1, 1000, 1 << 40, (1 << 64) - 1])
@pytest.mark.parametrize("kind", ["zlib", "zstd"])
def test_a_bomb_in_a_compressed_section_is_bounded_by_its_claim(kind: str, claimed: int) -> None:
    """128 MiB of zeros behind a smaller claim, or a claim beyond all bounds."""
    zeros = bytes(128 << 20)
    number, body = (1, zlib.compress(zeros, 1)) if kind == "zlib" else (2, zstandard.compress(zeros))
    data = Image(extra_sections=compressed(number, claimed, body)).build()
    del zeros
    with within_bytes(32 << 20), within_seconds(5):
        found = ElfImage(BytesInMemory(data)).section(".debug_x")
    assert isinstance(found, Absence) or len(found) <= claimed


def test_a_zstd_frame_that_claims_terabytes_is_absent() -> None:
    """The frame's own header must not choose our memory either."""
    frame = bytearray(zstandard.compress(b"x" * 70_000))
    parameters = zstandard.get_frame_parameters(bytes(frame))
    assert parameters.content_size == 70_000
    body = frame[:4] + bytes((0xE0,)) + (1 << 45).to_bytes(8, "little") + frame[9:]
    found = open_image(Image(extra_sections=compressed(2, 70_000, bytes(body)))).section(".debug_x")
    assert isinstance(found, Absence)


def test_a_section_that_reaches_past_the_end_is_absent() -> None:
    """A debug file that was cut."""
    data = Image(extra_sections={".debug_x": (0, CONTENT)}).build()
    place = data.index(CONTENT)
    moved = data.replace(struct.pack("<QQ", place, len(CONTENT)), struct.pack("<QQ", place, len(CONTENT) * 10))
    found = ElfImage(BytesInMemory(moved)).section(".debug_x")
    assert isinstance(found, Absence)
    assert "ends before" in found.reason


def test_an_image_without_section_headers_has_no_sections_and_keeps_its_build_id() -> None:
    """sstrip, or a cut copy."""
    data = Image().build()
    image = ElfImage(BytesInMemory(data[: data.rindex(b".shstrtab")]))
    assert image.sections == {}
    assert image.build_id == bytes(range(20)).hex()
    assert list(image.symbols(".dynsym")) == []


def test_a_text_is_no_image() -> None:
    """As for cores."""
    with pytest.raises(MalformedInput):
        ElfImage(BytesInMemory(b"#!/bin/sh\n"))


@pytest.mark.parametrize("kind", ["zlib-gabi", "zstd"])
def test_what_objcopy_compressed_reads_as_before(tmp_path: Path, kind: str) -> None:
    """The tool that distributions use."""
    objcopy, compiler = shutil.which("objcopy"), shutil.which("cc")
    if not objcopy or not compiler:
        pytest.skip("objcopy or cc is not installed")
    source, plain, packed = tmp_path / "a.c", tmp_path / "plain", tmp_path / "packed"
    source.write_text("int main(int c, char **v) { return c + !v; }\n" + "".join(
        f"int function_{number}(int a) {{ return a * {number}; }}\n" for number in range(99)))  # fmt: skip
    subprocess.run([compiler, "-g", "-o", plain, source], check=True)
    done = subprocess.run([objcopy, f"--compress-debug-sections={kind}", plain, packed], check=False)
    if done.returncode:
        pytest.skip(f"this objcopy cannot compress with {kind}")
    before, after = ElfImage(LocalFile(str(plain))), ElfImage(LocalFile(str(packed)))
    names = [name for name in before.sections if name.startswith(".debug_")]
    assert ".debug_info" in names
    for name in names:
        assert after.section(name) == before.section(name)
