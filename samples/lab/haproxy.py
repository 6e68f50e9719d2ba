"""Start a real HAProxy, talk to its CLI, make it crash, collect what it leaves.

Every process gets an empty environment, a folder of its own as working directory and
relative paths only, so that nothing of the machine is found in its core.
"""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

PACKAGED = Path("/usr/sbin/haproxy")
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin"}
CONFIG = "haproxy.cfg"
LOG = "worker.log"
CLI = "cli"
OPEN_FILES = 64
STACK = 512 * 1024
HOST_NAME = "lab"
CLONE_NEWUTS, CLONE_NEWNS = 0x04000000, 0x00020000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000

GLOBAL = """\
global
    nbthread {threads}
    maxconn 10
    tune.bufsize 4096
    tune.maxpollevents 8
    stats socket unix@cli level admin
    stats timeout 30s

defaults
    mode http
    timeout client 5s
    timeout connect 2s
    timeout server 5s
"""


class LabError(RuntimeError):
    """A process did not do what the recipe expects."""


@dataclass(frozen=True)
class Crashed:
    """What a process left behind; ``core`` is None when the kernel wrote none."""

    core: Path | None
    log: Path
    config: Path
    pid: int
    returncode: int | None


def config_text(threads: int = 2, extra: str = "") -> str:
    """A small configuration with a CLI socket; ``extra`` follows its defaults section."""
    return GLOBAL.format(threads=threads) + (f"\n{extra.strip(chr(10))}\n" if extra else "")


def _unlimited_core() -> None:
    """Raise the core limit as far as this user may."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    wish = resource.RLIM_INFINITY if os.geteuid() == 0 else hard
    resource.setrlimit(resource.RLIMIT_CORE, (wish, wish))


def _mount(source: str, target: str, kind: str | None, flags: int) -> None:
    """One mount(2); what is not there to be covered needs no cover."""
    ctypes.CDLL(None).mount(source.encode(), target.encode(), kind.encode() if kind else None, flags, None)


def _neutral_machine(chrooted: bool) -> None:
    """Hide what HAProxy reads of the machine and keeps in memory (needs root).

    That is the host name, the name servers, and the certificates the machine trusts.
    """
    if os.geteuid() != 0:
        return
    if ctypes.CDLL(None).unshare(CLONE_NEWUTS | CLONE_NEWNS) != 0:
        return
    socket.sethostname(HOST_NAME)
    _mount("none", "/", None, MS_REC | MS_PRIVATE)
    if not chrooted:
        _mount("none", "/etc/ssl/certs", "tmpfs", 0)
        _mount("/dev/null", "/etc/resolv.conf", None, MS_BIND)


def child(root: Path | None, folder: str, open_files: int) -> Callable[[], None]:
    """What the child does before it becomes HAProxy."""

    def prepare() -> None:
        _unlimited_core()
        _neutral_machine(root is not None)
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(open_files, hard),) * 2)
        _, hard = resource.getrlimit(resource.RLIMIT_STACK)
        resource.setrlimit(resource.RLIMIT_STACK, (STACK, hard))
        if root is not None:
            os.chroot(root)
        os.chdir(folder)

    return prepare


def work_folder(name: str, root: Path | None) -> Path:
    """A fresh neutral folder, ``/tmp/haproxy-lab/NAME`` of the host or of a sysroot.

    The path ends up in the core: that is why a run never works in the checkout.
    """
    base = (root or Path("/")) / "tmp/haproxy-lab"
    if not base.is_dir():
        base.mkdir(parents=True)
        base.chmod(0o1777)
    folder = base / name
    try:
        folder.mkdir()
    except FileExistsError:
        folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=base))
    return folder


class HAProxy:
    """A running HAProxy; use it as a context manager so that it never stays behind."""

    def __init__(
        self,
        executable: Path,
        config: str,
        folder: Path,
        *,
        sysroot: Path | None = None,
        arguments: tuple[str, ...] = (),
        open_files: int = OPEN_FILES,
        both: bool = False,
    ) -> None:
        """Write the configuration to ``folder`` and start ``executable`` there.

        With ``sysroot`` the process is chrooted: ``executable`` is then a path inside
        the sysroot, and ``folder`` (given as seen from outside) must be below it.
        ``both``: what it writes to stdout is kept with stderr, as systemd does.
        """
        if sysroot is not None and os.geteuid() != 0:
            raise LabError("a private sysroot needs chroot, hence root")
        self.folder = folder
        self.config = folder / CONFIG
        self.log = folder / LOG
        self.config.write_text(config, encoding="utf-8")
        inside = f"/{folder.relative_to(sysroot)}" if sysroot is not None else str(folder)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [str(executable), *arguments, "-f", CONFIG],
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=log if both else subprocess.DEVNULL,
                stderr=log,
                close_fds=True,
                preexec_fn=child(sysroot, inside, open_files),
            )
        self.pid = self.process.pid

    def __enter__(self) -> Self:
        """Wait until the CLI answers."""
        try:
            self.wait_up()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the process if it is still there."""
        self.stop()

    def cli(self, command: str, timeout: float = 5.0) -> str:
        """Send one line to the CLI; the answer (whatever came before the peer died)."""
        folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        answer = b""
        try:
            with socket.socket(socket.AF_UNIX) as peer:
                peer.settimeout(timeout)
                peer.connect(f"/proc/self/fd/{folder}/{CLI}")  # short, however deep the folder
                peer.sendall(command.encode() + b"\n")
                while chunk := peer.recv(65536):
                    answer += chunk
        except (ConnectionError, TimeoutError):
            if not answer and not command.startswith("expert-mode"):
                raise
        finally:
            os.close(folder)
        return answer.decode("utf-8", "replace")

    def wait_up(self, timeout: float = 10.0) -> None:
        """Wait for the first answer of the CLI."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if self.process.poll() is not None:
                break
            try:
                if "Version:" in self.cli("show info", 1.0):
                    return
            except OSError:
                pass
            time.sleep(0.02)
        raise LabError(f"haproxy did not start: {self.text()[-2000:]}")

    def worker(self) -> int:
        """The pid of the process that serves (another one than ours in master mode)."""
        for line in self.cli("show info").splitlines():
            if line.startswith("Pid:"):
                return int(line.split()[1])
        raise LabError("the CLI does not tell a pid")

    def wait_end(self, timeout: float = 15.0) -> int | None:
        """Wait until the process is gone; None when it lives on."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def stop(self) -> None:
        """End the process by its pid."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is not None:
                return
            self.process.send_signal(number)
            self.wait_end(3.0)

    def text(self) -> str:
        """What it wrote to stderr so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def core(self) -> Path | None:
        """The core in its folder, if the kernel wrote one there."""
        found = sorted(path for path in self.folder.glob("core*") if path.is_file())
        return found[0] if found else None


