"""Clocks that disagree, jump or start again neither merge deaths nor tear one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from forensics.logs import Incident, parse
from tests.logs.carriers import lines_of

RACE = "2.9.0-requeue-expiry-race.log"
NEW_YEAR = datetime(2025, 1, 3, tzinfo=UTC).timestamp()


def report(stamp: str, pid: int = 11) -> list[bytes]:
    """A real report below syslog's tag."""
    return [f"{stamp} lb1 haproxy[{pid}]: ".encode() + line for line in lines_of(RACE)]


def exits(stamp: str, pid: int = 11, code: str = "132 (Illegal instruction)") -> bytes:
    return f"{stamp} lb1 haproxy[7]: [ALERT]    (7) : Current worker ({pid}) exited with code {code}\n".encode()


def trap(stamp: str, pid: int = 11, base: int = 0x55D000000000) -> bytes:
    words = f"traps: haproxy[{pid}] trap invalid opcode ip:{base + 4096:x} sp:7ffd0000 error:0"
    return f"{stamp} lb1 kernel: {words} in haproxy[{base:x}+300000]\n".encode()


def found(lines: list[bytes], modified: float | None = None) -> list[Incident]:
    return list(parse(lines, modified).incidents)


def witnesses(one: Incident) -> list[int]:
    """How many words the process, the kernel and the master have in an incident."""
    log = one.evidence
    return [len(log.bug_reports), len(log.kernel_faults), len(log.exits)]


ZONED, LOCAL = "2024-01-18T11:23:05+02:00", "Jan 18 11:23:06"


@pytest.mark.parametrize(("process", "kernel"), [(ZONED, LOCAL), (LOCAL, ZONED)])
def test_a_zone_in_one_file_and_none_in_the_other_is_one_death(process: str, kernel: str) -> None:
    (one,) = found([*report(process), trap(kernel), exits(process)], NEW_YEAR)
    assert witnesses(one) == [1, 1, 1]


def test_no_zone_explains_a_difference_of_days() -> None:
    two = found([*report("2024-01-18T11:23:05+02:00"), trap("Jan 20 11:23:06"), exits("Jan 20 11:23:06")], NEW_YEAR)
    assert [witnesses(one) for one in two] == [[1, 0, 0], [0, 1, 1]]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Oct 27 02:59:59", "Oct 27 02:00:00"),
        ("2024-10-27 02:59:59", "2024-10-27 02:00:00"),
        ("Mar 31 01:59:59", "Mar 31 03:00:00"),
        ("2024-10-27T02:59:59+02:00", "2024-10-27T02:00:00+01:00"),
    ],
)
def test_a_death_while_the_clocks_are_changed_is_one(before: str, after: str) -> None:
    (one,) = found([*report(before), trap(after), exits(after)], NEW_YEAR)
    assert witnesses(one) == [1, 1, 1]


def test_deaths_an_hour_apart_are_two_on_any_other_day() -> None:
    two = found([*report("Oct 22 02:59:59"), trap("Oct 22 03:59:59", 12), exits("Oct 22 03:59:59", 12)], NEW_YEAR)
    assert [witnesses(one) for one in two] == [[1, 0, 0], [0, 1, 1]]


def test_a_clock_that_is_set_back_in_the_midst_of_a_death_does_not_tear_it() -> None:
    (one,) = found([*report("2024-01-18T11:23:05Z"), trap("2024-01-18T08:00:00Z"), exits("2024-01-18T08:00:00Z")])
    assert witnesses(one) == [1, 1, 1]


def test_a_clock_that_was_set_back_does_not_merge_deaths() -> None:
    lines = [*report("2024-01-18T11:23:05Z"), exits("2024-01-18T11:23:05Z")]
    lines += [*report("2024-01-18T11:23:05Z", 12), exits("2024-01-18T11:23:05Z", 12)]
    assert [one.pid for one in found(lines)] == [11, 12]


def test_the_turn_of_the_year_without_years_is_a_second() -> None:
    (one,) = found([*report("Dec 31 23:59:59"), trap("Jan  1 00:00:00"), exits("Jan  1 00:00:00")], NEW_YEAR)
    assert witnesses(one) == [1, 1, 1]
    assert one.first.instant is not None
    assert one.last.instant is not None
    assert one.last.instant - one.first.instant == 1


@pytest.mark.parametrize("pid", [1, 7])
@pytest.mark.parametrize("told", [True, False])
def test_a_container_that_is_started_again_has_a_death_for_each_time(pid: int, told: bool) -> None:
    """Its process has the same pid each time."""
    lines = []
    for hour in range(4):
        stamp = f"2024-01-18T1{hour}:00:00Z"
        lines += [f"{stamp} stderr F ".encode() + line for line in lines_of(RACE)]
        if told:
            lines.append(
                f"{stamp} stderr F [ALERT]    (1) : Current worker ({pid}) exited with code 132 (Illegal"
                " instruction)\n".encode()
            )
    every = found(lines)
    assert [witnesses(one) for one in every] == [[1, 0, int(told)]] * 4
    assert len({one.number for one in every}) == 4


@pytest.mark.parametrize("pid", [1, 7])
def test_a_container_that_is_started_again_at_once_has_a_death_for_each_time(pid: int) -> None:
    lines: list[bytes] = []
    for second in range(5):
        lines += report(f"2024-01-18T10:00:0{second}Z", pid)
    assert [witnesses(one) for one in found(lines)] == [[1, 0, 0]] * 5


@pytest.mark.parametrize("base", [0x400000, 0x55D000000000])
def test_faults_of_a_container_that_is_started_again_are_deaths_of_their_own(base: int) -> None:
    """Seconds since the boot are no date, but tell a moment from the next."""
    text = "[ {}.000000] haproxy[{}]: segfault at 8 ip {:x} sp 7ffd error 4 in haproxy[{:x}+1dd000]\n"
    lines = [text.format(100 + 2 * each, 900 + each, base + 16, base).encode() for each in range(4)]
    assert len(found(lines)) == 4


def test_a_pid_that_is_used_again_after_days_is_another_process() -> None:
    lines = [*report("2024-01-18T11:23:05Z"), trap("2024-01-18T11:23:05Z")]
    lines += [trap("2024-01-22T11:23:05Z"), exits("2024-01-22T11:23:06Z")]
    lines += [exits("2024-01-25T11:23:06Z")]
    assert [witnesses(one) for one in found(lines)] == [[1, 1, 0], [0, 1, 1], [0, 0, 1]]
