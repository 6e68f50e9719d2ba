"""gdb as an oracle: its backtraces, parsed frame by frame."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

from tests.oracles.guest import Loaded, is_arm64, loaded_files

GDB = shutil.which("gdb")
MULTIARCH = shutil.which("gdb-multiarch")

#: For gdb's own Python: one line a frame, ``KIND <lwp> <NORMAL|INLINE|TAILCALL|SIGTRAMP|...> <pc>``, innermost
#: first: its kind, and its program counter, which gdb's text leaves out at times.
KINDS = """
names = {value: name[:-6] for name, value in vars(gdb).items() if name.endswith("_FRAME")}
for thread in gdb.selected_inferior().threads():
    thread.switch()
    frame = gdb.newest_frame()
    while frame is not None:
        print("KIND", thread.ptid[1], names.get(frame.type(), "?"), hex(frame.pc()))
        try:
            frame = frame.older()
        except gdb.error:
            break
"""

_THREAD = re.compile(r"^Thread \d+ \((?:Thread 0x[0-9a-f]+ )?\(?LWP (\d+)\)?")
_FRAME = re.compile(
    r"^#(?P<index>\d+)\s+(?:(?P<pc>0x[0-9a-f]+) (?:\[PAC\] )?in )?"
    r"(?P<function><signal handler called>|\?\?|[^\s(]+)(?: \(.*?\))?(?: at (?P<file>\S+):(?P<line>\d+)| from \S+)?$"
)
_KIND = re.compile(r"^KIND (\d+) (\S+) (0x[0-9a-f]+)$")


@dataclass(frozen=True, slots=True)
class GdbFrame:
    """One frame as gdb prints it; ``pc`` is 0 and ``kind`` "" where gdb tells none.

    ``kind`` is one of gdb's own: NORMAL, INLINE, TAILCALL, SIGTRAMP, ...
    """

    function: str
    file: str
    line: int
    pc: int
    kind: str = ""


def backtraces(core: Path, executable: Path, *, sysroot: Path | None = None) -> dict[int, list[GdbFrame]]:
    """``thread apply all bt`` of ``core``: frames by LWP."""
    program = GDB
    subject = [str(executable), str(core)]
    if is_arm64(executable):
        program = MULTIARCH
        loaded = loaded_files(core, executable, sysroot)
        if loaded:  # without a list of files in the core gdb does not move them to where they were
            subject = ["-ex", f"core-file {core}", *_placed(loaded)]
    assert program
    settings = ("set width 0", "set confirm off", "set debuginfod enabled off", "set print frame-arguments none",
                f"set sysroot {sysroot}" if sysroot else "set auto-load safe-path /")  # fmt: skip
    options = [word for setting in settings for word in ("-iex", setting)]
    commands = ["-ex", "thread apply all bt", "-ex", f"python exec({KINDS!r})"]
    command = [program, "-nx", "-batch", *options, *subject, *commands]
    if subject[0] == str(executable):  # files come last, commands run after they were read
        command = [program, "-nx", "-batch", *options, *commands, *subject]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=120, check=False
    )
    text = done.stdout.decode("utf-8", "replace")
    return _with_kinds(parse(text), text)


def _placed(loaded: list[Loaded]) -> list[str]:
    """Commands that read each file's symbols at the place where it was loaded; the executable comes first."""
    words = []
    for place, file in enumerate(loaded):
        how = "add-symbol-file" if place else "symbol-file"
        words += ["-ex", f"{how} {file.path} -o {file.base:#x}"]
    return words


def lines(executable: Path, addresses: list[int]) -> list[tuple[str, int]]:
    """``info line`` of each address: file and line, ("", 0) where gdb knows none."""
    assert GDB
    script = executable.with_suffix(".gdb")
    script.write_text("".join(f"info line *{at}\n" for at in addresses))
    command = [GDB, "-nx", "-batch", "-ex", "set width 0", "-x", str(script), str(executable)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL)
    answers = re.findall(r'^Line (\d+) of "([^"]*)"|^No line', done.stdout, re.MULTILINE)
    assert len(answers) == len(addresses)
    return [(file, int(line or 0)) for line, file in answers]


def parse(text: str) -> dict[int, list[GdbFrame]]:
    """The frames of each thread in what gdb printed."""
    found: dict[int, list[GdbFrame]] = {}
    current: list[GdbFrame] | None = None
    for line in text.splitlines():
        thread = _THREAD.match(line)
        if thread:
            current = found.setdefault(int(thread[1]), [])
            continue
        frame = _FRAME.match(line)
        if frame and current is not None:
            name = "" if frame["function"] == "??" else frame["function"]
            current.append(GdbFrame(name, frame["file"] or "", int(frame["line"] or 0), int(frame["pc"] or "0", 16)))
    return found


def _with_kinds(stacks: dict[int, list[GdbFrame]], text: str) -> dict[int, list[GdbFrame]]:
    """The frames with what gdb's Python tells of each; as they are where this gdb has no Python."""
    kinds: dict[int, list[tuple[str, int]]] = {}
    for line in text.splitlines():
        if found := _KIND.match(line):
            kinds.setdefault(int(found[1]), []).append((found[2], int(found[3], 16)))
    if not kinds:
        return stacks
    return {
        lwp: [replace(frame, kind=kind, pc=pc) for frame, (kind, pc) in zip(frames, kinds[lwp], strict=True)]
        for lwp, frames in stacks.items()
    }
