"""gdb as an oracle for arguments and locals: `bt full`, parsed variable by variable."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from forensics.culprit import SIGNAL_FRAME
from forensics.elf.core import read_core
from forensics.logs.gdb_frame import parse_pasted_frame
from forensics.memory.open import open_bytes
from forensics.names import UNNAMED, plain_name
from forensics.symbols.find import Places
from forensics.unwind.address_space import AddressSpace
from forensics.unwind.backtrace import SIGNAL_HANDLER, Process, backtraces
from forensics.unwind.frame import ThreadStack
from forensics.unwind.variables import FrameVariables, variables_of
from tests.oracles.gdb import GDB, MULTIARCH

_LOCAL = re.compile(r"^ {8}([A-Za-z_]\w*) = (.*)$")
_THREAD = re.compile(r"^Thread \d+ \((?:Thread 0x[0-9a-f]+ )?\(?LWP (\d+)\)?")
_SYMBOL = re.compile(r"(0x[0-9a-f]+) <[^>]*>")


@dataclass(slots=True)
class GdbVariables:
    """The variables of one frame, as (name, value) in gdb's order."""

    function: str
    arguments: list[tuple[str, str]] = field(default_factory=list)
    locals: list[tuple[str, str]] = field(default_factory=list)


def bt_full(core: Path, executable: Path) -> str:
    """What gdb prints for all threads; gdb-multiarch where there is one, for cores of aarch64."""
    debugger = MULTIARCH or GDB
    assert debugger
    command = [debugger, "-nx", "-batch", "-iex", "set width 0", "-iex", "set print frame-arguments all",
               "-iex", "set print max-depth -1", "-iex", "set charset ASCII",
               "-ex", "thread apply all bt full", str(executable), str(core)]  # fmt: skip
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False)
    return done.stdout.decode("utf-8", "replace")


def parse(text: str) -> dict[int, list[GdbVariables]]:
    """The frames of `thread apply all bt full`, by LWP."""
    found: dict[int, list[GdbVariables]] = {}
    frames: list[GdbVariables] = []
    for line in text.splitlines():
        if thread := _THREAD.match(line):
            frames = found.setdefault(int(thread[1]), [])
            continue
        frame = parse_pasted_frame(line, 0) if line.startswith("#") else None
        if frame is not None:
            frames.append(GdbVariables(frame.function, list(_arguments(frame.args))))
        elif frames and (local := _LOCAL.match(line)):
            frames[-1].locals.append((local[1], local[2]))
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
    """Values that gdb gives: how many we give equally, and the others as lines to read.

    Threads of which gdb shows other frames are left out: frames are compared elsewhere.
    """

    equal: int = 0
    aggregates: int = 0
    other_frames: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    different_aggregates: list[str] = field(default_factory=list)


def compare(core: Path, executable: Path) -> Comparison:
    """Arguments and locals of all threads, frame by frame, with those of gdb."""
    process = Process(read_core(open_bytes(str(core))), Places(executable=str(executable)))
    theirs = parse(bt_full(core, executable))
    found = Comparison()
    for stack in backtraces(process):
        ours = variables_of(AddressSpace(process), stack, strings=True)
        _compare_frames(found, stack, ours, theirs.get(stack.lwp, []))
    return found


def _compare_frames(
    found: Comparison, stack: ThreadStack, ours: Sequence[FrameVariables], theirs: list[GdbVariables]
) -> None:
    if [plain_name(frame.function) for frame in stack.frames] != [
        SIGNAL_HANDLER if their.function == SIGNAL_FRAME else "" if their.function == UNNAMED else their.function
        for their in theirs
    ]:
        found.other_frames.append(f"thread {stack.lwp}: {[their.function for their in theirs]}")
        return
    for frame, mine, their in zip(stack.frames, ours, theirs, strict=False):
        where = f"{stack.lwp} #{frame.index} {their.function}"
        for name, value in their.arguments:
            _judge(found, f"{where} {name}", value, _argument_texts(mine, name))
        for name, value in their.locals:
            _judge(found, f"{where} {name}", value, [one.value for one in mine.locals if one.name == name])


def _argument_texts(mine: FrameVariables, name: str) -> list[str]:
    """What we have for ``name``, in gdb's forms ``name=name@entry=value`` and ``name@entry=value``."""
    bare = name.removesuffix("@entry")
    one = next((each for each in mine.arguments if each.name == bare), None)
    if one is None:
        return []
    if name != bare:
        return [one.entry_value]
    # gdb gives up on entry values where it cannot name the target of some jump; the value itself is the same.
    return [one.value, *([f"{name}@entry={one.value}"] if one.entry_value == one.value else [])]


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
