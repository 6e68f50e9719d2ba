"""What came before a death and after it: one timeline out of all logs, by time, in any zone."""

from __future__ import annotations

import gzip
import os
import time
from pathlib import Path

import pytest

from forensics.api import Options, triage, triage_each
from forensics.evidence.timeline.build import _cut, _Placed
from forensics.evidence.timeline.entry import WHAT, TimelineEntry
from forensics.evidence.timeline.told import Told
from forensics.logs import Origin
from forensics.logs.happenings.happening import KINDS
from forensics.report.document import Report
from forensics.report.timeline import when_text
from forensics.source import Source
from tests.evidence.timeline.nights import DEATH, bsd, death, merged, traffic, write

UNSCRUBBED = Options(scrub=False)


def told(report: Report, what: str) -> list[TimelineEntry]:
    """The entries of one kind."""
    return [entry for entry in report.timeline if entry.what == what]


def is_whole(report: Report) -> None:
    """All of the night is there, at its distance from the death."""
    (server,) = told(report, "server")
    assert (server.text, server.seconds, server.count) == ("Server app/s2 is DOWN: Layer4 timeout", -120.0, 1)
    (failed,) = told(report, "connection error")
    assert (failed.text, failed.seconds, failed.count) == ("SSL handshake failure on frontend web", -50.0, 2)
    before = [entry for entry in told(report, "traffic") if (entry.seconds or 0) < 0]
    after = [entry for entry in told(report, "traffic") if (entry.seconds or 0) > 0]
    assert "5 sH (no headers from the server in time)" in before[0].text
    assert "answered 5 with 504" in before[0].text
    assert [entry.seconds for entry in before[1:]] == [-6.0, -4.0, -2.0]
    assert after[0].text == "first after it: web to app/s1, 200 ---- (process 2511)"
    assert after[0].seconds == 3.0
    assert "20 requests: all ended normally" in after[1].text


def is_in_order(report: Report) -> None:
    """By time, the death among them once."""
    seconds = [entry.seconds for entry in report.timeline if entry.seconds is not None]
    assert seconds == sorted(seconds)
    assert len(told(report, "death")) == 1
    assert told(report, "death")[0].seconds == 0.0


def test_one_log_tells_all(tmp_path: Path) -> None:
    """Its times name no zone, so the death's does not either."""
    report = triage([write(tmp_path / "haproxy.log", merged())])
    is_whole(report)
    is_in_order(report)
    assert report.crash.time == "2026-11-24T22:50:00"
    assert [(entry.what, entry.seconds) for entry in report.timeline if entry.what in ("reload", "start")] == [
        ("start", -7200.0), ("reload", -3600.0), ("start", -3599.0), ("start", 2.0), ("start", 2.0),
    ]  # fmt: skip
    assert [entry.text for entry in told(report, "exit")] == [
        "former worker 2300 ended with code 0",
        "worker 2417 ended with code 132 (SIGILL)",
        "haproxy.service: exited, status 132",
    ]


def test_nothing_of_a_request_is_told(tmp_path: Path) -> None:
    """Neither clients nor URLs, even where nothing is scrubbed."""
    report = triage([write(tmp_path / "haproxy.log", merged())], UNSCRUBBED)
    shown = " ".join(entry.text for entry in report.timeline)
    assert "192.0.2" not in shown and "secret" not in shown and "GET" not in shown


@pytest.mark.parametrize("compressed", [False, True])
def test_a_log_of_traffic_alone_is_put_beside_the_journal(tmp_path: Path, compressed: bool) -> None:
    """By the zone that the user names; a compressed one as well."""
    requests = write(tmp_path / "traffic.log", traffic(ahead=3600))
    if compressed:
        raw = Path(requests).read_bytes()
        requests = str(tmp_path / "traffic.log.gz")
        Path(requests).write_bytes(gzip.compress(raw))
        os.utime(requests, (DEATH + 30_000, DEATH + 30_000))
    journal = write(tmp_path / "journal.log", death("+00:00"))
    report = triage([journal, requests], Options(timezone="Europe/Berlin"))
    is_whole(report)
    is_in_order(report)
    assert report.crash.time == "2026-11-24T22:50:00Z"
    assert not [gap for gap in report.gaps if gap.subject.startswith("zone of")]
    taken_for_utc = triage([journal, requests])
    (gap,) = [gap for gap in taken_for_utc.gaps if gap.subject.startswith("zone of")]
    assert "--timezone" in gap.remedy


def test_a_zone_is_found_out_by_two_words_of_one_death(tmp_path: Path) -> None:
    """A log in local time that tells of the same death as one with a zone; its neighbour goes with it."""
    journal = write(tmp_path / "journal.log", death("+00:00"))
    ahead = [line.replace("22:50:", "23:50:").replace("22:4", "23:4") for line in death()]
    local = write(tmp_path / "messages", ahead)
    report = triage([local, journal, write(tmp_path / "traffic.log", traffic(ahead=3600))])
    is_whole(report)
    assert report.crash.time == "2026-11-24T22:50:00Z"
    assert [entry.text for entry in told(report, "exit")].count("worker 2417 ended with code 132 (SIGILL)") == 1


