"""A HAProxy with a master, run as a service is: what it says is collected, and it is started again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from samples.lab.collectors import Collector, Docker, say
from samples.lab.haproxy import CONFIG, ENVIRONMENT, HAProxy, LabError, child
from samples.lab.loaded import Runnable
from samples.lab.origin import Origin, free_port, get

UNIT = "haproxy.service"
TITLE = f"{UNIT} - HAProxy Load Balancer"

SERVICE = """\
global
    nbthread 2
    maxconn 100
    log {log} local0
    stats socket unix@cli level admin expose-fd listeners
    stats timeout 30s
    hard-stop-after 10s
{more}
defaults
    mode http
    log global
    option httplog
    timeout client 600ms
    timeout http-request 400ms
    timeout connect 300ms
    timeout server 400ms
    timeout queue 150ms
    timeout tarpit 200ms
    retries 1

frontend web
    bind 127.0.0.1:{web}
    http-request track-sc0 src table clients
    http-request deny if {{ path /denied }}
    http-request tarpit if {{ path /tarpit }}
    http-request return status 204 if {{ path /ping }}
{rules}    use_backend narrow if {{ path_beg /queue }}
    use_backend gone if {{ path /refused }}
    default_backend app

frontend tls
    bind 127.0.0.1:{tls} ssl crt lab.pem
    default_backend app

frontend tcp
    mode tcp
    option tcplog
    bind 127.0.0.1:{tcp}
    default_backend raw

backend app
    balance roundrobin
    server app1 127.0.0.1:{one} check inter 150ms fall 2 rise 2
    server app2 127.0.0.1:{two} check inter 150ms fall 2 rise 2

backend narrow
    server app1 127.0.0.1:{one} maxconn 1

backend gone
    server nobody 127.0.0.1:{nobody}

backend raw
    mode tcp
    server app2 127.0.0.1:{two}

backend clients
    stick-table type ip size 100 expire 1m nopurge store http_req_cnt
