"""Several deaths in one log are told apart, one incident each."""

from __future__ import annotations

import random
from itertools import zip_longest

import pytest

from forensics.logs import BugReport, Incident, KernelFault, OutOfMemory, Panic, incidents, parse
from tests.logs.carriers import lines_of, text_lines

RACE, FORCED, WATCHDOG = "2.9.0-requeue-expiry-race.log", "2.6.12-requeue-forced.log", "2.9.0-watchdog-2.log"
SIGNALS = {132: "Illegal instruction", 134: "Aborted", 139: "Segmentation fault", 137: "Killed"}


def tagged(name: str, pid: int, host: str = "lb1") -> list[bytes]:
    """A real log below syslog's tag."""
    return [f"Jan 18 11:23:05 {host} haproxy[{pid}]: ".encode() + line for line in lines_of(name)]


def exits(pid: int, code: int, master: int | None = 7) -> bytes:
    """What a master says, below its tag or without any."""
    tag = f"Jan 18 11:23:05 lb1 haproxy[{master}]: " if master else ""
    return f"{tag}[ALERT]    (7) : Current worker ({pid}) exited with code {code} ({SIGNALS[code]})\n".encode()


def woven(*logs: list[bytes]) -> list[bytes]:
    """The lines of several logs, one of each in turn."""
    return [line for row in zip_longest(*logs) for line in row if line]


def told(lines: list[bytes]) -> list[tuple[int | None, int]]:
    """Pid of each incident, and how many frames its report or its panic has."""
    return [(one.pid, _frames(one)) for one in parse(lines).incidents]


def _frames(one: Incident) -> int:
    fatal = one.evidence.fatal()
    if isinstance(fatal, Panic):
        return sum(len(dump.frames) for dump in fatal.threads)
    return len(fatal.frames) if isinstance(fatal, BugReport) else 0


def test_interleaved_dumps_do_not_mix_their_frames() -> None:
    """Three processes that write line by line, told apart by the pid of their tags."""
    alone = [told(tagged(name, pid)) for name, pid in ((RACE, 11), (FORCED, 22), (WATCHDOG, 33))]
    mixed = told(woven(tagged(RACE, 11), tagged(FORCED, 22), tagged(WATCHDOG, 33)))
    assert sorted(mixed) == sorted(one for each in alone for one in each)
    assert [pid for pid, _frames in sorted(mixed)] == [11, 22, 33]


def test_any_order_of_interleaving_gives_the_same_incidents() -> None:
    """As long as each writer's own lines are in order."""
    chance = random.Random(1)
    for _try in range(20):
        queues = [tagged(RACE, 11), tagged(FORCED, 22), tagged(WATCHDOG, 33), tagged(RACE, 11, "lb2")]
        mixed = []
        while queues := [each for each in queues if each]:
            mixed.append(chance.choice(queues).pop(0))
        assert sorted(told(mixed)) == [(11, 12), (11, 12), (22, 12), (33, told(tagged(WATCHDOG, 33))[0][1])]


def test_the_master_names_the_processes_that_wrote_under_its_own_pid() -> None:
    """An inherited stderr: the tag is the master's, and assertions and traces are writes of their own."""
    race, forced = lines_of(RACE)[1:], lines_of(FORCED)[1:]
    mixed = [race[0], forced[0], *race[1:], *forced[1:]]
    lines = [b"Jan 18 11:23:05 lb1 haproxy[7]: " + line for line in mixed]
    found = parse([*lines, exits(11, 132), exits(22, 139)]).incidents
    assert [(one.pid, _frames(one)) for one in found] == [(11, 12), (22, 12)]
    conditions = [(one.evidence.bug_reports[0].line_number, one.evidence.exits[0].pid) for one in found]
    assert conditions == [(285, 11), (310, 22)]
    assert found[0].evidence.bug_reports[0].frames[0].address == 0x564675CA7538
    assert found[1].evidence.bug_reports[0].frames[0].address == 0x560F88102C2F


def test_the_workers_own_tag_finds_its_exit() -> None:
    """The journal knows who writes, so the order of exits does not matter."""
    lines = [*tagged(RACE, 11), *tagged(RACE, 22), exits(22, 132), exits(11, 132)]
    found = parse(lines).incidents
    assert [(one.pid, one.evidence.exits[0].pid, one.number) for one in found] == [(22, 22, 1), (11, 11, 2)]


def test_a_container_that_gives_every_worker_the_same_pid_has_one_incident_for_each() -> None:
    """Pid 8 dies again and again."""
    lines = [*lines_of(RACE), exits(8, 132, None)] * 5
    assert told(lines) == [(8, 12)] * 5
    assert [one.number for one in parse(lines).incidents] == [1, 2, 3, 4, 5]


