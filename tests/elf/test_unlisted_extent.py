"""Images of a core without a list of mapped files."""

from __future__ import annotations

import struct

import pytest

from forensics.elf.constants import AT_PHDR, PT_LOAD
from forensics.elf.core import read_core
from forensics.memory.random_access import BytesInMemory
from tests.builders.core import Core, Load
from tests.builders.elf import program_header

START, PAGE = 0x3F0000, 0x1000
CODE_AND_READ, DATA = 5, 6


def first_page(size: int, count: int = 2) -> bytes:
    """The headers of an image that has them in data of their own, before its code, as patchelf leaves it."""
    table = program_header(PT_LOAD, 0, START, PAGE, flags=DATA)
    table += program_header(PT_LOAD, PAGE, START + PAGE, PAGE, size - PAGE, CODE_AND_READ)
    head = b"\x7fELF\2\1\1".ljust(16, b"\0") + struct.pack("<HHIQQQIHHH", 2, 62, 1, 0, 64, 0, 0, 64, 56, count)
    return (head.ljust(64, b"\0") + table).ljust(PAGE, b"\0")


def end_of_main(page: bytes) -> int:
    """Where the executable ends: a page of data, two of code."""
    loads = (Load(START, page, flags=DATA), Load(START + PAGE, bytes(2 * PAGE), flags=CODE_AND_READ))
    core = Core(loads=loads, auxv={AT_PHDR: START + 64})
    (module,) = read_core(BytesInMemory(core.build(), "core")).modules
    assert module.start == START
    return module.end


def test_code_after_data_belongs_to_the_image_that_says_so() -> None:
    """The wheel of HAProxy 2.8 is laid out like this."""
    assert end_of_main(first_page(3 * PAGE)) == START + 3 * PAGE


@pytest.mark.parametrize(
    "page", [bytes(PAGE), first_page(PAGE, 0), first_page(PAGE, 0xFFFF)[:256].ljust(PAGE, b"\xff")]
)
def test_code_after_data_is_another_image_where_the_headers_do_not_claim_it(page: bytes) -> None:
    """No headers, an empty table, damaged ones."""
    assert end_of_main(page) == START + PAGE
