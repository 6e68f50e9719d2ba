"""Real logs as real collectors stored them say the same as before (`tests/logs/carry.py` made them)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from forensics.logs import LogEvidence, parse
from tests.logs.carriers import lines_of
from tests.logs.carry import HERE, PID, STARTED

FILES = sorted(HERE.iterdir())
#: The day on which rsyslog wrote (2026-11-25): to be changed when the files are made again.
WRITTEN = 1795564800.0


def read(path: Path) -> LogEvidence:
    """The evidence in a file that was written a minute after its lines."""
    modified = WRITTEN + 86400 if "rsyslog" in path.name else STARTED / 1e6 + 60
    return parse(path.read_bytes().splitlines(keepends=True), modified)


def said(evidence: LogEvidence) -> object:
    """What a log says, whatever carried it."""
    frames = [[(one.address, one.symbol) for one in report.frames] for report in evidence.bug_reports]
    dumps = [
        (dump.number, dump.stuck, dump.task_function, [frame.address for frame in dump.frames])
        for panic in evidence.panics
        for dump in panic.threads
    ]
    return [(one.condition, one.file, one.line_number) for one in evidence.bug_reports], frames, dumps


@pytest.mark.parametrize("path", FILES, ids=[each.name for each in FILES])
def test_a_log_says_the_same_in_every_carrier(path: Path) -> None:
    """Each line on its own, or all of them in one message; and its writer is known."""
    plain = path.name.partition(".lines.")[0].partition(".folded.")[0]
    evidence = read(path)
    assert said(evidence) == said(parse(lines_of(f"{plain}.log")))
    (incident,) = evidence.incidents
    assert (incident.pid, str(incident.first.identifier).removesuffix(".service")) == (PID, "haproxy")
    assert incident.first.host == "lb1"


@pytest.mark.parametrize("path", FILES, ids=[each.name for each in FILES])
def test_the_time_is_the_one_that_was_stored(path: Path) -> None:
    """As an instant, with its zone where the carrier writes one."""
    name = path.name
    (incident,) = read(path).incidents
    origin = incident.first
    if "monotonic" in name:
        assert (origin.instant, origin.zoned) == (None, False)
        return
    assert origin.instant is not None and origin.time is not None
    if "rsyslog" in name:
        assert WRITTEN <= origin.instant < WRITTEN + 86400
    else:
        precise = re.search("precise|unix|verbose|export|json", name) is not None
        assert abs(origin.instant - STARTED / 1e6) < (0.001 if precise else 1)
    assert origin.zoned == (not name.endswith(("journal-short", "rsyslog-traditional")))


@pytest.mark.parametrize("form", ["export", "verbose", "short"])
def test_lines_are_counted_in_the_file(form: str) -> None:
    """The line of the assertion is where an editor shows it."""
    path = HERE / f"2.9.0-requeue-expiry-race.lines.journal-{form}"
    raw = path.read_bytes().split(b"\n")
    (report,) = parse(path.read_bytes().splitlines(keepends=True)).bug_reports
    assert b"FATAL: bug condition" in raw[report.line - 1]
    assert [b"0x%x" % frame.address in raw[frame.line - 1] for frame in report.frames] == [True] * 12
