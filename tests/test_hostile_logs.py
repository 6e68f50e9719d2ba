"""Real texts of dying HAProxys, damaged: a report or an error of ours, in bounded time, and nothing of a client in it."""

from __future__ import annotations

import contextlib
import gzip
import json
import random
import time
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import zstandard

from forensics.api import Options, triage, triage_each
from forensics.errors import ForensicsError
from forensics.logs import limits, parse
from forensics.report.document import Report
from forensics.report.markdown import render_markdown
from forensics.report.render_json import render_json
from forensics.report.schema import report_schema
from forensics.report.text import render_text
from samples import golden
from tests.builders import hostile_texts as hostile
from tests.builders.bounds import within_bytes, within_seconds
from tests.logs.carriers import CARRIERS, lines_of, syslog_iso

#: Seconds that one damaged text may take; most take some hundredths.
BOUND = 20
#: Seeds of one test, and tests.
SEEDS, GROUPS = 40, 10
#: Texts of one death, each line of which is the process's own.
DEATHS = (
    "2.9.0-requeue-expiry-race.log", "2.9.0-watchdog-1.log", "3.0.11-spinning.log", "3.2.26-double-free.log",
    "3.4.0-debug-dev-panic.log", "3.5-dev5-deadlock.log",
)  # fmt: skip
REQUEST = (
    b'10.1.2.3:4711 [18/Jan/2024:11:23:04.123] web be/s 0/0/1/2/3 200 51 - - ---- 1/1/0/0/0 0/0 "GET / HTTP/1.1"\n'
)


@cache
def schema() -> Any:
    """The validator of the strict schema."""
    return pytest.importorskip("jsonschema").Draft202012Validator(report_schema(strict=True))


def check(report: Report, scrubbed: bool) -> None:
    """The three renderings, and what may not stand in them."""
    as_json = render_json(report)
    shown = [as_json, render_markdown(report), *(render_text(report, width=width) for width in (80, 120))]
    assert all(each.encode() for each in shown)
    assert not [error.message for error in schema().iter_errors(json.loads(as_json))]
    assert not [gap for gap in report.gaps if gap.reason.startswith("reading it failed")]
    seconds = [one.seconds for one in report.timeline if one.seconds is not None]
    assert seconds == sorted(seconds)
    for told in report.timeline:
        assert not [mark for mark in (*hostile.CLIENTS, hostile.URL) if mark in told.text], told
    if scrubbed:
        assert not [client for client in hostile.CLIENTS for each in shown if client in each]


def try_all(paths: list[str], options: Options) -> None:
    """As `triage` goes, and as `scan` does."""
    with contextlib.suppress(ForensicsError):
        check(triage(paths, options), options.scrub)
        for number, (_incident, report) in enumerate(triage_each(paths[0], options)):
            check(report, options.scrub)
            if number == 5:
                break


@pytest.mark.parametrize("group", range(GROUPS))
def test_a_damaged_text_gives_a_report_or_an_error_of_ours(group: int, tmp_path: Path) -> None:
    for seed in range(group * SEEDS, (group + 1) * SEEDS):
        chance = random.Random(seed)
        names = chance.choice((["x.log"], ["x.log"], ["x.log"], ["x.log", "y.log"], ["x.log", "x.log.1"]))
        for name in names:
            (tmp_path / name).write_bytes(hostile.hostile_text(chance))
        zone = chance.choice(("", "", "Europe/Berlin", "+02:00"))
        options = Options(golden.options().places, scrub=chance.random() < 0.7, timezone=zone)
        begun = time.process_time()
        with within_seconds(6 * BOUND):
            try_all([str(tmp_path / name) for name in names], options)
        assert time.process_time() - begun < BOUND, seed


def told(path: Path | list[Path]) -> list[tuple[object, ...]]:
    """What counts of each incident: its kind, what was found, its group."""
    paths = [str(each) for each in path] if isinstance(path, list) else str(path)
    reports = [report for _number, report in triage_each(paths, golden.options())]
    assert all(any(one.seconds == 0 for one in each.timeline) for each in reports if each.crash.time)
    found = [(each.crash, each.fingerprint, each.findings) for each in reports]
    return [
        (crash.kind, crash.function, crash.source, crash.explanation, group, [one.signature for one in findings])
        for crash, group, findings in found
    ]


def log(folder: Path, *lines: bytes, name: str = "x.log") -> Path:
    """A file of lines."""
    path = folder / name
    path.write_bytes(b"".join(lines))
    return path