def test_a_log_without_times_is_told_in_the_order_of_its_lines(tmp_path: Path) -> None:
    """The stderr of a process: nothing else can be put beside it."""
    bare = [line.split(": ", 1)[1] for line in death()]
    report = triage([write(tmp_path / "stderr.log", bare), write(tmp_path / "traffic.log", traffic())])
    assert report.crash.time == ""
    assert [entry.what for entry in report.timeline] == [
        "start", "reload", "start", "exit", "death", "exit", "exit", "start", "start",
    ]  # fmt: skip
    (gap,) = [gap for gap in report.gaps if gap.subject.startswith("timeline of")]
    assert "no input tells the time" in gap.reason


def test_rotated_files_are_one_timeline(tmp_path: Path) -> None:
    """A death in the first lines of the younger file has its traffic in the older one."""
    lines = merged()
    cut = next(index for index, line in enumerate(lines) if "FATAL" in line)
    with gzip.open(tmp_path / "haproxy.log.1.gz", "wt") as older:
        older.write("".join(f"{line}\n" for line in lines[:cut]))
    os.utime(tmp_path / "haproxy.log.1.gz", (DEATH, DEATH))
    younger = write(tmp_path / "haproxy.log", lines[cut:])
    report = triage([younger, str(tmp_path / "haproxy.log.1.gz")])
    is_whole(report)
    is_in_order(report)
    (server,) = told(report, "server")
    assert server.source is not None and server.source.input.endswith("haproxy.log.1.gz")
    assert server.source.line == 1 + next(index for index, line in enumerate(lines) if "is DOWN" in line)


def test_other_deaths_are_named(tmp_path: Path) -> None:
    """One before and one after the death that was asked for."""
    again = []
    for hours in (0, 1, 2):
        again += [line.replace("22:50:", f"{20 + hours}:50:") for line in death()[4:6]]
    path = write(tmp_path / "messages", again)
    report = triage([path], Options(incident=2))
    assert [entry.what for entry in report.timeline if "death" in entry.what] == [
        "earlier death",
        "death",
        "later death",
    ]
    for number, each in triage_each(path):
        assert each.crash.time == f"2026-11-24T{19 + number}:50:00"


def test_every_kind_is_declared() -> None:
    """The schema's words."""
    assert set(KINDS) < set(WHAT)


@pytest.mark.parametrize(
    "piece",
    ["Server a/b ", "[24/Nov/2026:23:10:11] ", " ---- 1/1/1/1/1 0/", "Connect() failed for backend ", "Proxy a "],
)
def test_hostile_surroundings_are_bounded(tmp_path: Path, piece: str) -> None:
    """Long lines that begin like what is looked for, a hundred times over."""
    line = (piece * 8000)[:65_000]
    lines = [*[line] * 200, 'FATAL: bug condition "x" matched at src/x.c:9', *[line] * 100]
    started = time.process_time()
    report = triage([write(tmp_path / "h.log", lines)])
    assert time.process_time() - started < 20
    assert [entry.what for entry in report.timeline].count("death") == 1
    assert all(len(entry.text) < 4096 for entry in report.timeline)


def the_kernels_word(lines: list[str]) -> list[str]:
    """The lines with a fault of the worker as the only word about its death."""
    fault = "haproxy[2417]: segfault at 118 ip 000055a2e4ce1d00 sp 00007ffd0 error 4 in haproxy[55a2e4b00000+300000]"
    return sorted([*lines, f"{bsd(DEATH)} lb1 kernel: {fault}"], key=lambda line: line[:15])


def test_a_death_that_the_kernel_alone_tells_has_its_next_request_behind_it(tmp_path: Path) -> None:
    """No entry is a `death` then; requests before it are not the next one."""
    report = triage([write(tmp_path / "haproxy.log", the_kernels_word(traffic()))])
    assert when_text(report) == "2026-11-24 22:50:00 (zone not named); the next request in these logs +3s"
    ended = [line for line in the_kernels_word(traffic()) if line[:15] <= bsd(DEATH)]
    report = triage([write(tmp_path / "ended.log", ended)])
    assert when_text(report) == "2026-11-24 22:50:00 (zone not named)"


def test_a_single_request_is_told_once(tmp_path: Path) -> None:
    report = triage([write(tmp_path / "haproxy.log", the_kernels_word(traffic()[:1]))])
    assert [entry.text for entry in told(report, "traffic")] == ["the last: web to app/s1, 200 ---- (process 2417)"]


def test_of_a_long_timeline_what_is_near_the_death_stays() -> None:
    """Also where no entry is a `death`."""
    placed = [
        _Placed(Told("server", str(at), Origin()), float(at), None, True, Source("x", ""), (at, 0, 0))
        for at in range(300)
    ]
    kept = [one.told.text for one in _cut(iter(placed), 100.0)]
    assert (kept[0], kept[-1]) == ("50", "149")
