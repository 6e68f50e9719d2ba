"""Real crashes of pools: a HAProxy of the lab in which gdb writes once, and that dies of it under a little load."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from samples.lab import gdb
from samples.lab.builds import runnable
from samples.lab.haproxy import HAProxy, config_text, work_folder
from samples.lab.traffic import load

LAB = Path(__file__).resolve().parents[2] / ".lab"
PORT = 18297
CONFIG = config_text(
    2,
    f"""frontend web
    bind 127.0.0.1:{PORT}
    stick-table type ip size 100 expire 5m
    http-request track-sc0 src
    http-request return status 200
""",
)

#: The stream that was freed last, in a cache that has one.
FREED_STREAM = (
    "set $p = pool_head_stream",
    "set $c = $p->cache[0].count ? &$p->cache[0] : &$p->cache[1]",
    "set $o = (char*)$c->list.n",
    'printf "at %p %p %d\\n", $o, $p, $c->tid + 1',
)


def need(name: str) -> None:
    """Skip where the build or gdb is not there."""
    if not runnable(LAB, name).executable.is_file() or not shutil.which("gdb"):
        pytest.skip(f"the lab's {name} or gdb is missing")


def crash(name: str, folder: Path, commands: tuple[str, ...], *arguments: str) -> tuple[Path, tuple[int, ...]]:
    """The core of a HAProxy that died after gdb's ``commands``, and the numbers that these printed after `at`."""
    need(name)
    build = runnable(LAB, name)
    work = work_folder(f"pools-{name}", None)
    with HAProxy(build.executable, CONFIG, work, arguments=arguments) as running:
        assert load(PORT, 4) == 4
        printed = gdb.batch(gdb.Target(build.executable), list(commands), pid=running.pid)
        for _attempt in range(20):
            load(PORT, 1, timeout=1)
            if running.process.poll() is not None:
                break
        assert running.wait_end(5) is not None, printed
    core = folder / f"{name}.core"
    shutil.move(work / "core", core)
    found = re.search(r"^at (.*)$", printed, re.MULTILINE)
    return core, tuple(int(word, 0) for word in found[1].split()) if found else ()