@pytest.mark.parametrize("name", DEATHS)
def test_all_carriers_and_encodings_tell_the_same(name: str, tmp_path: Path) -> None:
    lines = lines_of(name)
    plain, text = told(log(tmp_path, *lines)), b"".join(lines).decode("utf-8", "replace")
    assert len(plain) == 1
    for carry in CARRIERS:
        assert told(log(tmp_path, *carry(lines))) == plain, carry.__name__
    for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"):
        assert told(log(tmp_path, text.encode(encoding))) == plain, encoding
    assert told(log(tmp_path, *(b"\x1b[31m" + line.rstrip(b"\n") + b"\x1b[0m\n" for line in lines))) == plain


@pytest.mark.parametrize("form", ["export", "verbose", "json-pretty"])
def test_entries_of_several_lines_may_end_as_on_windows_and_begin_with_a_mark(form: str, tmp_path: Path) -> None:
    """What PowerShell makes of the output of `ssh host journalctl`."""
    data = (hostile.ROOT / f"tests/logs/carried/2.9.0-watchdog-2.lines.journal-{form}").read_bytes()
    plain = told(log(tmp_path, data))
    pairs = data.replace(b"\n", b"\r\n")
    for other in (b"\xef\xbb\xbf" + data, pairs, pairs.decode().encode("utf-16")):
        assert told(log(tmp_path, other)) == plain


@pytest.mark.parametrize("name", DEATHS)
def test_traffic_of_another_process_changes_nothing(name: str, tmp_path: Path) -> None:
    chance, lines = random.Random(name), lines_of(name)
    for carry in (each for each in CARRIERS if each.__name__ in ("syslog_iso", "syslog_rfc5424", "journal_json")):
        requests = [line.replace(b"4242", b"4343") for line in carry([REQUEST] * 30)]
        mixed = [each for line in carry(lines) for each in (line, *requests[: chance.choice((0, 0, 1, 3))])]
        assert told(log(tmp_path, *requests, *mixed, *requests)) == told(log(tmp_path, *carry(lines))), carry.__name__


@pytest.mark.parametrize("name", DEATHS)
def test_a_log_may_be_rotated_at_any_line(name: str, tmp_path: Path) -> None:
    lines = lines_of(name)
    plain = told(log(tmp_path, *lines))
    for at in random.Random(name).sample(range(1, len(lines)), min(10, len(lines) - 1)):
        older = tmp_path / "x.log.1.gz"
        older.write_bytes(gzip.compress(b"".join(lines[:at])))
        assert told([older, log(tmp_path, *lines[at:])]) == plain, at


def test_two_logs_in_one_file_give_both_incidents(tmp_path: Path) -> None:
    """Of two hosts; of one host at two times."""
    carry = next(each for each in CARRIERS if each.__name__ == "syslog_iso")
    one, other = (b"".join(carry(lines_of(name))) for name in DEATHS[:2])
    apart = told(log(tmp_path, one)) + told(log(tmp_path, other))
    for change in ((b" lb1 ", b" lb2 "), (b"2024-01-18", b"2024-01-19")):
        assert told(log(tmp_path, one, other.replace(*change))) == apart


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress], ids=["gzip", "zstd"])
def test_of_a_compressed_log_counts_what_comes_before_its_end(compress: Any, tmp_path: Path) -> None:
    """However short it is, and the report says that there was more."""
    rest = b"".join(b"%064x\n" % random.Random(number).getrandbits(256) for number in range(10_000))
    packed = compress(b"".join(lines_of("3.0.11-spinning.log")) + rest)
    for at in (len(packed) // 2, len(packed) - 3):
        report = triage([str(log(tmp_path, packed[:at]))])
        assert report.crash.kind == "spinning"
        assert [gap.subject for gap in report.gaps if gap.subject.startswith("the rest of ")]


def test_a_line_without_end_and_a_million_short_ones_need_little(tmp_path: Path) -> None:
    """In memory, too; the death behind them is found."""
    death = lines_of("3.0.11-spinning.log")
    for name, before in (("long", b"FATAL: bug condition " * 3_200_000 + b"\n"), ("short", b"haproxy[\n" * 1_000_000)):
        path = log(tmp_path, before, *death, name=f"{name}.log")
        begun = time.process_time()
        with within_bytes(100 << 20):
            report = triage([str(path)])
        assert report.crash.kind == "spinning", name
        assert time.process_time() - begun < BOUND, name


@pytest.mark.parametrize("name", ["3.0.11-spinning.log", "2.9.0-requeue-expiry-race.log", "3.5-dev5-deadlock.log"])
def test_deaths_that_are_too_many_to_be_kept_are_counted_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those of which some witnesses are left."""
    monkeypatch.setattr(limits, "MAX_WEIGHT", 600)
    death = b"".join(syslog_iso(lines_of(name)))
    times = [b"T%02d:%02d:05" % divmod(number, 60) for number in range(300)]
    evidence = parse([death.replace(b"T11:23:05", at).replace(b"[4242]", b"[%d]" % n) for n, at in enumerate(times, 9)])
    assert len(evidence.incidents) < 300
    assert evidence.incidents[-1].number == 300
