"""Real tools over a core: `python -m tests.diagnosis.collectors CORE EXECUTABLE NAME` writes tests/diagnosis/data/NAME.

It needs root, gdb, eu-stack, systemd-coredump, and systemd-journal-remote (or the directory of its unpacked package in
COLLECTORS). systemd-coredump works in a mount namespace of its own, with a journal that is a socket of ours, and beside a
stand-in for the process that is dead. Installing its package changes `kernel.core_pattern`: set it back.

What is done to make such crashes: `samples.lab.haproxy.crash(EXECUTABLE, "debug dev bug", ...)`, with `debug dev panic`
and `debug dev loop 8000`; for a segfault `samples.lab.recipes.segfault` with a build in the place of the package.
"""

from __future__ import annotations

import array
import ctypes
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from forensics.elf.core import CoreDump, read_core
from forensics.elf.module import Module
from forensics.memory.open import open_bytes
from tests.diagnosis.witnesses import DATA

COLLECTORS = Path(os.environ.get("COLLECTORS", "/"))
#: 2024-01-18 10:23:05.600716 UTC, in microseconds.
STARTED = 1705573385600716
BOOT = "0123456789abcdef" * 2
JOURNAL = Path("/run/systemd/journal/socket")
GDB = ("gdb", "-nx", "--batch", "-iex", "set debuginfod enabled off")
#: What is said of the machine instead of its own names.
INSTALLED = "/usr/local/sbin/haproxy"
CLONE_NEWNS, MS_BIND, MS_REC, MS_PRIVATE = 0x00020000, 0x1000, 0x4000, 0x40000


def mount(source: str, target: str, kind: str | None, flags: int) -> None:
    """One mount(2)."""
    if ctypes.CDLL(None).mount(source.encode(), target.encode(), kind.encode() if kind else None, flags, None):
        raise OSError(f"{target} cannot be mounted")


def own_namespace(executable: Path, mapped: str) -> None:
    """Mounts that only we see: no files of the real collector, and ``executable`` where the core had it."""
    if ctypes.CDLL(None).unshare(CLONE_NEWNS):
        raise OSError("no mount namespace: this needs root")
    mount("none", "/", None, MS_REC | MS_PRIVATE)
    mount("none", "/run/systemd", "tmpfs", 0)
    mount("none", "/var/lib/systemd/coredump", "tmpfs", 0)
    mount(str(executable), mapped, None, MS_BIND)


def receive(journal: socket.socket) -> bytes:
    """The next record; long ones come as a file."""
    data, extra, _flags, _sender = journal.recvmsg(1 << 20, socket.CMSG_SPACE(64))
    if data or not extra:
        return data
    with os.fdopen(array.array("i", extra[0][2])[0], "rb") as file:
        file.seek(0)
        return file.read()


def store(core: Path, signal: int, work: Path) -> bytes:
    """What systemd-coredump sends to the journal about the core."""
    JOURNAL.parent.mkdir()
    shutil.copy("/bin/sleep", work / "haproxy")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(str(JOURNAL))
        JOURNAL.chmod(0o666)
        journal.settimeout(20)
        helper = "/lib/systemd/systemd-coredump"
        listen = ["systemd-socket-activate", "--accept", "--seqpacket", "-l", "/run/systemd/coredump", helper]
        with (
            subprocess.Popen([work / "haproxy", "600"], cwd="/") as standin,
            subprocess.Popen(listen, stderr=subprocess.DEVNULL) as daemon,
            core.open("rb") as stream,
        ):
            try:
                time.sleep(0.5)
                about = [str(standin.pid), "0", "0", str(signal), str(STARTED // 10**6), str(2**63 - 1), "lb1"]
                subprocess.run([helper, *about], stdin=stream, check=True, timeout=60)
                while b"COREDUMP_PID=" not in (record := receive(journal)):
                    pass
            finally:
                standin.kill()
                daemon.terminate()
    return record


def through_systemd(core: Path, signal: int, work: Path) -> dict[str, str]:
    """What coredumpctl and journalctl print of it."""
    head = f"__REALTIME_TIMESTAMP={STARTED}\n__MONOTONIC_TIMESTAMP=1\n_BOOT_ID={BOOT}\n_HOSTNAME=lb1\n"
    (work / "in.export").write_bytes(head.encode() + store(core, signal, work) + b"\n")
    journal = f"--file={work}/made.journal"
    tool = COLLECTORS / "lib/systemd/systemd-journal-remote"
    subprocess.run([tool, "-o", work / "made.journal", work / "in.export"], check=True, timeout=30)
    return {
        "info": output("coredumpctl", journal, "info", "--no-pager"),
        "journal": output("journalctl", journal, "-q", "-o", "short", "--no-pager"),
    }


def output(*command: str | Path) -> str:
    """What a tool prints."""
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=120, check=False,
        env={**os.environ, "TZ": "UTC"},
    )  # fmt: skip
    return done.stdout


def in_child(core: Path, executable: Path, mapped: str, signal: int, folder: Path, prefix: str) -> None:
    """All tools over one core with this executable; in a child, as it leaves our mounts."""
    child = os.fork()
    if child:
        assert os.waitpid(child, 0)[1] == 0, f"{prefix or 'plain'} failed"
        return
    status = 1
    try:
        with tempfile.TemporaryDirectory() as work:
            own_namespace(executable, mapped)
            texts = through_systemd(core, signal, Path(work))
            for form, command in (("gdb-bt", "bt"), ("gdb-all", "thread apply all bt full")):
                texts[form] = output(*GDB, "-ex", command, executable, core)
            texts["eu-stack"] = output("eu-stack", "-e", executable, "--core", core)
            for form, text in texts.items():
                (folder / f"{prefix}{form}.txt").write_text(neutral(text, work, mapped, str(executable)))
        status = 0
    finally:
        os._exit(status)


def neutral(text: str, work: str, *executables: str) -> str:
    """Without the names of this machine."""
    for path in executables:
        text = text.replace(path, INSTALLED)
    text = text.replace(f"{work}/haproxy", "/usr/sbin/haproxy").replace(socket.gethostname(), "lb1")
    text = re.sub(r"(?<=core\.haproxy\.0\.)[0-9a-f]{32}", BOOT, text)
    return re.sub(r"(?m)[ \t]+$", "", text)


def main(arguments: list[str]) -> None:
    """Write the texts of one core."""
    core, executable, folder = Path(arguments[0]), Path(arguments[1]), DATA / arguments[2]
    dump: CoreDump = read_core(open_bytes(str(core)))
    main_module = dump.main_module
    assert isinstance(main_module, Module) and dump.signal is not None
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        for prefix, option in (("", ""), ("stripped.", "-s"), ("symtab.", "--strip-debug")):
            used = Path(scratch) / f"{prefix}haproxy" if option else executable
            if option:
                subprocess.run(["strip", option, "-o", used, executable], check=True, timeout=60)
            in_child(core, used, main_module.path, dump.signal.number, folder, prefix)


if __name__ == "__main__":
    main(sys.argv[1:])
