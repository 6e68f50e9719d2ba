"""Which function holds an address: sizes, aliases, borders, as gdb sees them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from forensics.elf.image import ElfImage
from forensics.memory.random_access import BytesInMemory, LocalFile
from forensics.symbols.table import SymbolTable, functions_of
from tests.builders.elf import Function, Image
from tests.oracles.gdb import GDB
from tests.oracles.programs import COMPILER


def test_a_function_holds_its_addresses_and_no_others() -> None:
    """No guess beyond its end."""
    table = SymbolTable([(0x1000, 16, "one"), (0x1020, 16, "two")])
    assert table.find(0x0FFF) == ("", 0)
    assert table.find(0x1000) == ("one", 0x1000)
    assert table.find(0x100F) == ("one", 0x1000)
    assert table.find(0x1010) == ("", 0)
    assert table.find(0x1020) == ("two", 0x1020)
    assert table.find(0x1030) == ("", 0)


def test_a_function_without_size_reaches_to_the_next_one() -> None:
    """Hand-written assembly."""
    table = SymbolTable([(0x1000, 0, "label"), (0x1100, 4, "next")])
    assert table.find(0x10FF) == ("label", 0x1000)
    assert table.find(0x1100) == ("next", 0x1100)


def test_of_several_names_for_one_address_the_greatest_wins() -> None:
    """gdb's order."""
    table = SymbolTable([(0x1000, 8, "raise"), (0x1000, 8, "__raise"), (0x1000, 8, "gsignal")])
    assert table.find(0x1004) == ("raise", 0x1000)


def test_an_empty_table_names_nothing() -> None:
    """A stripped static executable."""
    assert SymbolTable([]).find(0x1000) == ("", 0)


def test_the_start_of_a_function_is_found_by_name() -> None:
    """None for a name that is not there."""
    table = SymbolTable([(0x1000, 16, "one")])
    assert table.start_of("one") == 0x1000
    assert table.start_of("none") is None


def test_a_symbol_without_size_ends_with_its_section() -> None:
    """`_init` of the C library has no size; the next section is not its code."""
    image = ElfImage(BytesInMemory(Image(text=b"\xc3" * 64, rodata=b"r" * 64,
                                         functions=(Function("_init", 0x1000, 0),)).build()))  # fmt: skip
    table = functions_of([image])
    assert table.find(0x103F) == ("_init", 0x1000)
    assert table.find(0x1040) == ("", 0)


def test_undefined_symbols_and_data_are_no_functions() -> None:
    """STT_OBJECT, and what another library defines."""
    functions = (Function("data", 0x1000, 8, kind=1), Function("code", 0x1010, 8), Function("ifunc", 0x1020, 8, 10))
    image = ElfImage(BytesInMemory(Image(functions=functions).build()))
    assert [name for _start, _size, name in functions_of([image]).functions] == ["code", "ifunc"]


ASSEMBLY = r"""
    .text
    .globl main, sized, inner_label, after, big, nested, tiny_alias, whole_alias, plain, hidden
    .type main, @function
main:   nop
        ret
    .size main, . - main
    .type sized, @function
sized:  .fill 16, 1, 0x90
inner_label:
        .fill 16, 1, 0x90
    .size sized, . - sized
        .fill 16, 1, 0x90
    .type after, @function
after:  .fill 16, 1, 0x90
        .fill 16, 1, 0x90
    .type big, @function
big:    .fill 16, 1, 0x90
    .type nested, @function
nested: .fill 8, 1, 0x90
    .size nested, . - nested
        .fill 24, 1, 0x90
    .size big, . - big
        .fill 16, 1, 0x90
    .type whole_alias, @function
    .type tiny_alias, @function
tiny_alias:
whole_alias:
        .fill 8, 1, 0x90
    .size tiny_alias, 8
        .fill 24, 1, 0x90
    .size whole_alias, 32
    .type hidden, @function
hidden: .fill 8, 1, 0x90
    .size hidden, 8
    .section .note.GNU-stack, "", @progbits
"""


@pytest.mark.skipif(not GDB or not COMPILER, reason="gdb or cc is not installed")
def test_every_address_of_an_assembly_has_the_name_that_gdb_gives_it(tmp_path: Path) -> None:
    """Labels within functions, nested functions, aliases of different size, gaps."""
    assert GDB and COMPILER
    (tmp_path / "a.s").write_text(ASSEMBLY)
    program = tmp_path / "a"
    subprocess.run([COMPILER, "-o", program, tmp_path / "a.s"], check=True, timeout=30)
    table = functions_of([ElfImage(LocalFile(str(program)))])
    start, end = table.start_of("main"), (table.start_of("hidden") or 0) + 8
    assert start
    commands = [part for at in range(start, end) for part in ("-ex", f"info symbol {at}")]
    done = subprocess.run([GDB, "-nx", "-batch", *commands, program], capture_output=True, text=True, timeout=60,
                          check=False, stdin=subprocess.DEVNULL)  # fmt: skip
    theirs = [re.split(r" \+ | in section", line)[0] for line in done.stdout.splitlines()]
    theirs = ["" if line.startswith("No symbol matches") else line for line in theirs]
    assert len(theirs) == end - start
    wrong = {
        hex(at - start): f"gdb: {name or 'none'}, we: {table.find(at)[0] or 'none'}"
        for at, name in zip(range(start, end), theirs, strict=True)
        if table.find(at)[0] != name
    }
    assert wrong == {}
