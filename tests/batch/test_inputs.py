"""What is an input, and what is passed over."""

from __future__ import annotations

import gzip
import os
import tempfile
from pathlib import Path

import pytest

from forensics.batch.inputs import Ignored, find_inputs
from forensics.batch.result import Input, ScanResult
from forensics.errors import UsageError
from tests.builders import apport

CHECKOUT = Path(__file__).resolve().parents[2]
SAMPLES = CHECKOUT / "samples"
BUG = b'FATAL: bug condition "task->expire == 0" matched at src/task.c:285\n'
TRAFFIC = b"Nov 23 10:00:00 lb1 haproxy[9]: 10.0.0.1:41 [23/Nov/2026:10:00:00.655] in b/s 1/0/3/6/9 200 27 - - ----\n"


def found(*paths: str | Path) -> tuple[list[Input | ScanResult], Ignored]:
    ignored = Ignored()
    return list(find_inputs([str(path) for path in paths], ignored)), ignored


def names(directory: Path) -> list[str]:
    inputs, _ignored = found(directory)
    return [os.path.relpath(each, directory) for each in inputs if isinstance(each, str)]


def reason(directory: Path) -> list[str]:
    return list(found(directory)[1].count)


def test_a_directory_gives_its_cores_and_its_texts_that_tell_of_a_crash() -> None:
    place = SAMPLES / "requeue-race-2.9.6"
    assert {"core.zst", "worker.log"} <= set(names(place))
    assert "haproxy.cfg" not in names(place)


def test_symbol_packs_and_configurations_are_ignored_with_a_reason() -> None:
    assert reason(SAMPLES / "symbols") == ["a symbol pack"]
    assert "a configuration" in reason(SAMPLES / "requeue-race-2.9.6")


