"""What collects the words of a service, as on machines of users: rsyslogd, the journal, docker's json-file.

rsyslogd, journalctl and systemd-journal-remote are Debian's own programs (of the machine, or unpacked in the folder
that COLLECTORS names). Docker's format is written here: a JSON object a line.
"""

from __future__ import annotations

import json
import os
import re
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from samples.lab.haproxy import HOST_NAME, LabError

PROGRAMS = Path(os.environ.get("COLLECTORS", "/"))
#: The datagram socket that HAProxy writes to, in its folder.
SOCKET = "syslog"
SYSTEMD = ("systemd", 1)
_LIBRARIES = ("lib/systemd", "usr/lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu/systemd")
_HEAD = re.compile(rb"<\d+>\w{3} [ \d]\d \d\d:\d\d:\d\d (?P<tag>\w+)\[(?P<pid>\d+)\]: (?P<text>.*)\Z", re.DOTALL)
_STAMP = re.compile(r"\[ *(\d+\.\d+)\] (.*)")


def environment() -> dict[str, str]:
    """With the libraries of unpacked packages, and in UTC."""
    places = [str(PROGRAMS / each) for each in _LIBRARIES] + [f"/{each}" for each in _LIBRARIES]
    return {**os.environ, "LD_LIBRARY_PATH": ":".join(places), "TZ": "UTC"}


class Rsyslog:
    """A real rsyslogd with Debian's template, that writes one file."""

    def __init__(self, folder: Path) -> None:
        """Listen in the folder of the service, and write ``syslog.out`` there."""
        self.folder, self.written = folder, folder / "syslog.out"
        configuration = folder / "rsyslog.conf"
        configuration.write_text(
            f'global(workDirectory="{folder}" maxMessageSize="64k" localHostname="{HOST_NAME}")\n'
            'module(load="imuxsock" SysSock.Use="off")\n'
            f'input(type="imuxsock" Socket="{folder}/{SOCKET}" RateLimit.Interval="0" UseSysTimeStamp="on")\n'
            f'action(type="omfile" file="{self.written}" template="RSYSLOG_FileFormat")\n'
        )
        modules = PROGRAMS / "usr/lib/x86_64-linux-gnu/rsyslog"
        self._daemon = subprocess.Popen(
            [PROGRAMS / "usr/sbin/rsyslogd", "-n", "-f", configuration, "-i", folder / "pid", "-M", modules],
            env=environment(), stdin=subprocess.DEVNULL,
        )  # fmt: skip
        self._sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        end = time.monotonic() + 5
        while not (folder / SOCKET).exists():
            if time.monotonic() > end:
                raise LabError("rsyslogd does not listen")
            time.sleep(0.05)
        self._sender.connect(str(folder / SOCKET))

    def add(self, tag: str, pid: int, text: str, _stream: str = "stderr") -> None:
        """What a service wrote to its stderr, which systemd sends on."""
        date = time.strftime("%b %e %H:%M:%S")
        if text:
            self._sender.send(f"<30>{date} {tag}[{pid}]: {text}".encode())

    def kernel(self, line: str) -> None:
        """A line of the kernel's."""
        self._sender.send(f"<4>{time.strftime('%b %e %H:%M:%S')} kernel: {line}".encode())

    def cut(self) -> bytes:
        """What was written since the last cut, as a rotation takes it away."""
        time.sleep(0.3)
        text = self.written.read_bytes()
        self.written.write_bytes(b"")
        return text

    def close(self) -> None:
        """End the daemon."""
        self._sender.close()
        self._daemon.terminate()
        self._daemon.wait(5)


class Journal:
    """What a journal takes in: datagrams of HAProxy, lines of its stderr; journalctl prints them."""

    def __init__(self, folder: Path) -> None:
        """Listen in the folder of the service."""
        self.folder = folder
        self._records: list[tuple[float, str, int, str]] = []
        self._receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._receiver.bind(str(folder / SOCKET))
        (folder / SOCKET).chmod(0o666)
        self._receiver.settimeout(0.2)
        self._open = True
        self._thread = threading.Thread(target=self._receive, daemon=True)
        self._thread.start()

    def add(self, tag: str, pid: int, text: str, _stream: str = "stderr") -> None:
        """A line of a stream; the journal keeps no empty ones."""
        if text:
            self._records.append((time.time(), tag, pid, text))

    def kernel(self, line: str) -> None:
        """A line of the kernel's, whose clock is the journal's."""
        found = _STAMP.match(line)
        if found is not None:
            moment = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + float(found[1])
            self._records.append((moment, "kernel", 0, found[2]))

    def _receive(self) -> None:
        while self._open:
            try:
                found = _HEAD.match(self._receiver.recv(65536))
            except TimeoutError:
                continue
            if found is not None:
                self.add(found["tag"].decode(), int(found["pid"]), found["text"].decode().rstrip("\n"))

    def close(self) -> None:
        """Receive no more."""
        self._open = False
        self._thread.join(2)
        self._receiver.close()

    def print(self, form: str) -> bytes:
        """What `journalctl -o FORM` prints of all of it."""
        source, made = self.folder / "in.export", self.folder / "made.journal"
        source.write_bytes(b"".join(_entry(*each) for each in sorted(self._records, key=lambda one: one[0])))
        with source.open("rb") as stream:
            tool = PROGRAMS / "lib/systemd/systemd-journal-remote"
            subprocess.run([tool, "-o", made, "-"], stdin=stream, check=True, env=environment(), timeout=30)
        command = ["journalctl", f"--file={made}", "-o", form, "--all", "--no-pager", "-q"]
        return subprocess.run(command, check=True, capture_output=True, env=environment(), timeout=30).stdout


def _entry(moment: float, tag: str, pid: int, text: str) -> bytes:
    fields = {
        "__REALTIME_TIMESTAMP": int(moment * 1e6), "__MONOTONIC_TIMESTAMP": int(moment * 1e6) % 10**11,
        "_BOOT_ID": "0123456789abcdef0123456789abcdef", "_HOSTNAME": HOST_NAME, "SYSLOG_IDENTIFIER": tag,
        "PRIORITY": 6,
    }  # fmt: skip
    if pid:
        unit = "init.scope" if pid == 1 else "haproxy.service"
        fields |= {"_PID": pid, "_COMM": tag, "_SYSTEMD_UNIT": unit}
    head = "".join(f"{name}={value}\n" for name, value in fields.items()).encode()
    message = text.encode()
    return head + b"MESSAGE\n" + struct.pack("<Q", len(message)) + message + b"\n\n"


class Docker:
    """What docker's json-file driver keeps of a container's two streams."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._lines: list[str] = []
        self._lock = threading.Lock()

    def add(self, _tag: str, _pid: int, text: str, stream: str = "stderr") -> None:
        """A line of a stream."""
        with self._lock:
            now = time.time_ns()
            date = datetime.fromtimestamp(now // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%S")
            record = {"log": text + "\n", "stream": stream, "time": f"{date}.{now % 10**9:09d}Z"}
            self._lines.append(json.dumps(record, separators=(",", ":"), ensure_ascii=False))

    def kernel(self, line: str) -> None:
        """A container has no kernel's log."""

    def print(self) -> bytes:
        """The file."""
        return "".join(f"{line}\n" for line in self._lines).encode()

    def close(self) -> None:
        """Nothing is open."""


Collector = Rsyslog | Journal | Docker


def say(collector: Collector, *texts: str, tag: Sequence[str | int] = SYSTEMD) -> None:
    """What the manager of the service says; it is the recipe that speaks, in the manager's words."""
    for text in texts:
        collector.add(str(tag[0]), int(tag[1]), text)
