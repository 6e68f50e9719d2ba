"""Incidents of which only text is left: ``python -m samples.lab.incidents NAME|all`` makes their folders again.

A service with a master works, has trouble, is reloaded, dies and is started again. What it says is kept as a journal, a
container's log or a rotated file keeps it. HAProxy's words are its own; those of systemd are said by the recipe.
"""

from __future__ import annotations

import argparse
import gzip
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from samples.lab import machine
from samples.lab.builds import CHECKOUT, runnable
from samples.lab.collectors import Docker, Journal, Rsyslog
from samples.lab.dying import DOUBLE_FREE, LUA, armed, tell
from samples.lab.haproxy import LabError, work_folder
from samples.lab.loaded import Runnable
from samples.lab.origin import get
from samples.lab.service import service

#: A file of a sample by its name.
Files = dict[str, bytes]
_LUA = """\
    lua-load spin.lua
    tune.lua.forced-yield 2000000000
    tune.lua.session-timeout 0
    tune.lua.burst-timeout 0
    warn-blocked-traffic-after 600ms
"""


def _threads(pid: int) -> set[int]:
    return {int(each.name) for each in Path(f"/proc/{pid}/task").iterdir()}


def journal(subject: Runnable, folder: Path) -> Files:
    """3.4.7: an outage, a reload, blocked traffic, and an assertion; as `journalctl -u haproxy` prints it."""
    collector = Journal(folder)
    with service(subject, folder, collector) as running:
        running.ordinary(45)
        running.bad()
        running.outage(0)
        running.ordinary(10)
        running.reload()
        running.ordinary(20)
        running.outage(0, 1)
        running.bad()
        tell(running, "expert-mode on; debug dev loop 450")
        running.ordinary(25)
        threads = _threads(running.worker())
        tell(running, "expert-mode on; debug dev bug")
        _expect(running.ended(threads), 132)
        running.ordinary(20)
        config = running.config.read_bytes()
        collector.close()
        return {"journal.log": collector.print("short"), "haproxy.cfg": config}


def container(subject: Runnable, folder: Path) -> Files:
    """3.2.26: a script that never returns, warnings of it, and the watchdog; as docker's json-file."""
    (folder / "spin.lua").write_text(LUA)
    collector = Docker()
    rules = "    http-request lua.spin if { path /report }\n"
    with service(subject, folder, collector, more=_LUA, rules=rules, options=("-db",)) as running:
        running.ordinary(40)
        running.bad()
        running.outage(1)
        running.ordinary(15)
        running.bad()
        threads = _threads(running.worker())
        threading.Thread(target=get, args=(running.web, "/report", "127.0.0.90"), daemon=True).start()
        time.sleep(0.3)
        running.ordinary(4)
        _expect(running.ended(threads), 134)
        running.ordinary(20)
        return {"container-json.log": collector.print(), "haproxy.cfg": running.config.read_bytes()}


def rotated(subject: Runnable, folder: Path) -> Files:
    """3.0.11: an object of a pool is freed twice; as rsyslog writes it and logrotate keeps it."""
    collector = Rsyslog(folder)
    with service(subject, folder, collector, options=("-dMtag,no-merge",)) as running:
        running.ordinary(45)
        running.bad()
        running.reload()
        running.ordinary(15)
        oldest = collector.cut()
        running.ordinary(20)
        running.outage(0)
        running.short_of_files()
        running.bad()
        threads = _threads(running.worker())
        script = folder / "double-free.gdb"
        script.write_text("set pagination off\nhandle SIGALRM SIGUSR2 SIGURG nostop noprint pass\n" + DOUBLE_FREE)
        with armed(running.worker(), script):
            get(running.web, "/", "127.0.0.91")
            running.wait_end(10.0)
        _expect(running.ended(threads), 132)
        running.ordinary(10)
        old = collector.cut()
        running.ordinary(40)
        running.bad()
        running.reload()
        running.ordinary(15)
        return {
            "haproxy.log": collector.cut(),
            "haproxy.log.1.gz": old,
            "haproxy.log.2.gz": oldest,
            "haproxy.cfg": running.config.read_bytes(),
        }


def _expect(code: int, expected: int) -> None:
    if code != expected:
        raise LabError(f"the master ended with {code}, not {expected}")


RECIPES: dict[str, tuple[str, Callable[[Runnable, Path], Files]]] = {
    "journal-bug-3.4.7": ("package-3.4", journal),
    "container-lua-loop-3.2.26": ("package-3.2", container),
    "rotated-double-free-3.0.11": ("package-3.0", rotated),
}


def make(lab: Path, name: str, output: Path) -> None:
    """Write the files of one incident."""
    build, recipe = RECIPES[name]
    subject = runnable(lab, build)
    files = recipe(subject, work_folder("incident", subject.jail))
    private = machine.private(lab, CHECKOUT)
    target = output / name
    target.mkdir(parents=True, exist_ok=True)
    for file, content in files.items():
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / file
            path.write_bytes(content)
            machine.redact(path)
            machine.check(path, private)
            told = path.read_bytes()
        (target / file).write_bytes(gzip.compress(told, 9, mtime=0) if file.endswith(".gz") else told)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0 when every incident asked for was made."""
    parser = argparse.ArgumentParser(prog="python -m samples.lab.incidents", description=__doc__)
    parser.add_argument("name", choices=[*RECIPES, "all"])
    parser.add_argument("--lab", type=Path, default=CHECKOUT / ".lab", help="builds and packages")
    parser.add_argument("--output", type=Path, default=CHECKOUT / "samples", help="where samples go")
    options = parser.parse_args(arguments)
    for name in RECIPES if options.name == "all" else [options.name]:
        make(options.lab.resolve(), name, options.output.resolve())
    return 0


if __name__ == "__main__":
    sys.exit(main())