def test_the_order_is_that_of_the_names(tmp_path: Path) -> None:
    for name in ("b/2.log", "b/1.log", "a/9.log", "c.log"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(BUG)
    assert names(tmp_path) == ["c.log", "a/9.log", "b/1.log", "b/2.log"]


def test_five_hundred_tiny_files_are_found(tmp_path: Path) -> None:
    for number in range(500):
        (tmp_path / f"{number}.log").write_bytes(BUG if number % 2 else b"hello\n")
    inputs, ignored = found(tmp_path)
    assert len(inputs) == 250
    assert ignored.count == {"text without a trace of a crash": 250}
    assert len(ignored.examples["text without a trace of a crash"]) == 5


def test_inputs_are_found_one_by_one(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "log").write_bytes(BUG)
    inputs = find_inputs([str(tmp_path)])
    next(inputs)
    (tmp_path / "b" / "log").unlink()
    assert list(inputs) == []


def test_a_file_that_is_named_is_an_input_whatever_it_is(tmp_path: Path) -> None:
    for name in (".hidden", "text"):
        (tmp_path / name).write_text("nothing")
    os.mkfifo(tmp_path / "fifo")
    named = [str(tmp_path / name) for name in (".hidden", "text", "fifo", "missing")]
    assert found(*named)[0] == named


def test_a_file_is_an_input_once(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(BUG)
    (tmp_path / "b.log").symlink_to(log)
    os.link(log, tmp_path / "c.log")
    inputs, ignored = found(log, tmp_path, tmp_path)
    assert inputs == [str(log)]
    assert ignored.count == {"a file that has another name here": 6}


def test_hidden_files_and_directories_are_ignored(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    for name in (".git/log", ".core"):
        (tmp_path / name).write_bytes(BUG)
    inputs, ignored = found(tmp_path)
    assert inputs == []
    assert ignored.count == {"hidden": 2}


def test_special_files_and_broken_links_neither_block_nor_count(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "self").symlink_to("self")
    (tmp_path / "null").symlink_to("/dev/zero")
    inputs, ignored = found(tmp_path)
    assert inputs == []
    assert ignored.count == {"no regular file": 2, "a link that leads nowhere": 2}


def test_links_to_directories_are_not_followed_within_a_directory(tmp_path: Path) -> None:
    (tmp_path / "down").mkdir()
    (tmp_path / "down" / "up").symlink_to(tmp_path)
    (tmp_path / "down" / "log").write_bytes(BUG)
    assert names(tmp_path) == ["down/log"]


def test_a_link_to_a_directory_that_is_named_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "log").write_bytes(BUG)
    (tmp_path / "link").symlink_to("real")
    assert found(tmp_path / "link")[0] == [str(tmp_path / "link" / "log")]


def test_what_cannot_be_read_is_an_input_since_it_could_be_a_core() -> None:
    # pytest's own directories may be closed to others, as root makes them.
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place)
        directory.chmod(0o755)
        (directory / "core").write_bytes(b"x")
        (directory / "core").chmod(0)
        before = os.geteuid()
        # Root may read everything; a moment as somebody else makes the test true for root, too.
        os.seteuid(65534 if before == 0 else before)
        try:
            assert names(directory) == ["core"]
        finally:
            os.seteuid(before)


def test_what_cannot_be_read_is_judged_to_be_an_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    (tmp_path / "core").write_bytes(b"x")
    monkeypatch.setattr("forensics.batch.inputs.take", refuse)
    assert names(tmp_path) == ["core"]


def test_a_directory_that_cannot_be_listed_is_a_failed_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> list[str]:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("forensics.batch.inputs.os.listdir", refuse)
    (only,) = found(tmp_path)[0]
    assert isinstance(only, ScanResult)
    assert (only.status, only.error) == ("failed", f"cannot look into `{tmp_path}`: Permission denied")


def test_compressed_data_that_is_damaged_is_an_input(tmp_path: Path) -> None:
    (tmp_path / "core.gz").write_bytes(gzip.compress(BUG)[:12])
    assert names(tmp_path) == ["core.gz"]


def test_a_crash_far_down_in_a_long_log_is_found(tmp_path: Path) -> None:
    (tmp_path / "haproxy.log").write_bytes(TRAFFIC * 30_000 + BUG)
    (tmp_path / "quiet.log").write_bytes(TRAFFIC * 30_000)
    (tmp_path / "haproxy.log.1.gz").write_bytes(gzip.compress(TRAFFIC * 30_000 + BUG, 1))
    assert found(tmp_path)[0] == [(str(tmp_path / "haproxy.log.1.gz"), str(tmp_path / "haproxy.log"))]


def test_a_log_too_long_to_be_searched_is_an_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("forensics.batch.inputs._SEARCHED", 1 << 20)
    (tmp_path / "haproxy.log").write_bytes(TRAFFIC * 30_000)
    assert names(tmp_path) == ["haproxy.log"]


@pytest.mark.parametrize(
    "text",
    [
        '{\n  "schema_version": "1.0", "x": "FATAL: bug condition"}',
        '{"path":"c","status":"x","y":"FATAL: bug condition"}',
    ],
)
def test_reports_of_this_program_are_no_evidence(tmp_path: Path, text: str) -> None:
    (tmp_path / "report.json").write_text(text)
    assert reason(tmp_path) == ["a report of this program"]


def test_a_pattern_names_all_that_it_fits(tmp_path: Path) -> None:
    for name in ("x/core.1", "x/core.2", "y/z/core.3", "x/other"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("anything")
    inputs, _ignored = found(f"{tmp_path}/**/core*")
    assert [os.path.basename(str(each)) for each in inputs] == ["core.1", "core.2", "core.3"]


def test_a_file_whose_name_is_like_a_pattern_is_meant_itself(tmp_path: Path) -> None:
    for name in ("core[1]", "core1"):
        (tmp_path / name).write_text("x")
    assert found(tmp_path / "core[1]")[0] == [str(tmp_path / "core[1]")]


def test_a_pattern_that_fits_nothing_is_an_input_that_will_fail() -> None:
    assert found("nowhere/core*")[0] == ["nowhere/core*"]


def test_standard_input_is_refused() -> None:
    with pytest.raises(UsageError, match="not standard input"):
        found("-")


def test_a_directory_of_abrt_is_one_input_and_a_report_of_apport_another(tmp_path: Path) -> None:
    problem = tmp_path / "ccpp-2026-11-25-10:00:00-7"
    problem.mkdir()
    for name in ("type", "reason", "backtrace", "os_release"):
        (problem / name).write_text("haproxy killed by SIGSEGV\n", encoding="utf-8")
    apport.write_report(tmp_path / "haproxy.crash", b"core")
    assert names(tmp_path) == ["haproxy.crash", problem.name]
