"""HAProxys whose threads ran, waited or panicked: each is made once for all tests that ask for it.

``lived`` was asked while it lived, and a core of it taken right after; the others died by themselves.
"""

from __future__ import annotations

import atexit
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from functools import cache
from pathlib import Path

import pytest

from forensics.haproxy.state import State
from forensics.memory.process import Segment
from forensics.show.asked import open_state
from forensics.symbols.places import Places
from samples.lab.builds import runnable
from samples.lab.haproxy import HAProxy, collect, config_text, work_folder
from samples.lab.living import living, write_core
from samples.lab.loaded import Runnable

LAB = Path(__file__).resolve().parents[2] / ".lab"
FILES = 256

#: A request takes the lock of the wait queue, as the table's task must be queued; the check is a task that waits.
CONFIG = config_text(
    2,
    """
frontend web
    bind unix@web
    http-request track-sc0 int(7) table st
    http-request return status 200

backend st
    stick-table type integer size 1k expire 30s store http_req_cnt

backend watched
    server down 127.0.0.1:9 check inter 500
""",
)
#: One thread serves each socket.
PINNED = CONFIG.replace(
    "stats socket unix@cli level admin",
    "stats socket unix@cli level admin thread 1\n    stats socket unix@other level admin thread 2",
)


@cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="dying-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def subject(name: str) -> Runnable:
    """A HAProxy of the lab; the test is skipped where it, or gdb, is missing."""
    found = runnable(LAB, name)
    if not found.executable.is_file():
        pytest.skip(f"the lab has no {name}: `python -m samples.lab.builds {name}`")
    if found.jail is not None and os.geteuid() != 0:
        pytest.skip("packages run in a root directory of their own, which needs root")
    return found


def opened(core: Path, name: str) -> State:
    """The state of a core of the build ``name``."""
    found = runnable(LAB, name)
    return open_state(str(core), Places(executable=str(found.executable), sysroot=str(found.jail or "")))


@cache
def lived(name: str, *commands: str) -> tuple[Path, dict[str, str]]:
    """A core of a living process, and what it answered to ``commands`` right before."""
    if shutil.which("gdb") is None:
        pytest.skip("gdb is not installed")
    core = _folder() / "-".join((name, *commands)).replace(" ", "-")
    with living(subject(name), CONFIG, f"lived-{name}") as process:
        time.sleep(0.2)  # until its first check is over
        process.take(core, commands)
    shutil.rmtree(process.running.folder, ignore_errors=True)
    return core, process.answers


@cache
def died(name: str, command: str) -> tuple[Path, str]:
    """The core of a process that ``command`` of its CLI killed, and its log."""
    chosen = subject(name)
    executable, arguments = chosen.command()
    folder = work_folder(f"died-{name}", chosen.jail)
    target = _folder() / f"{name}-{command.replace(' ', '-')}"
    with HAProxy(executable, CONFIG, folder, sysroot=chosen.jail, arguments=arguments, open_files=FILES) as running:
        running.cli(f"expert-mode on; {command}", 1.0)
        status = running.wait_end(40.0)
    crashed = collect(running, target, status)
    if crashed.core is None:
        pytest.skip("the kernel writes no core here: see /proc/sys/kernel/core_pattern")
    return crashed.core, crashed.log.read_text()


@cache
def stuck(name: str) -> Path:
    """A core of a process whose wait queue's lock was taken by nobody: gdb wrote the word of a writer into it."""
    chosen = subject(name)
    if shutil.which("gdb") is None:
        pytest.skip("gdb is not installed")
    executable, _arguments = chosen.command()
    with HAProxy(executable, CONFIG, work_folder(f"stuck-{name}", chosen.jail), open_files=FILES) as running:
        time.sleep(0.2)
        change = ["-ex", "set var *(unsigned long *)&wq_lock = 0x500000004", "-ex", "detach"]
        subprocess.run(
            ["gdb", "--batch", "-nx", "-p", str(running.pid), *change],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=True,
        )  # fmt: skip
        _request(running.folder / "web", b"GET / HTTP/1.0\r\n\r\n", 0.8)
        core = write_core(running.pid, _folder() / f"{name}-stuck")
        running.process.kill()
    shutil.rmtree(running.folder, ignore_errors=True)
    return core


@cache
def isolating(name: str) -> Path:
    """A core of a process whose first thread waits to be alone while the second one runs for a second."""
    chosen = subject(name)
    if shutil.which("gdb") is None:
        pytest.skip("gdb is not installed")
    executable, _arguments = chosen.command()
    with HAProxy(executable, PINNED, work_folder(f"isolating-{name}", chosen.jail), open_files=FILES) as running:
        asking = [
            threading.Thread(target=_request, args=(running.folder / place, line, 3.0))
            for place, line in (("other", b"expert-mode on; debug dev loop 1500\n"), ("cli", b"show tasks\n"))
        ]
        for one in asking:
            one.start()
            time.sleep(0.2)
        core = write_core(running.pid, _folder() / f"{name}-isolating")
        for one in asking:
            one.join()
    shutil.rmtree(running.folder, ignore_errors=True)
    return core


def rewritten(state: State, target: Path, words: dict[int, int], name: str) -> State:
    """The state of a copy of the core in which these 64-bit words, by address, are others."""
    shutil.copyfile(state.path, target)
    with target.open("r+b") as copy:
        for address, word in words.items():
            segment = state.space.memory.find(address)
            assert isinstance(segment, Segment)
            copy.seek(segment.offset + address - segment.address)
            copy.write((word & (1 << 64) - 1).to_bytes(8, "little"))
    return opened(target, name)


def _request(place: Path, line: bytes, timeout: float) -> bytes:
    """What the socket answers within ``timeout`` seconds; a stuck process answers nothing."""
    answer = b""
    folder = os.open(place.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(timeout)
            peer.connect(f"/proc/self/fd/{folder}/{place.name}")
            peer.sendall(line)
            while chunk := peer.recv(65536):
                answer += chunk
    except (TimeoutError, ConnectionError):
        pass
    finally:
        os.close(folder)
    return answer
