"""gdb as an oracle for arguments and locals: `bt full`, parsed variable by variable."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from forensics.elf.core import read_core
from forensics.logs.gdb_frame import parse_pasted_frame
from forensics.memory.open import open_bytes
from forensics.symbols.find import Places
from forensics.unwind.address_space import AddressSpace
from forensics.unwind.backtrace import Process, backtraces
from forensics.unwind.variables import FrameVariables, variables_of
from tests.oracles.gdb import GDB

_LOCAL = re.compile(r"^ {8}([A-Za-z_]\w*) = (.*)$")
_SYMBOL = re.compile(r"(0x[0-9a-f]+) <[^>]*>")


@dataclass(slots=True)
class GdbVariables:
    """The variables of one frame, as (name, value) in gdb's order."""

    function: str
    arguments: list[tuple[str, str]] = field(default_factory=list)
    locals: list[tuple[str, str]] = field(default_factory=list)


def bt_full(core: Path, executable: Path) -> str:
    """What gdb prints for the thread that died."""
    assert GDB
    command = [GDB, "-nx", "-batch", "-iex", "set width 0", "-iex", "set print frame-arguments all",
               "-iex", "set print max-depth -1", "-ex", "bt full", str(executable), str(core)]  # fmt: skip
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
    return done.stdout.decode("utf-8", "replace")


def parse(text: str) -> list[GdbVariables]:
    """The frames of `bt full`."""
    found: list[GdbVariables] = []
    # gdb shows the innermost frame on its own first.
    for line in text[text.find("\n#0", text.find("\n#0") + 1) :].splitlines():
        frame = parse_pasted_frame(line, 0) if line.startswith("#") else None
        if frame is not None:
            found.append(GdbVariables(frame.function, list(_arguments(frame.args))))
        elif found and (local := _LOCAL.match(line)):
            found[-1].locals.append((local[1], local[2]))
    return found


def _arguments(text: str) -> Iterator[tuple[str, str]]:
    depth, start, quote = 0, 0, ""
    for position, char in enumerate(f"{text}, "):
        if quote:
            quote = "" if char == quote and text[position - 1] != "\\" else quote
        elif char in "\"'":
            quote = char
        elif char in "({[":
            depth += 1
        elif char in ")}]":
            depth -= 1
        elif char == "," and not depth and re.match(r", (?:$|[A-Za-z_]\w*(?:@entry)?=)", f"{text}, "[position:]):
            name, _, value = text[start:position].partition("=")
            if name:
                yield name, value
            start = position + 2


def plain(value: str) -> str:
    """A value without the names of symbols, which need no DWARF."""
    return _SYMBOL.sub(r"\1", value)


@dataclass(slots=True)
class Comparison:
    """Values that gdb gives: how many we give equally, and the others as lines to read."""

    equal: int = 0
    aggregates: int = 0
    differences: list[str] = field(default_factory=list)
    different_aggregates: list[str] = field(default_factory=list)


def compare(core: Path, executable: Path) -> Comparison:
    """Arguments and locals of the thread that died, frame by frame, with those of gdb."""
    process = Process(read_core(open_bytes(str(core))), Places(executable=str(executable)))
    stack = backtraces(process)[0]
    ours = variables_of(AddressSpace(process), stack, strings=True)
    theirs = parse(bt_full(core, executable))
    found = Comparison()
    if len(ours) != len(theirs):
        found.differences.append(f"gdb has {len(theirs)} frames, we have {len(ours)}")
    for frame, mine, their in zip(stack.frames, ours, theirs, strict=False):
        where = f"#{frame.index} {their.function}"
        for name, value in their.arguments:
            _judge(found, f"{where} {name}", value, _argument_texts(mine, name))
        for name, value in their.locals:
            _judge(found, f"{where} {name}", value, [one.value for one in mine.locals if one.name == name])
    return found


def _argument_texts(mine: FrameVariables, name: str) -> list[str]:
    """What we have for ``name``, in gdb's forms ``name=name@entry=value`` and ``name@entry=value``."""
    plain_name = name.removesuffix("@entry")
    one = next((each for each in mine.arguments if each.name == plain_name), None)
    if one is None:
        return []
    if name != plain_name:
        return [one.entry_value]
    return [f"{name}@entry={one.value}" if one.entry_value == one.value else one.value]


def _judge(found: Comparison, what: str, theirs: str, ours: list[str]) -> None:
    if theirs.startswith(("<optimized", "<error", "<synthetic")):
        return
    aggregate = theirs.startswith(("{", '"', "'"))
    if plain(theirs) in map(plain, ours):
        if aggregate:
            found.aggregates += 1
        else:
            found.equal += 1
    else:
        lines = found.different_aggregates if aggregate else found.differences
        lines.append(f"{what}: gdb {theirs[:200]}, ours {[each[:200] for each in ours]}")