def collect(haproxy: HAProxy, directory: Path, returncode: int | None) -> Crashed:
    """Move core, log and configuration of a finished process to ``directory``."""
    directory.mkdir(parents=True, exist_ok=True)
    core = haproxy.core()
    kept = None
    if core is not None:
        kept = directory / "core"
        move_sparse(core, kept)
    for path in (haproxy.log, haproxy.config):
        if path.parent != directory:
            shutil.copyfile(path, directory / path.name)
    if haproxy.folder != directory:
        shutil.rmtree(haproxy.folder)
    return Crashed(kept, directory / LOG, directory / CONFIG, haproxy.pid, returncode)


def move_sparse(source: Path, target: Path) -> None:
    """Move a core without filling its holes."""
    if source != target:
        subprocess.run(["cp", "--sparse=always", str(source), str(target)], check=True, timeout=120)
        source.unlink()
    target.chmod(0o644)


def crash(
    haproxy: Path,
    command: str,
    directory: Path,
    *,
    threads: int = 2,
    config_extra: str = "",
    sysroot: Path | None = None,
    arguments: tuple[str, ...] = (),
    timeout: float = 15.0,
) -> Crashed:
    """Start ``haproxy``, send it ``command`` in expert mode, and collect what is left.

    ``command`` is a CLI line such as ``debug dev bug``.  With ``sysroot`` (needs root)
    ``haproxy`` is a path inside it, as in ``/usr/sbin/haproxy``.  A process that does not
    die within ``timeout`` seconds is ended; its ``returncode`` is then None.
    """
    folder = work_folder(directory.name, sysroot)
    config = config_text(threads, config_extra)
    # A thread takes some descriptors of its own; with two the limit of the committed samples does.
    files = max(OPEN_FILES, 24 * threads)
    with HAProxy(haproxy, config, folder, sysroot=sysroot, arguments=arguments, open_files=files) as running:
        running.cli(f"expert-mode on; {command}", 1.0)
        returncode = running.wait_end(timeout)
    return collect(running, directory, returncode)