def test_all_witnesses_of_one_death_are_one_incident() -> None:
    """The process, the kernel, systemd-coredump, the master, systemd; though the kernel names the thread."""
    lines = [
        *tagged(RACE, 7),
        b"Jan 18 11:23:05 lb1 kernel: traps: haproxy[13] trap invalid opcode ip:55d0 sp:7ffd error:0 in haproxy[1000+2]\n",
        exits(11, 132),
        (
            b"Jan 18 11:23:06 lb1 systemd-coredump[90]: Process 11 (haproxy) of user 188 dumped core.#012#012"
            b"Stack trace of thread 13:#012#0  0x00007fd2b748bedc __task_queue (haproxy + 0x8bedc)\n"
        ),
        b"Jan 18 11:23:06 lb1 systemd[1]: haproxy.service: Main process exited, code=exited, status=132/n/a\n",
    ]
    (one,) = parse(lines).incidents
    assert (one.pid, one.pids, one.first.line, one.last.line) == (11, (7, 11, 13), 2, len(lines))
    assert [len(each) for each in one.evidence.ranked()] == [1, 1, 1, 0, 0, 1, 1]


def test_threads_that_fault_at_one_time_are_one_process() -> None:
    """The kernel writes a line each, with one mapping; another mapping is another process."""
    line = "[ 12.345678] haproxy[{}]: segfault at 8 ip 000055d0 sp 00007ffd error 4 in haproxy[{}+1dd000]\n"
    text = line.format(101, "55d000000000") + line.format(102, "55d000000000") + line.format(200, "561000000000")
    assert [one.pids for one in parse(text_lines(text)).incidents] == [(101, 102), (200,)]


def test_a_process_that_the_kernel_killed_is_no_part_of_the_next_crash() -> None:
    """Nor the other way round."""
    killed = b"Jan 18 11:23:05 lb1 kernel: Out of memory: Killed process 9 (haproxy) total-vm:1kB\n"
    found = parse([killed, exits(9, 137), *tagged(RACE, 7), exits(11, 132)]).incidents
    assert [type(one.evidence.fatal()) for one in found] == [OutOfMemory, BugReport]
    assert [one.pid for one in found] == [9, 11]


def test_deaths_that_are_hours_apart_are_two() -> None:
    """Whatever the kinds of their witnesses are."""
    fault = b"Jan 18 19:00:00 lb1 kernel: haproxy[50]: segfault at 8 ip 000055d0 sp 00007ffd error 4 in haproxy[1+2]\n"
    found = parse([*tagged(RACE, 7), fault]).incidents
    assert [type(one.evidence.fatal()) for one in found] == [BugReport, KernelFault]


def test_a_report_quoted_above_itself_is_one() -> None:
    """As tickets begin."""
    lines = lines_of(RACE)
    assert told([lines[1], b"it happened today:\n", *lines]) == [(None, 12)]


def test_an_incident_has_what_was_said_of_the_process_before() -> None:
    """Its version, and not that of the release that was started later."""
    notice = "[NOTICE]   (7) : haproxy version is {}\n"
    traffic = [b"GET / 200\n"] * 20
    lines = [notice.format("2.9.0").encode(), *lines_of(RACE), exits(11, 132, None), *traffic]
    lines += [notice.format("2.9.6").encode()]
    lines += [*lines_of(RACE), exits(12, 132, None)]
    first, second = parse(lines).incidents
    assert [one.value for one in first.evidence.mentions] == ["2.9.0"]
    assert [one.value for one in second.evidence.mentions] == ["2.9.0", "2.9.6"]


def test_a_flood_keeps_the_latest_and_counts_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers go on."""
    monkeypatch.setattr(incidents, "MAX_INCIDENTS", 10)
    evidence = parse([*lines_of(RACE), exits(8, 132, None)] * 25)
    assert [one.number for one in evidence.incidents] == list(range(16, 26))
    assert evidence.earlier_incidents == 15


def test_nothing_but_deaths_makes_an_incident() -> None:
    """Warnings, ordinary ends, deaths of others."""
    text = (
        'WARNING: check condition "x" matched at src/a.c:1 (please report to developers)\n'
        "[WARNING]  (1) : Former worker (7) exited with code 143 (Terminated)\n"
        "nginx[7]: segfault at 0 ip 0000 sp 7ffd error 4 in nginx[55d000000000+1dd000]\n"
    )
    assert parse(text_lines(text)).incidents == ()


def test_warnings_belong_to_the_death_that_comes_next() -> None:
    """Of the same writer, and to none when nobody died afterwards."""
    warning = 'WARNING: warn condition "a > b" matched at src/a.c:1 (please report to developers)'
    blocked = "WARNING! thread 2 has stopped processing traffic for 1025 milliseconds"
    fatal = 'FATAL: bug condition "x" matched at src/x.c:9'
    lines = [warning, blocked, fatal, warning, fatal, blocked]
    log = parse([f"Nov 24 22:50:{10 * n:02d} lb1 haproxy[7]: {line}\n".encode() for n, line in enumerate(lines)])
    told = [
        ([one.kind for one in each.evidence.bug_reports], [one.what for one in each.evidence.mentions])
        for each in log.incidents
    ]
    assert told == [(["warn_on", "bug_on"], ["blocked traffic warning"]), (["warn_on", "bug_on"], [])]
