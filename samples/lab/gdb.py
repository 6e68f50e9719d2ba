"""gdb as scheduler and, where a recipe says so, as the hand that breaks something.

Only hardware breakpoints are set in HAProxy: a breakpoint instruction written into the
code would make the kernel put the whole executable into the core.  Displaced stepping is
off for the same reason.  gdb 13 may end in an error of its own when the thread it follows
ends its process; by then its work is done.
"""

from __future__ import annotations

import os
import re
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from samples.lab.haproxy import LabError

BASE = (
    "set pagination off",
    "set confirm off",
    "set width 0",
    "set debuginfod enabled off",
    "set displaced-stepping off",
    "maintenance set internal-error corefile no",
    "maintenance set internal-error quit yes",
    "handle SIGALRM SIGUSR2 SIGPIPE nostop noprint pass",
    "handle SIGILL SIGABRT nostop print pass",
)


@dataclass(frozen=True)
class Target:
    """What gdb looks at: the executable, where its libraries and its source are."""

    executable: Path
    sysroot: Path | None = None
    source: Path | None = None

    def options(self) -> list[str]:
        """The gdb options for this target."""
        options = []
        if self.sysroot is not None:
            options += ["-iex", f"set sysroot {self.sysroot}"]
        if self.source is not None:
            options += ["-iex", f'set substitute-path /usr/src/haproxy "{self.source}"']
        return options


def _command(target: Target, commands: list[str], extra: list[str], timeout: float) -> list[str]:
    """The command line of one batch run."""
    line = ["timeout", str(int(timeout)), "gdb", "-nx", "-batch", *target.options()]
    for command in BASE:
        line += ["-iex", command]
    line += extra
    for command in commands:
        line += ["-ex", command]
    return line


def batch(
    target: Target,
    commands: list[str],
    *,
    pid: int | None = None,
    core: Path | None = None,
    timeout: float = 60,
) -> str:
    """Run gdb to its end; what it printed.  A process it attached to goes on afterwards."""
    extra = [str(target.executable)]
    if pid is not None:
        extra += ["-p", str(pid)]
    if core is not None:
        extra += ["-c", str(core)]
    done = subprocess.run(
        _command(target, commands, extra, timeout),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=timeout + 10,
        check=False,
    )
    return done.stdout


@dataclass
class Script:
    """A gdb script at work on a running process; its output is followed line by line."""

    target: Target
    pid: int
    script: Path
    timeout: float = 60
    lines: list[str] = field(default_factory=list)

    def start(self) -> Script:
        """Start gdb on the script."""
        extra = [str(self.target.executable), "-p", str(self.pid), "-x", str(self.script)]
        self.process = subprocess.Popen(
            _command(self.target, [], extra, self.timeout),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, "LC_ALL": "C"},
        )
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        return self

    def _read(self) -> None:
        """Keep every line of output."""
        if self.process.stdout is not None:
            for line in self.process.stdout:
                self.lines.append(line.rstrip("\n"))

    def wait_for(self, text: str, timeout: float = 30) -> str:
        """Wait for a line that contains ``text``."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            for line in list(self.lines):
                if text in line:
                    return line
            if self.process.poll() is not None and not self.reader.is_alive():
                break
            time.sleep(0.02)
        self.stop()
        raise LabError(f"gdb did not get to {text!r}: " + "\n".join(self.lines[-30:]))

    def finish(self, timeout: float = 60) -> str:
        """Wait for the end of gdb; all its output."""
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.stop()
        self.reader.join(5)
        return "\n".join(self.lines)

    def stop(self) -> None:
        """End gdb by its pid; the process it holds goes on."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10)


def address_of_statement(target: Target, function: str, text: str) -> int:
    """Offset in ``function`` of the first instruction compiled from a source line.

    ``text`` is a part of the line; inlined lines count.  The executable needs debug
    information and its source.
    """
    listing = batch(target, [f"disassemble /s {function}"])
    seen = False
    for line in listing.splitlines():
        if re.match(r"\d+\t", line):
            seen = text in line
            continue
        found = re.match(r"\s+0x[0-9a-f]+ <\+(\d+)>:", line)
        if found and seen:
            return int(found.group(1))
    raise LabError(f"no instruction of {text!r} in {function}")


def function_size(executable: Path, function: str) -> int:
    """The size of an exported function."""
    done = subprocess.run(
        ["readelf", "--wide", "--dyn-syms", str(executable)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    for line in done.stdout.splitlines():
        words = line.split()
        if len(words) >= 8 and words[7] == function:
            return int(words[2], 0)
    raise LabError(f"{function} is not exported by {executable}")