"""


class Service(HAProxy):
    """HAProxy's master with what systemd does around it."""

    def __init__(self, subject: Runnable, folder: Path, collector: Collector, *, more: str = "", rules: str = "",
                 options: tuple[str, ...] = ()) -> None:  # fmt: skip
        """Write the configuration, and start two servers of ours behind it."""
        self.subject, self.folder, self.collector, self._options = subject, folder, collector, options
        self.config = folder / CONFIG
        self.servers = (Origin(), Origin())
        self._started = time.clock_gettime(time.CLOCK_BOOTTIME)
        self.web, self.tls, self.tcp = free_port(), free_port(), free_port()
        log = "stdout format raw" if isinstance(collector, Docker) else "unix@syslog"
        self.config.write_text(
            SERVICE.format(
                log=log, more=more, rules=rules, web=self.web, tls=self.tls, tcp=self.tcp, nobody=free_port(),
                one=self.servers[0].port, two=self.servers[1].port,
            ), encoding="utf-8",
        )  # fmt: skip
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=lab",
             "-keyout", "key", "-out", "crt"], cwd=folder, check=True, capture_output=True, timeout=30,
        )  # fmt: skip
        (folder / "lab.pem").write_bytes((folder / "crt").read_bytes() + (folder / "key").read_bytes())
        self.start()

    def start(self) -> None:
        """Start the master."""
        executable, arguments = self.subject.command()
        jail = self.subject.jail
        inside = f"/{self.folder.relative_to(jail)}" if jail is not None else str(self.folder)
        self.process = subprocess.Popen(
            [str(executable), *arguments, "-W", *self._options, "-f", CONFIG], env=ENVIRONMENT,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            preexec_fn=child(jail, inside, 512),
        )  # fmt: skip
        self.pid = self.process.pid
        self._readers = [
            threading.Thread(target=self._read, args=(stream, name), daemon=True)
            for stream, name in ((self.process.stdout, "stdout"), (self.process.stderr, "stderr"))
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, stream: IO[bytes], name: str) -> None:
        pid = self.pid
        for line in stream:
            self.collector.add("haproxy", pid, line.decode("utf-8", "replace").rstrip("\n"), name)

    def text(self) -> str:
        """Nothing: the words are the collector's."""
        return ""

    def stop(self) -> None:
        """End everything."""
        super().stop()
        for server in self.servers:
            server.stop()

    def reload(self) -> None:
        """What `systemctl reload` does."""
        before = self.worker()
        say(self.collector, f"Reloading {TITLE}...")
        self.process.send_signal(signal.SIGUSR2)
        for _turn in range(100):
            time.sleep(0.05)
            try:
                if self.worker() != before:
                    break
            except (OSError, LabError):
                pass
        else:
            raise LabError("it did not reload")
        say(self.collector, f"Reloaded {TITLE}.")

    def ended(self, threads: set[int]) -> int:
        """The exit code of the master; the manager tells of it, and starts it again.

        ``threads``: those of the worker that died, by which the kernel calls it.
        """
        code = self.wait_end(20.0)
        for reader in self._readers:
            reader.join(2)
        if code is None or code < 128:
            raise LabError(f"the master ended with {code}")
        self._kernel(threads)
        if not isinstance(self.collector, Docker):
            say(self.collector, f"{UNIT}: Main process exited, code=exited, status={code}/n/a",
                f"{UNIT}: Failed with result 'exit-code'.")  # fmt: skip
        time.sleep(0.1)
        if not isinstance(self.collector, Docker):
            say(self.collector, f"{UNIT}: Scheduled restart job, restart counter is at 1.", f"Stopped {TITLE}.",
                f"Starting {TITLE}...")  # fmt: skip
        self.start()
        self.wait_up()
        if not isinstance(self.collector, Docker):
            say(self.collector, f"Started {TITLE}.")
        return code

    def _kernel(self, pids: set[int]) -> None:
        """What the kernel said of these threads since the start, with the words that follow a fault."""
        lines = subprocess.run(["dmesg"], capture_output=True, text=True, timeout=10, check=True).stdout.splitlines()
        for number, line in enumerate(lines):
            stamp = line.lstrip("[ ").partition("]")[0]
            recent = stamp.replace(".", "").isdigit() and float(stamp) > self._started
            if recent and any(f"haproxy[{pid}]" in line for pid in pids):
                for each in lines[number : number + 2]:
                    if each is line or "] Code:" in each:
                        self.collector.kernel(each)

    # what its clients do

    def ordinary(self, count: int) -> None:
        """Requests that are answered."""
        for number in range(count):
            path = ("/", "/index.html", "/static/site.css", "/api/v1/items?page=2", "/ping")[number % 5]
            get(self.web, path, f"127.0.0.{2 + number % 40}")
            if number % 6 == 5:
                get(self.tcp, "/raw", f"127.0.0.{2 + number % 40}")

    def bad(self) -> None:
        """One each of what goes wrong between clients and servers, some of it at once."""
        slow = [
            threading.Thread(target=get, args=(self.web, path, source), kwargs=more, daemon=True)
            for path, source, more in (
                ("/slow", "127.0.0.50", {}),
                ("/tarpit", "127.0.0.51", {}),
                ("/queue/slow", "127.0.0.52", {}),
                ("/queue/next", "127.0.0.53", {}),
                ("/", "127.0.0.54", {"head": "GET / HTTP/1.1\r\nHost: l"}),
                ("/slow", "127.0.0.55", {"wait": 0.1}),
            )
        ]
        for one in slow:
            one.start()
            time.sleep(0.02)
        for number, path in enumerate(("/close", "/half", "/refused", "/denied", "/")):
            get(self.web, path, f"127.0.0.{60 + number}")
        get(self.web, "/", "127.0.0.66", head="BROKEN\r\n\r\n")
        get(self.tls, "/", "127.0.0.67")
        get(self.tcp, "/close", "127.0.0.68")
        for one in slow:
            one.join(5)

    def outage(self, *which: int) -> None:
        """Servers refuse connections for a second."""
        for one in which:
            self.servers[one].stop()
        self.ordinary(3)
        time.sleep(0.7)
        self.ordinary(5)
        for one in which:
            self.servers[one].start()
        time.sleep(0.7)

    def short_of_files(self) -> None:
        """The worker may open no more files for a while, and connections come."""
        pid = self.worker()
        used = len(os.listdir(f"/proc/{pid}/fd"))
        _prlimit(pid, used)
        self.ordinary(3)
        _prlimit(pid, 512)
        time.sleep(0.3)


def _prlimit(pid: int, files: int) -> None:
    """The number of the first descriptor that is too much."""
    subprocess.run(["prlimit", f"--pid={pid}", f"--nofile={files}:512"], check=True, timeout=5)


@contextmanager
def service(subject: Runnable, folder: Path, collector: Collector, **more: str | tuple[str, ...]) -> Iterator[Service]:
    """A running service; collector and folder are closed with it."""
    try:
        with Service(subject, folder, collector, **more) as running:  # type: ignore[arg-type]  # by name
            yield running
    finally:
        collector.close()
        shutil.rmtree(folder)
