"""Registers, the instruction that was running and what lies at addresses, in programs of our own."""

from __future__ import annotations

from pathlib import Path

import pytest

from forensics.absence import Absence
from forensics.elf.core import read_core
from forensics.memory.open import open_bytes
from forensics.symbols.find import Places
from forensics.unwind.address_space import AddressSpace
from forensics.unwind.backtrace import Process, backtraces
from forensics.unwind.frame import ThreadStack
from forensics.unwind.machine_state import InstructionState, decoded_instruction, interrupted_frame, registers_of
from tests.oracles.programs import COMPILER, compile_c, core_of

pytestmark = pytest.mark.skipif(not COMPILER, reason="no C compiler")

SOURCE = """
#include <signal.h>
#include <stdlib.h>
struct big { long pad[35]; int member; };
struct big on_the_list;
struct big *volatile list = &on_the_list, *volatile missing;
static int zeroed[4096];
int *volatile inside = &zeroed[2];
static void handler(int n) { (void)n; abort(); }
__attribute__((noinline)) int reads(struct big *one) { return one->member; }
int main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1)
        signal(SIGSEGV, handler);
    return reads(list) + reads(missing) + *inside;
}
"""


def opened(folder: Path, *arguments: str) -> tuple[AddressSpace, ThreadStack]:
    """The address space and the stack of a run."""
    executable = compile_c(folder, "reads", SOURCE, "-g", "-O1", "-fno-inline")
    core = core_of(executable, folder / f"core{len(arguments)}", *arguments)
    if core is None:
        pytest.skip("no core could be made")
    process = Process(read_core(open_bytes(str(core))), Places(executable=str(executable)))
    return AddressSpace(process), backtraces(process)[0]


def test_the_instruction_and_the_address_it_read(tmp_path: Path) -> None:
    space, stack = opened(tmp_path)
    frame = interrupted_frame(stack)
    assert frame is not None
    found = decoded_instruction(space, stack, frame)
    assert isinstance(found, InstructionState)
    (touch,) = found.touches
    assert (touch.access.address, touch.access.size, touch.note, touch.value) == (280, 4, "not mapped", None)


@pytest.mark.parametrize("arguments", [(), ("handler",)])
def test_registers_are_those_of_the_fault_even_below_a_signal_handler(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    """rdi is the argument; abort() overwrote it long ago."""
    space, stack = opened(tmp_path, *arguments)
    frame = interrupted_frame(stack)
    assert frame is not None
    assert frame.function == "reads"
    registers = {one.name: one for one in registers_of(space, frame)}
    assert registers["rdi"].value == 0
    assert registers["rsp"].note == "stack of thread 1"
    assert registers["rip"].note.startswith("reads")
    assert registers["rip"].note.endswith(" in reads")


def test_addresses_are_named_by_symbol_module_stack_and_mapping(tmp_path: Path) -> None:
    space, stack = opened(tmp_path)
    main = space.process.core.main_module
    assert not isinstance(main, Absence)
    symbols = space.process.symbols(main)
    (zeroed, name) = next(
        (one.value + main.base, one.name) for one in symbols.images[0].symbols(".symtab") if one.name == b"zeroed"
    )
    assert name == b"zeroed"
    assert space.describe(zeroed) == "zeroed in reads"
    assert space.describe(zeroed + 8) == "zeroed+8 in reads"
    assert space.describe(main.base + symbols.address_of("main") + 1) == "main+1 in reads"
    assert space.describe(stack.frames[0].registers[7]) == "stack of thread 1"
    assert space.describe(5) == ""
    assert space.describe(0x8000_0000_0000_0000 >> 8) == "no address: no process can have it"
