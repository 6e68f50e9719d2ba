"""Whole backtraces of a core, held against gdb's and eu-stack's, frame by frame."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from forensics.elf.core import read_core
from forensics.elf.module import Module
from forensics.memory.open import open_bytes
from forensics.names import plain_name
from forensics.symbols.dwarf.locate import DwarfLines
from forensics.symbols.find import Places
from forensics.unwind.backtrace import Process, backtraces
from forensics.unwind.frame import Frame
from forensics.unwind.walk import MAX_FRAMES, walk
from tests.oracles import gdb

EU_STACK = shutil.which("eu-stack")
_EU_THREAD = re.compile(r"^TID (\d+):")
_EU_FRAME = re.compile(r"^#\d+\s+0x([0-9a-f]+)")


def differences(core: Path, executable: Path, sysroot: Path | None = None) -> list[str]:
    """Where our backtraces and gdb's differ, as lines to read; empty when they agree.

    Where gdb names a frame, function, file, line and (if it prints one) pc must be equal. Where it
    names none, a name of ours must come from a symbol table.
    """
    process = Process(read_core(open_bytes(str(core))), Places(executable=str(executable), sysroot=str(sysroot or "")))
    expected = gdb.backtraces(core, executable, sysroot=sysroot)
    ours = backtraces(process)
    found = [] if expected else ["gdb printed no backtrace"]
    for stack in ours:
        theirs = expected.pop(stack.lwp, [])
        if len(theirs) > MAX_FRAMES == len(stack.frames):
            theirs = theirs[:MAX_FRAMES]
        if len(theirs) != len(stack.frames):
            found.append(
                f"thread {stack.lwp}: gdb has {len(theirs)} frames, we have {len(stack.frames)} ({stack.stop}):"
                f" {[one.function for one in theirs][-8:]} {[one.function for one in stack.frames][-8:]}"
            )
        for their, our in zip(theirs, stack.frames, strict=False):
            if not agree(their, our) and not _gdb_dropped_a_row(process, their, our):
                found.append(f"thread {stack.lwp} frame {our.index}: {their} {our}")
    return found + [f"thread {lwp} is missing" for lwp in expected]


def agree(theirs: gdb.GdbFrame, ours: Frame) -> bool:
    """Whether two frames are the same in all that gdb tells."""
    if theirs.pc and theirs.pc != ours.pc:
        return False
    if theirs.kind and theirs.kind != _kind(ours):
        return False
    if theirs.function.endswith("@plt"):
        return theirs.function == ours.function
    if not theirs.function:
        return not ours.function or bool(ours.symbol)
    if not theirs.file and not ours.file:
        # Without DWARF gdb reads the suffixes of clones as if they were Ada's: `f.isra`, `f[cold]`.
        return plain_name(theirs.function.replace("[cold]", ".cold")) == plain_name(ours.function)
    return (theirs.function, theirs.file, theirs.line) == (ours.function, ours.file, ours.line)


def _gdb_dropped_a_row(process: Process, theirs: gdb.GdbFrame, ours: Frame) -> bool:
    """Whether only the line differs, and by a row of the line table that gdb drops (docs/gdb-differences.md).

    The table must have, at the address of the row that holds the pc, ours as a statement and gdb's as none.
    """
    same = (theirs.function, theirs.file, theirs.pc or ours.pc) == (ours.function, ours.file, ours.pc)
    module = process.module_at(ours.lookup)
    dwarf = process.symbols(module).dwarf if same and isinstance(module, Module) else None
    if not isinstance(module, Module) or not isinstance(dwarf, DwarfLines):
        return False
    address = ours.lookup - module.base
    unit = dwarf.unit_of(address)
    rows = dwarf.lines(unit)[1]._tables.get(ours.file, []) if unit is not None else []
    start = max((row[0] for row in rows if row[0] <= address), default=-1)
    return {(start, ours.line, True), (start, theirs.line, False)} <= set(rows)


def _kind(frame: Frame) -> str:
    """What gdb calls a frame like ours."""
    if frame.inlined:
        return "INLINE"
    if frame.tail_call:
        return "TAILCALL"
    return "SIGTRAMP" if frame.status == "signal_handler" else "NORMAL"


def pcs_of_eu_stack(core: Path, executable: Path) -> dict[int, list[int]]:
    """The program counters of each thread by LWP, as elfutils unwinds them."""
    assert EU_STACK
    done = subprocess.run(
        [EU_STACK, "--core", str(core), "-e", str(executable)], capture_output=True, timeout=60, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    found: dict[int, list[int]] = {}
    current: list[int] = []
    for line in done.stdout.decode("utf-8", "replace").splitlines():
        if thread := _EU_THREAD.match(line):
            current = found.setdefault(int(thread[1]), [])
        elif frame := _EU_FRAME.match(line):
            current.append(int(frame[1], 16))
    return found


def our_pcs(core: Path, executable: Path) -> dict[int, list[int]]:
    """The program counters of each thread by LWP, as we unwind them: physical frames only."""
    dump = read_core(open_bytes(str(core)))
    process = Process(dump, Places(executable=str(executable)))
    found = {}
    for thread in dump.threads:
        registers = process.architecture.registers(thread.registers)
        steps = walk(registers, process.architecture, dump.memory, process.row, process.is_main).steps
        found[thread.lwp] = [step.pc for step in steps]
    return found
