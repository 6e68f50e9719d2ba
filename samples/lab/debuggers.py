"""What debuggers print of a core of ours: ``python -m samples.lab.debuggers --output DIR``.

gdb with the settings that people have, lldb 14, eu-stack 0.188, of one core of a build with debug information. Places
of the machine are replaced by those of a package; nothing else is changed.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from samples.lab import machine
from samples.lab.builds import CHECKOUT, runnable
from samples.lab.dying import dying, tell

_GDB = ("gdb", "-nx", "-q", "-iex", "set debuginfod enabled off")
#: Debian's lldb 14 does not find its own module.
_LLDB = "/usr/lib/llvm-14/lib/python3.11/dist-packages"
#: A terminal of 80 columns and 12 lines.
_PAGED = (
    "{ echo bt; sleep 2; echo; sleep 1; echo; sleep 1; echo q; } | "
    "gdb -nx -q -iex 'set debuginfod enabled off' -iex 'set height 12' -iex 'set width 80' PROGRAM CORE"
)
#: Name of a text: the command that prints it, where CORE and PROGRAM are replaced. A terminal is what makes gdb ask.
COMMANDS: dict[str, tuple[str, ...]] = {
    "gdb-arguments": (*_GDB, "-batch", "-ex", "set print frame-arguments all", "-ex", "bt"),
    "gdb-presence": (*_GDB, "-batch", "-ex", "set print frame-arguments presence", "-ex", "set print address off",
                     "-ex", "bt"),
    "gdb-narrow": (*_GDB, "-ex", "set width 80", "-ex", "set height 0", "-ex", "thread apply all bt", "-ex", "quit"),
    "gdb-full": (*_GDB, "-batch", "-ex", "bt -full"),
    "gdb-short": (*_GDB, "-batch", "-ex", "set print frame-info short-location", "-ex", "bt"),
    "gdb-filename": (*_GDB, "-batch", "-ex", "set filename-display basename", "-ex", "set print entry-values both",
                     "-ex", "bt"),
    "gdb-pager": ("script", "-qec", _PAGED, "/dev/null"),
    "lldb-bt": ("lldb", "--no-lldbinit", "--batch", "-c", "CORE", "PROGRAM", "-o", "bt"),
    "lldb-all": ("lldb", "--no-lldbinit", "--batch", "-c", "CORE", "PROGRAM", "-o", "thread backtrace all"),
    "eu-stack": ("eu-stack", "-e", "PROGRAM", "--core", "CORE"),
    "eu-stack-v": ("eu-stack", "-v", "-e", "PROGRAM", "--core", "CORE"),
    "eu-stack-s": ("eu-stack", "-s", "-i", "-e", "PROGRAM", "--core", "CORE"),
    "eu-stack-m": ("eu-stack", "-m", "-b", "-e", "PROGRAM", "--core", "CORE"),
}  # fmt: skip


def printed(command: tuple[str, ...], program: Path, core: Path) -> bytes:
    """What a command prints of the core."""
    words = [word.replace("PROGRAM", str(program)).replace("CORE", str(core)) for word in command]
    if command[0] == "gdb":
        words += [str(program), str(core)]
    done = subprocess.run(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONPATH": _LLDB},
    )
    text = done.stdout.replace(str(core).encode(), b"/var/crash/core")
    return text.replace(str(program).encode(), b"/usr/sbin/haproxy")


def make(lab: Path, build: str, words: str, output: Path) -> None:
    """All texts of one death."""
    subject = runnable(lab, build)
    with tempfile.TemporaryDirectory() as scratch:
        with dying(subject, Path(scratch) / "debuggers") as (running, left):
            tell(running, f"expert-mode on; debug dev {words}")
        core = left[0].core
        assert core is not None, "no core"
        for name, command in COMMANDS.items():
            target = output / f"3.0.11-{words.split(maxsplit=1)[0]}-{name}.txt"
            text = printed(command, subject.executable, core)
            target.write_bytes(re.sub(rb"(?:/[\w.-]+)+/haproxy-3\.0/src/", b"/usr/src/haproxy/", text))
            machine.redact(target)


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m samples.lab.debuggers", description=__doc__)
    parser.add_argument("--lab", type=Path, default=CHECKOUT / ".lab", help="builds")
    parser.add_argument("--output", type=Path, required=True, help="where texts go")
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    make(options.lab.resolve(), "haproxy-3.0", "bug", options.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
