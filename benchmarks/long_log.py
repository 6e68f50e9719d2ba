"""Finding an incident in gigabytes of traffic log, against grep for four words of it."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

from benchmarks.contestants import OURS, cache
from benchmarks.tables import against
from benchmarks.timing import Contestant, compare
from samples import golden

SIZE = 2 << 30
GREP = "`grep -aE`"
PATTERN = "FATAL|PANIC|exited with code|segfault"
#: Runs of each: one takes seconds.
ROUNDS = 5

_PATHS = ("api", "v1", "static", "img", "users", "orders", "cart", "search", "assets", "app.js", "item")


def long_log(scratch: Path, rounds: int) -> list[str]:
    """A table; nothing where grep is missing or the disk is too small. The lines that matter are the last ones."""
    grep = shutil.which("grep")
    if not grep or shutil.disk_usage(scratch).free < 2 * SIZE:
        return []
    log = scratch / "haproxy.log"
    write_log(log)
    results = compare(
        [
            Contestant("`triage` of a log", (str(OURS), "triage", str(log)), lambda: cache(scratch / "warm")),
            Contestant(GREP, (grep, "-aE", PATTERN, str(log))),
        ],
        min(rounds, ROUNDS),
    )
    log.unlink()
    return against(results, (GREP,))


def write_log(path: Path) -> None:
    """``SIZE`` bytes of made-up traffic, and at its end what a dying worker wrote."""
    chance = random.Random(1)  # noqa: S311 - the same log every time
    block = "".join(_line(chance, number) for number in range(100_000)).encode()
    with path.open("wb") as file:
        while file.tell() < SIZE:
            file.write(block)
        file.write((golden.SAMPLES / "requeue-race-2.9.6/worker.log").read_bytes())


def _line(chance: random.Random, number: int) -> str:
    """A line of `option httplog`."""
    clock = f"23:{number // 60 % 60:02d}:{number % 60:02d}"
    address = f"203.0.113.{chance.randrange(256)}:{chance.randrange(1024, 65536)}"
    asked = "/".join(chance.choice(_PATHS) for _part in range(chance.randrange(1, 6)))
    times = "/".join(str(chance.randrange(900)) for _part in range(5))
    counts = "/".join(str(chance.randrange(90)) for _part in range(5))
    return (
        f"Nov 24 {clock} lb1 haproxy[2417]: {address} [24/Nov/2026:{clock}.{chance.randrange(1000):03d}] web~"
        f" app/app{chance.randrange(12):02d} {times} {chance.choice((200, 200, 200, 304, 404, 503))}"
        f" {chance.randrange(200, 90_000)} - - ---- {counts} 0/0 {{www.example.org|Mozilla/5.0 (X11; Linux x86_64)}}"
        f' "GET /{asked}?id={chance.randrange(10**6)} HTTP/2.0"\n'
    )
