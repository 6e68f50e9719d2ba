"""Processes that die at one time and write line by line: each incident has its own lines and no other."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Sequence

import pytest

from forensics.logs import Incident, parse
from tests.logs.carriers import lines_of

#: Real texts of one death each.
TEXTS = (
    "2.6.12-requeue-forced.log", "2.9.0-debug-dev-bug.log", "2.9.0-requeue-expiry-race.log", "2.9.0-watchdog-1.log",
    "2.9.0-watchdog-2.log", "3.0.11-cache-corruption.log", "3.0.11-spinning.log", "3.2.0-debug-dev-bug.log",
    "3.2.26-double-free.log", "3.4.0-debug-dev-panic.log", "3.5-dev5-deadlock.log", "3.5-dev5-debug-dev-abort.log",
)  # fmt: skip
MASTER = 900
_SAID_BY_MASTER = re.compile(r"exited with code|All workers exited|exit-on-failure")

Line = tuple[str, str, int, str]
"""Host or container, tag, pid and text."""


def bsd(line: Line) -> str:
    host, tag, pid, text = line
    return f"Jan 18 11:23:05 {host} {tag if tag == 'kernel' else f'{tag}[{pid}]'}: {text}"


def rfc5424(line: Line) -> str:
    host, tag, pid, text = line
    return f"<30>1 2024-01-18T11:23:05.600716+01:00 {host} {tag} {'-' if tag == 'kernel' else pid} - - {text}"


def journal(line: Line) -> str:
    host, tag, pid, text = line
    known = {"_TRANSPORT": "kernel"} if tag == "kernel" else {"_PID": str(pid)}
    entry = {"__REALTIME_TIMESTAMP": "1705573385600716", "_HOSTNAME": host, "SYSLOG_IDENTIFIER": tag, **known}
    return json.dumps({**entry, "MESSAGE": text})


def containers(line: Line) -> str:
    """Docker's driver for the journal: the pid is dockerd's for all, the container's name is not."""
    _host, tag, pid, text = line
    entry = {"__REALTIME_TIMESTAMP": "1705573385600716", "_PID": "612", "SYSLOG_IDENTIFIER": f"c{pid}"}
    return json.dumps({**entry, "CONTAINER_NAME": f"{tag}-{pid}", "MESSAGE": text})


def kubectl(line: Line) -> str:
    _host, _tag, pid, text = line
    return f"[pod/haproxy-{pid}/haproxy] {text}"


def death(name: str, pid: int, number: int, host: str, told: bool) -> list[Line]:
    """What a worker wrote, and what the kernel and the master said of it."""
    texts = [line.decode("utf-8", "replace").rstrip("\n") for line in lines_of(name)]
    own = [re.sub(r"\(pid \d+\)", f"(pid {pid})", text) for text in texts if not _SAID_BY_MASTER.search(text)]
    lines: list[Line] = [(host, "haproxy", pid, text) for text in own if text.strip()]
    if not told:
        return lines
    code = 132 if " matched at " in "".join(own) else 134
    word = {132: "Illegal instruction", 134: "Aborted"}[code]
    if code == 132:
        ip = 0x55D0_0000_1000 + number * 0x100_0000_0000
        trap = f"traps: haproxy[{pid}] trap invalid opcode ip:{ip:x} sp:7ffc{number:08x} error:0"
        lines.append((host, "kernel", 0, f"{trap} in haproxy[{ip - 0x1000:x}+300000]"))
    return [
        *lines,
        (host, "haproxy", MASTER, f"[ALERT]    ({MASTER}) : Current worker ({pid}) exited with code {code} ({word})"),
    ]


def shuffled(chance: random.Random, queues: Sequence[list[Line]]) -> list[Line]:
    """One line of any of them after the other; the lines of each stay in order."""
    waiting, mixed = [list(each) for each in queues], []
    while waiting := [each for each in waiting if each]:
        chosen = chance.choice(waiting)
        for _line in range(chance.choice((1, 1, 1, 2, 5))):
            mixed += [chosen.pop(0)] if chosen else []
    return mixed


def essence(one: Incident) -> tuple[object, ...]:
    """All that an incident has, without the places in the file."""
    log = one.evidence
    return (
        one.pid,
        [(each.kind, each.condition, each.explanation, [frame.address for frame in each.frames])
         for each in log.bug_reports],
        [(each.thread, each.notes, [(dump.number, dump.task_function, dump.stream, [frame.address for frame in dump.frames])
         for dump in each.threads]) for each in log.panics],
        [(each.pid, each.ip) for each in log.kernel_faults],
        [(each.pid, each.code) for each in log.exits],
        sorted({each.what for each in log.mentions if each.what not in ("version", "executable", "status")}),
    )  # fmt: skip


def incidents(carrier: Callable[[Line], str], lines: Sequence[Line]) -> list[tuple[object, ...]]:
    text = "".join(f"{carrier(line)}\n" for line in lines)
    return [essence(one) for one in parse(text.encode().splitlines(keepends=True)).incidents]


@pytest.mark.parametrize("carrier", [bsd, rfc5424, journal, containers, kubectl])
@pytest.mark.parametrize("seed", range(24))
def test_every_process_has_its_own_frames_its_own_exit_and_its_own_kernel_line(
    carrier: Callable[[Line], str], seed: int
) -> None:
    chance = random.Random(seed)
    count = chance.randrange(2, 9)
    pids = chance.sample(range(1000, 30000), count)
    # Only one master can be behind one name; a container has the exits in a log of its own.
    told = carrier in (bsd, rfc5424, journal)
    queues = [
        death(chance.choice(TEXTS), pid, number, chance.choice(("lb1", "lb2")), told) for number, pid in enumerate(pids)
    ]
    alone = [one for each in queues for one in incidents(carrier, each)]
    assert len(alone) == count
    mixed = incidents(carrier, shuffled(chance, queues))
    key = repr
    assert sorted(mixed, key=key) == sorted(alone, key=key)


def test_code_that_two_processors_print_at_one_time_is_given_to_neither() -> None:
    """A code line names no process; after its own fault it is known."""
    fault = "Jan 18 11:23:05 lb1 kernel: haproxy[{}]: segfault at 8 ip 55d00000{} sp 7ffd error 4 in haproxy[55d000000000+1dd000]"
    code = "Jan 18 11:23:05 lb1 kernel: Code: 00 <{}> 07"
    first, second = fault.format(11, "1000"), fault.format(22, "2000")
    mixed = "\n".join((first, second, code.format("8b"), code.format("c6"))) + "\n"
    apart = "\n".join((first, code.format("8b"), second, code.format("c6"))) + "\n"
    assert [one.code for one in parse(mixed.encode().splitlines(keepends=True)).kernel_faults] == [None, None]
    codes = [one.code for one in parse(apart.encode().splitlines(keepends=True)).kernel_faults]
    assert codes == [b"\x00\x8b\x07", b"\x00\xc6\x07"]


def test_the_code_of_a_fault_is_found_although_others_write_meanwhile() -> None:
    fault = "Jan 18 11:23:05 lb1 kernel: haproxy[11]: segfault at 8 ip 55d000001000 sp 7ffd error 4 in haproxy[55d000000000+1dd000]"
    others = [bsd(line) for line in death("2.9.0-requeue-expiry-race.log", 4242, 0, "lb1", False)]
    lines = [fault, *others, "Jan 18 11:23:05 lb1 kernel: Code: 00 <8b> 07", ""]
    (one,) = parse("\n".join(lines).encode().splitlines(keepends=True)).kernel_faults
    assert one.code == b"\x00\x8b\x07"
