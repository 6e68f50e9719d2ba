"""Rotated files of one log are one input of a scan."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from forensics.api import answers, triage
from forensics.batch.digest import digest
from forensics.batch.inputs import Ignored, find_inputs
from forensics.batch.result import Input, ScanResult
from forensics.batch.scan import Tally, scan
from forensics.report.render_json import to_json_dict
from tests.logs.carriers import lines_of, syslog_bsd, syslog_iso

TRAFFIC = b"Jan 18 11:22:05 lb1 haproxy[9]: 10.0.0.1:41 [23/Nov/2026:10:00:00.655] in b/s 1/0/3/6/9 200 27 - - ----\n"
CRASH = syslog_iso(lines_of("2.9.0-requeue-expiry-race.log"))
LATER = [line.replace(b"T11:23", b"T19:44").replace(b"[4242]", b"[5151]") for line in CRASH]
#: In the middle of the call trace.
TORN = next(place for place, line in enumerate(CRASH) if b"call trace(" in line) + 4

Write = Callable[[bytes], bytes]
WRITERS: dict[str, Write] = {"": bytes, ".gz": gzip.compress, ".zst": zstandard.ZstdCompressor().compress}


def inputs(*paths: Path) -> tuple[list[Input | ScanResult], Ignored]:
    ignored = Ignored()
    return list(find_inputs([str(path) for path in paths], ignored)), ignored


def frames(report: object) -> list[str]:
    return [each for each in json.dumps(report).split('"') if "__task_queue" in each or "process_stream" in each]


@pytest.mark.parametrize("ending", WRITERS)
@pytest.mark.parametrize("old", [".1", "-20240118", ".20240118-112305"])
def test_a_crash_torn_by_a_rotation_is_one_incident_with_all_of_its_frames(
    tmp_path: Path, old: str, ending: str
) -> None:
    whole = tmp_path / "whole.log"
    whole.write_bytes(TRAFFIC + b"".join(CRASH))
    place = tmp_path / "rotated"
    place.mkdir()
    (place / f"haproxy.log{old}{ending}").write_bytes(WRITERS[ending](TRAFFIC + b"".join(CRASH[:TORN])))
    (place / "haproxy.log").write_bytes(b"".join(CRASH[TORN:]))
    found, _ignored = inputs(place)
    assert found == [(str(place / f"haproxy.log{old}{ending}"), str(place / "haproxy.log"))]
    assert isinstance(found[0], tuple)
    (one,) = answers(found[0])
    expected = triage([str(whole)])
    assert one.number == 0
    assert one.file.endswith(f"{old}{ending}")
    assert one.report.fingerprint == expected.fingerprint
    assert frames(to_json_dict(one.report)["crash"]) == frames(to_json_dict(expected)["crash"])


def test_two_logs_of_one_directory_are_two_inputs(tmp_path: Path) -> None:
    for name in ("haproxy.log", "haproxy.log.1", "other.log", "other.log.1"):
        (tmp_path / name).write_bytes(b"".join(CRASH))
    (tmp_path / "haproxy.log.2").write_bytes(TRAFFIC)
    (tmp_path / "quiet.log.1").write_bytes(TRAFFIC)
    (tmp_path / "quiet.log").write_bytes(TRAFFIC)
    found, ignored = inputs(tmp_path)
    assert [[Path(each).name for each in one] for one in found if isinstance(one, tuple)] == [
        ["haproxy.log.2", "haproxy.log.1", "haproxy.log"],
        ["other.log.1", "other.log"],
    ]
    assert ignored.count == {"text without a trace of a crash": 2}


def test_named_files_of_one_log_are_one_input(tmp_path: Path) -> None:
    for name in ("a.log", "a.log.1", "b.log"):
        (tmp_path / name).write_bytes(b"".join(CRASH))
    names = [tmp_path / name for name in ("a.log", "a.log.1", "b.log", "missing")]
    assert inputs(*names)[0] == [
        (str(names[1]), str(names[0])),
        str(names[2]),
        str(names[3]),
    ]


def test_cores_hosts_and_releases_with_numbers_are_no_rotated_files(tmp_path: Path) -> None:
    for name in ("core.1", "core.2", "core.10"):
        (tmp_path / name).write_bytes(b"\x7fELF" + bytes(12) + b"\x04\x00" + bytes(100))
    for name in ("10.0.0.1", "10.0.0.2", "crash-3.0.11", "crash-3.0.12"):
        (tmp_path / name).write_bytes(b"".join(CRASH))
    found, _ignored = inputs(tmp_path)
    assert len(found) == 7
    assert all(isinstance(one, str) for one in found)


def write_two(place: Path) -> None:
    (place / "haproxy.log.1").write_bytes(b"".join(CRASH))
    (place / "haproxy.log").write_bytes(TRAFFIC + b"".join(LATER))


def test_each_incident_names_the_file_in_which_it_begins(tmp_path: Path) -> None:
    write_two(tmp_path)
    tally = Tally()
    results = sorted(scan([str(tmp_path)], jobs=1, tally=tally), key=lambda one: one.incident)
    assert tally.found == 1
    assert [one.incident for one in results] == [1, 2]
    assert [Path(one.file).name for one in results] == ["haproxy.log.1", "haproxy.log"]
    assert [one.first for one in results] == [True, False]
    log = str(tmp_path / "haproxy.log")
    assert {one.path for one in results} == {log}
    assert digest(results[0]).path == f"{log} (1, in haproxy.log.1)"
    assert digest(results[1]).path == f"{log} (2)"
    line = json.loads(results[0].to_json_line())
    assert list(line) == ["path", "incident", "status", "seconds", "error", "hint", "file", "files", "report"]
    assert line["files"] == [str(tmp_path / "haproxy.log.1"), log]


@pytest.mark.parametrize("whole", [True, False])
def test_a_file_and_its_compressed_copy_tell_of_one_incident(tmp_path: Path, whole: bool) -> None:
    """logrotate removes the file when the compressor is done."""
    write_two(tmp_path)
    packed = gzip.compress(b"".join(CRASH))
    (tmp_path / "haproxy.log.1.gz").write_bytes(packed if whole else packed[:-200])
    (found,), _ignored = inputs(tmp_path)
    assert isinstance(found, tuple)
    assert len(found) == 3
    assert [one.number for one in answers(found)] == [1, 2]


def test_a_copy_under_a_new_name_gives_no_second_incident_although_the_log_grew(tmp_path: Path) -> None:
    """`copytruncate` before it truncates, and a backup."""
    (tmp_path / "haproxy.log-20240119").write_bytes(b"".join(CRASH))
    (tmp_path / "haproxy.log").write_bytes(b"".join(CRASH + LATER))
    (found,), _ignored = inputs(tmp_path)
    assert isinstance(found, tuple)
    assert [one.number for one in answers(found)] == [1, 2]


def test_equal_lines_without_times_may_be_two_deaths(tmp_path: Path) -> None:
    report = b'FATAL: bug condition "task->expire == 0" matched at src/task.c:285\n'
    for name in ("err.log", "err.log.1"):
        (tmp_path / name).write_bytes(report)
    (found,), _ignored = inputs(tmp_path)
    assert isinstance(found, tuple)
    assert [one.number for one in answers(found)] == [1, 2]


def test_a_rotated_file_that_is_damaged_does_not_keep_the_others(tmp_path: Path) -> None:
    write_two(tmp_path)
    packed = gzip.compress(b"".join(syslog_bsd(lines_of("2.9.0-watchdog-1.log"))))
    (tmp_path / "haproxy.log.2.gz").write_bytes(packed[: len(packed) // 2])
    results = list(scan([str(tmp_path)], jobs=1))
    assert all(one.analysed for one in results)
    assert len(results) >= 2
    assert "its gzip data is damaged" in json.dumps(results[0].report)
