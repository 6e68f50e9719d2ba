"""A stick-table of a million entries: counted and shown page by page, against gdb's Python and the living process."""

from __future__ import annotations

import shutil
import socket
import sys
import threading
import time
from pathlib import Path

from benchmarks.contestants import GDB, OURS, cache
from benchmarks.tables import against
from benchmarks.timing import BenchmarkError, Contestant, compare
from samples.lab.builds import runnable
from samples.lab.living import Living, living

ENTRIES = 1_000_000
LIVE = "`show table` of the living process"
#: A build with DWARF whose tables have shards.
BUILD = "haproxy-3.0"
LAB = Path(__file__).resolve().parents[1] / ".lab"
#: Runs of each: gdb's takes half a minute.
ROUNDS = 3
PAGE = 100

CONFIG = """\
global
    nbthread 2
    stats socket unix@cli level admin
    stats timeout 300s

defaults
    mode http
    timeout client 5s
    timeout connect 5s
    timeout server 5s

backend st
    stick-table type ip size 2m expire 1d store gpc0,http_req_rate(10s)
"""

#: Counts the leaves of all trees as our own walk does, links checked, with gdb's Python.
_GDB = """\
import gdb, struct
inferior, unpack, count = gdb.selected_inferior(), struct.Struct("<QQQQ").unpack, 0
table = gdb.parse_and_eval("stktables_list").dereference()
for shard in range(table["shards"].type.range()[1] + 1):
    root = int(table["shards"][shard]["keys"].address)
    top = int(table["shards"][shard]["keys"]["b"][0])
    pending = [(top, root)] if top else []
    while pending:
        branch, parent = pending.pop()
        address = branch & ~1
        left, right, node, leaf = unpack(inferior.read_memory(address, 32))
        if branch & 1:
            assert node == parent
            pending += [(right, address | 1), (left, address)]
        else:
            assert leaf == parent
            count += 1
print(count)
"""


def million_entries(scratch: Path, rounds: int) -> list[str]:
    """A table; nothing where the lab has no build or gdb is missing."""
    subject, gdb = runnable(LAB, BUILD), shutil.which("gdb")
    if not subject.executable.is_file() or not gdb:
        return []
    script, core = scratch / "count.py", scratch / "million-core"
    script.write_text(_GDB, encoding="utf-8")
    with living(subject, CONFIG, "million-entries") as one:
        _fill(one)
        one.take(core)
        executable = str(subject.executable)
        ours = (str(OURS), "show", "table", "st", str(core), "--exe", executable, "--limit", str(PAGE))
        asked = f"import socket\nc = socket.socket(socket.AF_UNIX)\nc.connect({_socket_of(one)!r})\n"
        asked += "c.sendall(b'show table st\\n')\nwhile c.recv(1 << 20): pass"
        results = compare(
            [
                Contestant("`show table`, first page", ours, lambda: cache(scratch / "warm")),
                Contestant(
                    "`show table`, last page: all are counted",
                    (*ours, "--offset", str(ENTRIES - PAGE)),
                    lambda: cache(scratch / "warm"),
                ),
                Contestant(GDB, (gdb, "-nx", "-batch", "-x", str(script), executable, str(core))),
                Contestant(LIVE, (sys.executable, "-c", asked)),
            ],
            min(rounds, ROUNDS),
        )
    core.unlink()
    counted = next(one.runs[0].output for one in results if one.name == GDB)
    if counted.split()[-1:] != [str(ENTRIES).encode()]:
        raise BenchmarkError(f"gdb counted {counted[-200:]!r}")
    return against(results, (GDB, LIVE))


def _socket_of(one: Living) -> str:
    return str(one.running.folder / "cli")


def _fill(one: Living) -> None:
    """Entries over the CLI, many to a line: some 150,000 a second."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(_socket_of(one))
        client.sendall(b"prompt\n")
        threading.Thread(target=_drain, args=(client,), daemon=True).start()
        for start in range(0, ENTRIES, 100):
            lines = (f"set table st key {_address(number)} data.gpc0 1" for number in range(start, start + 100))
            client.sendall((";".join(lines) + "\n").encode())
        end = time.monotonic() + 120
        while f"used:{ENTRIES}" not in one.ask("show table"):
            if time.monotonic() > end:
                raise BenchmarkError("the table was not filled")
            time.sleep(0.2)


def _drain(client: socket.socket) -> None:
    try:
        while client.recv(1 << 16):
            pass
    except OSError:
        return


def _address(number: int) -> str:
    """Addresses all over the tree, each once."""
    mixed = number * 2_654_435_761 & 0xFFFFFFFF
    return ".".join(str(byte) for byte in mixed.to_bytes(4, "big"))
