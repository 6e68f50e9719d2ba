"""What a stripped executable lets us name, held against its unstripped twin and against gdb.

The truth is gdb's, with the twin, for the chain of frames, and the twin's .symtab, read by pyelftools, for the
names: a function may have several, and any of them is right.
"""

from __future__ import annotations

import shutil
import subprocess
from bisect import bisect_right
from dataclasses import dataclass, field
from pathlib import Path

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from forensics.elf.core import read_core
from forensics.elf.module import Module
from forensics.memory.open import open_bytes
from forensics.names import plain_name
from forensics.symbols.find import Places
from forensics.unwind.backtrace import Process, backtraces
from tests.oracles import gdb

STRIP = {False: shutil.which("strip"), True: shutil.which("aarch64-linux-gnu-strip")}


def strip(executable: Path, folder: Path, *, arm64: bool) -> Path:
    """A stripped copy in ``folder``: .dynsym is all that is left of the names; libraries beside it come along."""
    program = STRIP[arm64]
    assert program
    folder.mkdir()
    copy = folder / executable.name
    subprocess.run([program, "--strip-all", "-o", str(copy), str(executable)], check=True, timeout=60)
    if (executable.parent / "lib").is_dir():
        (folder / "lib").symlink_to(executable.parent / "lib")
    return copy


#: gdb's kinds of frames that have no frame of their own on the stack.
NOT_ON_THE_STACK = ("INLINE", "TAILCALL")


class TrueNames:
    """All names of the functions of an executable, by address."""

    def __init__(self, executable: Path) -> None:
        self._names: dict[int, set[str]] = {}
        self._ends: dict[int, int] = {}
        with executable.open("rb") as file:
            table = ELFFile(file).get_section_by_name(".symtab")
            assert isinstance(table, SymbolTableSection)
            for symbol in table.iter_symbols():
                start, info = symbol["st_value"], symbol["st_info"]["type"]
                if info in ("STT_FUNC", "STT_GNU_IFUNC") and start:
                    self._names.setdefault(start, set()).add(plain_name(symbol.name))
                    self._ends[start] = max(self._ends.get(start, 0), start + symbol["st_size"])
        self._starts = sorted(self._names)

    def at(self, address: int) -> set[str]:
        """The names of the function that holds ``address``."""
        index = bisect_right(self._starts, address) - 1
        if index < 0 or address >= self._ends[self._starts[index]]:
            return set()
        return self._names[self._starts[index]]


@dataclass
class Outcome:
    """Physical frames of all threads, and how many of them have a right name or, with us, a hint."""

    frames: int = 0
    ours: int = 0
    theirs: int = 0
    hints: int = 0
    wrong: list[str] = field(default_factory=list)
    their_wrong: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)  # named by gdb only


def compare(core: Path, stripped: Path, twin: Path, root: Path | None) -> Outcome:
    """Our frames and gdb's, both with the stripped executable only, against the truth."""
    process = Process(read_core(open_bytes(str(core))), Places(executable=str(stripped), sysroot=str(root or "")))
    truth, theirs = gdb.backtraces(core, twin, sysroot=root), gdb.backtraces(core, stripped, sysroot=root)
    names, found = TrueNames(twin), Outcome()
    for stack in backtraces(process):
        physical = [frame for frame in truth[stack.lwp] if frame.kind not in NOT_ON_THE_STACK]
        ours = [frame for frame in stack.frames if not frame.inlined and not frame.tail_call]
        if physical and physical[-1].function == "main":
            # Without its name (a static executable has no .dynsym) nothing tells that main() was reached.
            ours = ours[: len(physical)]
        if [frame.pc for frame in physical] != [frame.pc for frame in ours]:
            found.wrong.append(f"thread {stack.lwp}: {[one.function for one in physical]} {stack.stop}")
            continue
        given = {frame.pc: frame.function for frame in theirs[stack.lwp] if frame.kind not in NOT_ON_THE_STACK}
        called = False
        for true, our in zip(physical, ours, strict=True):
            address = true.pc - called
            called = true.kind != "SIGTRAMP"
            if not called:
                continue
            module = process.module_at(address)
            right = names.at(address - module.base) if isinstance(module, Module) and module.main else set()
            right = right or {plain_name(true.function)} - {""}
            found.frames += 1
            named = _judge(right, our.function, found.wrong)
            theirs_named = _judge(right, given.get(true.pc, ""), found.their_wrong)
            found.ours, found.theirs = found.ours + named, found.theirs + theirs_named
            if theirs_named and not named:
                found.missed.append(f"thread {stack.lwp}: {sorted(right)} {our}")
            found.hints += bool(our.hint and not our.function)
    return found


def _judge(right: set[str], name: str, wrong: list[str]) -> bool:
    """Whether a name is right; one that is not is kept. Where nobody knows the truth, none is judged."""
    if not name or not right:
        return False
    if plain_name(name) not in right:
        wrong.append(f"{name} is {sorted(right)}")
        return False
    return True
