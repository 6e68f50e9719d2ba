"""Logs that tell of several deaths, and logs in several files, as a user passes them in."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from samples import golden
from tests.cli.running import run

RACE = golden.SAMPLES / "requeue-race-2.9.6"
DATA = Path(__file__).resolve().parents[1] / "logs" / "data"
SYMBOLS = ("--symbols", str(golden.SYMBOLS), "--sysroot", "/nonexistent-host")
#: The pid of the sample's core.
PID = 10516


def crash(name: str, pid: int, second: int) -> bytes:
    """A real log and the master's word, at one second."""
    lines = [
        *(DATA / name).read_bytes().splitlines(),
        b"[ALERT]    (7) : Current worker (%d) exited with code 132 (x)" % pid,
    ]
    return b"".join(b"2024-01-18T11:23:%02dZ lb1 haproxy[7]: %s\n" % (second, line) for line in lines if line)


FIRST = crash("2.9.0-requeue-expiry-race.log", PID, 1)
SECOND = crash("2.9.0-debug-dev-bug.log", 22, 2)
THIRD = crash("3.2.0-debug-dev-bug.log", 33, 3)


@pytest.fixture
def log(tmp_path: Path) -> str:
    """Three deaths."""
    path = tmp_path / "haproxy.log"
    path.write_bytes(FIRST + SECOND + THIRD)
    return str(path)


