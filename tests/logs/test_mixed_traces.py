"""Call traces that several processes write line by line into one stream without any tag."""

from __future__ import annotations

import random
import re
from itertools import zip_longest

import pytest

from forensics.api import crash_of_text
from forensics.logs import BugReport, LogEvidence, parse
from tests.logs.carriers import lines_of

RACE, FORCED, OTHER = (
    "2.9.0-requeue-expiry-race.log",
    "2.6.12-requeue-forced.log",
    "2.9.0-debug-dev-bug.log",
)
WATCHDOG = "2.9.0-watchdog-2.log"


def report(name: str) -> list[bytes]:
    """Assertion, header and frames."""
    lines = lines_of(name)
    return lines[next(place for place, line in enumerate(lines) if b"FATAL: bug" in line) :]


def known(log: LogEvidence) -> dict[str, list[int]]:
    """The frames of each assertion, by its place in the source."""
    return {f"{one.file}:{one.line_number}": addresses(one) for one in log.bug_reports}


def addresses(one: BugReport) -> list[int]:
    return [frame.address for frame in one.frames]


def alone(*names: str) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for name in names:
        found |= known(parse(report(name)))
    return found


def test_lines_in_turn_of_two_processes_are_told_apart_by_their_addresses() -> None:
    """The executable of each is loaded at an address of its own."""
    first = report(RACE)
    mixed = [*first[:3], *(line for row in zip_longest(first[3:], report(FORCED)) for line in row if line)]
    log = parse(mixed)
    assert known(log) == alone(RACE, FORCED)
    assert not any(one.mixed for one in log.bug_reports)
    assert len(log.incidents) == 2


@pytest.mark.parametrize("seed", range(100))
def test_no_stack_is_wrong_without_being_called_so(seed: int) -> None:
    chance = random.Random(seed)
    names = chance.sample((RACE, FORCED, OTHER), chance.choice((2, 2, 3)))
    queues, mixed = [report(each) for each in names], []
    while queues := [each for each in queues if each]:
        chosen = chance.choice(queues)
        mixed += [chosen.pop(0) for _line in range(min(len(chosen), chance.choice((1, 1, 2, 4))))]
    log, expected = parse(mixed), alone(*names)
    for one in log.bug_reports:
        assert one.mixed or addresses(one) == expected.get(f"{one.file}:{one.line_number}"), mixed


def test_processes_at_one_address_cannot_be_told_apart_and_the_report_says_so() -> None:
    """Workers that one master forked, and executables that are not relocated."""
    other = [line.replace(b"task.c:285", b"task.c:310") for line in report(RACE)]
    mixed = [line for row in zip_longest(report(RACE), other) for line in row]
    log = parse(mixed)
    assert all(one.mixed for one in log.bug_reports)
    gaps = crash_of_text(b"".join(mixed).decode()).gaps
    assert any("several processes wrote at the same time" in each.reason for each in gaps)


def test_two_processes_one_after_the_other_are_not_mixed() -> None:
    other = [line.replace(b"task.c:285", b"task.c:310") for line in report(RACE)]
    log = parse([*report(RACE), *other])
    assert not any(one.mixed for one in log.bug_reports)
    assert [len(one.frames) for one in log.bug_reports] == [12, 12]


def test_a_thread_dump_between_the_lines_of_a_trace_takes_none_of_them() -> None:
    """The lines of a dump stand further to the right."""
    dump = lines_of(WATCHDOG)
    begin = next(place for place, line in enumerate(dump) if b"Thread " in line)
    mixed = [*dump[:begin], *report(RACE)[:6], *dump[begin : begin + 27], *report(RACE)[6:], *dump[begin + 27 :]]
    log = parse(mixed)
    assert known(log) == alone(RACE)
    frames = [[frame.address for frame in each.frames] for one in log.panics for each in one.threads]
    expected = [[frame.address for frame in each.frames] for one in parse(dump).panics for each in one.threads]
    assert [each for each in frames if each] == [each for each in expected if each]
    assert not log.bug_reports[0].mixed


def test_where_a_carrier_took_the_blanks_the_trace_is_marked() -> None:
    dump = lines_of(WATCHDOG)
    begin = next(place for place, line in enumerate(dump) if b"Thread " in line)
    mixed = [line.lstrip(b" ") for line in (*report(RACE)[:6], *dump[begin:], *report(RACE)[6:])]
    assert parse(mixed).bug_reports[0].mixed


def test_a_trace_that_was_cut_is_not_called_mixed() -> None:
    log = parse(
        [*report(RACE)[:6], b"[ALERT]    (7) : Current worker (11) exited with code 132 (Illegal instruction)\n"]
    )
    assert not log.bug_reports[0].mixed
    assert len(log.bug_reports[0].frames) == len([line for line in report(RACE)[:6] if re.match(rb"\s*\| 0x", line)])