def report(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """The document of one triage."""
    ran = run(capsys, "triage", *arguments, "--format", "json")
    assert ran.status == 0, ran.err
    document: dict[str, Any] = json.loads(ran.out)
    return document


def others(document: dict[str, Any]) -> list[str]:
    """What the report says of other incidents."""
    return [gap["reason"] for gap in document["gaps"] if gap["subject"].startswith("other incidents of ")]


def test_the_latest_death_is_the_one_that_is_asked_about(log: str, capsys: pytest.CaptureFixture[str]) -> None:
    document = report(capsys, log)
    assert (document["process"]["pid"], document["crash"]["source"]) == (33, "src/debug.c:944")
    (reason,) = others(document)
    assert reason.startswith("it tells of 3 deaths, and this report is about 3 (pid 33, ")
    assert "the others: 2 (pid 22, 2024-01-18T11:23:02Z), 1 (pid 10516, 2024-01-18T11:23:01Z)" in reason
    assert any("`--incident N`" in step for step in document["next_steps"])


@pytest.mark.parametrize("chosen", [("--incident", "1"), ("--pid", str(PID))])
def test_another_death_can_be_asked_about(
    log: str, chosen: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    document = report(capsys, log, *chosen)
    assert (document["process"]["pid"], document["crash"]["source"]) == (PID, "src/task.c:285")


@pytest.mark.parametrize("chosen", [("--incident", "4"), ("--pid", "4")])
def test_a_death_that_no_log_tells_of_is_an_error(
    log: str, chosen: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    ran = run(capsys, "triage", log, *chosen)
    assert (ran.status, ran.out) == (2, "")
    assert "the logs tell of 3" in ran.err and "scan" in ran.err


def test_the_death_of_the_core_is_chosen(log: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Though the log tells of later ones."""
    document = report(capsys, str(RACE / "core.zst"), log, *SYMBOLS)
    assert document["process"]["pid"] == PID
    assert others(document)[0].startswith("it tells of 3 deaths, and this report is about 1 (pid 10516, ")
    assert not [one for one in document["disagreements"] if one["subject"] == "pid"]


def test_another_log_is_about_the_same_death(log: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The kernel's own log names its pids."""
    kernel = tmp_path / "kern.log"
    line = (
        "2024-01-18T11:23:0{}Z lb1 kernel: traps: haproxy[{}] trap invalid opcode ip:55 sp:7f error:0 in haproxy[1+2]\n"
    )
    kernel.write_text("".join(line.format(second, pid) for second, pid in ((1, PID), (2, 22), (3, 33))))
    document = report(capsys, log, str(kernel), "--pid", "22")
    assert [reason.split("about ")[1][:9] for reason in others(document)] == ["2 (pid 22"] * 2


@pytest.fixture
def rotated(tmp_path: Path) -> Path:
    """A directory of one log in four files: the newest has no number."""
    place = tmp_path / "log"
    place.mkdir()
    (place / "haproxy.log").write_bytes(THIRD)
    (place / "haproxy.log.1").write_bytes(b"".join(SECOND.splitlines(keepends=True)[4:]))
    (place / "haproxy.log.2.gz").write_bytes(gzip.compress(b"".join(SECOND.splitlines(keepends=True)[:4])))
    (place / "haproxy.log.10.gz").write_bytes(gzip.compress(FIRST))
    return place


@pytest.mark.parametrize("way", ["directory", "files"])
def test_rotated_logs_are_one_log(rotated: Path, way: str, capsys: pytest.CaptureFixture[str]) -> None:
    """In order of time, whatever the order of arguments: the second crash lies in two files."""
    inputs = [str(rotated)] if way == "directory" else [str(each) for each in sorted(rotated.iterdir(), reverse=True)]
    document = report(capsys, *inputs, "--incident", "2")
    assert len(document["inputs"]) == 4
    assert document["process"]["pid"] == 22
    assert "this report is about 2 (pid 22, " in others(document)[0]
    assert others(document)[0].startswith("it tells of 3 deaths")
    ran = run(capsys, "triage", *inputs, "--incident", "2")
    assert "haproxy.log.2.gz: line 1 (assertion line)" in ran.out


def test_a_directory_with_anything_else_is_for_scan(rotated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (rotated / "other.log").write_bytes(FIRST)
    ran = run(capsys, "triage", str(rotated))
    assert ran.status == 1 and "is a directory" in ran.err


def test_what_stands_before_damage_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A compressed log that was cut."""
    path = tmp_path / "haproxy.log.gz"
    path.write_bytes(gzip.compress(FIRST + os.urandom(1 << 18).hex("\n", 40).encode())[: 1 << 17])
    document = report(capsys, str(path))
    assert document["process"]["pid"] == PID
    assert [gap["subject"] for gap in document["gaps"] if "damaged" in gap["reason"]] == [f"the rest of {path}"]


def test_scan_has_a_line_for_each_death(log: str, capsys: pytest.CaptureFixture[str]) -> None:
    ran = run(capsys, "scan", log)
    lines = ran.out.splitlines()
    assert [line.split(" (")[1].split(")")[0] for line in lines[:3]] == ["1, pid 10516", "2, pid 22", "3, pid 33"]
    assert ran.err == "1 input, 1 analysed; 3 with a crash, 0 without\n"


def test_scan_numbers_the_documents_of_one_input(log: str, capsys: pytest.CaptureFixture[str]) -> None:
    ran = run(capsys, "scan", log, "--format", "json")
    documents = [json.loads(line) for line in ran.out.splitlines()]
    assert [(each["path"], each["incident"]) for each in documents] == [(log, 1), (log, 2), (log, 3)]
    assert [each["report"]["process"]["pid"] for each in documents] == [PID, 22, 33]


def test_a_restart_loop_is_one_group(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One crash again and again."""
    path = tmp_path / "loop.log"
    path.write_bytes(b"".join(crash("2.9.0-requeue-expiry-race.log", 1000 + number, number) for number in range(60)))
    ran = run(capsys, "scan", str(path))
    assert "EQUAL CRASHES: 1 GROUP\n" in ran.out
    assert "\n  60 x  " in ran.out


def _zstd(raw: bytes) -> bytes:
    import zstandard

    return zstandard.compress(raw)


def _lz4(raw: bytes) -> bytes:
    import lz4.frame

    packed: bytes = lz4.frame.compress(raw)
    return packed


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zst": _zstd, "lz4": _lz4,
    "utf-16": lambda raw: raw.decode().replace("\n", "\r\n").encode("utf-16"),
    "utf-16-be without a mark": lambda raw: raw.decode().encode("utf-16-be"),
    "carriage returns": lambda raw: raw.replace(b"\n", b"\r"),
}  # fmt: skip


@pytest.mark.parametrize("form", PACKED)
def test_a_log_is_taken_in_any_form(form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By triage, and by a scan of its directory."""
    (tmp_path / "a log").write_bytes(PACKED[form](FIRST))
    assert report(capsys, str(tmp_path / "a log"))["crash"]["source"] == "src/task.c:285"
    assert "1 with a crash" in run(capsys, "scan", str(tmp_path)).err


@pytest.mark.parametrize("form", ["export", "json", "json-pretty", "verbose", "short"])
def test_the_journal_is_taken_in_any_form(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    """As journalctl printed it."""
    path = DATA.parent / "carried" / f"2.9.0-requeue-expiry-race.lines.journal-{form}"
    document = report(capsys, str(path))
    assert document["crash"]["source"] == "src/task.c:285"
    assert document["findings"][0]["signature"] == "stick-table/requeue-expiry-race"
