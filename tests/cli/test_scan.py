"""`scan` as a user types it."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.batch.hostile import children, until

CHECKOUT = Path(__file__).resolve().parents[2]
SAMPLES = CHECKOUT / "samples"
BUG = 'FATAL: bug condition "task->expire == 0" matched at src/task.c:285\n'
COMMAND = [sys.executable, "-m", "forensics.cli.main", "scan"]


def scan(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """Three logs of one crash."""
    place = tmp_path / "logs"
    place.mkdir()
    for number in range(3):
        (place / f"{number}.log").write_text(BUG)
    return place


def test_text_is_one_line_an_input_and_then_the_groups(logs: Path) -> None:
    done = scan(logs)
    assert done.returncode == 0
    first = done.stdout.splitlines()[:3]
    assert sorted(line.split()[0][-5:] for line in first) == ["0.log", "1.log", "2.log"]
    assert "EQUAL CRASHES: 1 GROUP\n" in done.stdout
    assert re.search(r"^ +3 x  ", done.stdout, re.M)
    assert done.stderr == "3 inputs, 3 analysed; 3 with a crash, 0 without\n"


def test_json_is_one_document_a_line_and_nothing_else_on_stdout(logs: Path) -> None:
    done = scan(logs, SAMPLES / "foreign" / "core.zst", "--format", "json")
    assert done.returncode == 1
    documents = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(documents) == 4
    assert all(list(each) == ["path", "status", "seconds", "error", "hint", "report"] for each in documents)
    assert [each["status"] for each in documents if each["report"] is None] == ["failed"]
    assert "1 could not be" in done.stderr


def test_a_core_is_named_by_its_signature() -> None:
    done = scan(SAMPLES / "requeue-race-2.9.6" / "core.zst", "--symbols", SAMPLES / "symbols", "--jobs", "1")
    assert done.returncode == 0
    assert "stick-table/requeue-expiry-race" in done.stdout.splitlines()[0]


def test_output_goes_to_the_file_that_was_named(logs: Path, tmp_path: Path) -> None:
    done = scan(logs, "--output", tmp_path / "out.txt")
    assert (done.returncode, done.stdout) == (0, "")
    assert "EQUAL CRASHES" in (tmp_path / "out.txt").read_text()


def test_output_that_cannot_be_written_is_said_before_anything_is_done(logs: Path, tmp_path: Path) -> None:
    done = scan(logs, "--output", tmp_path / "no" / "out.txt")
    assert done.returncode == 1
    assert done.stderr.startswith("error: cannot write")


def test_a_missing_file_fails_with_status_1_and_a_hint(logs: Path) -> None:
    done = scan(logs, "nowhere/core")
    assert done.returncode == 1
    assert "COULD NOT BE ANALYSED: 1" in done.stdout
    assert "No such file" in done.stdout
    assert "hint:" in done.stdout


def test_a_directory_without_evidence_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("nothing")
    done = scan(tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert "0 inputs" in done.stderr
    assert "text without a trace of a crash (1)" in done.stderr


@pytest.mark.parametrize("arguments", [["--jobs", "0"], ["--timeout", "0"], ["--memory", "1"], ["--format", "xml"]])
def test_wrong_usage_has_status_2(logs: Path, arguments: list[str]) -> None:
    assert scan(logs, *arguments).returncode == 2


def test_standard_input_is_wrong_usage() -> None:
    done = scan("-")
    assert done.returncode == 2
    assert "not standard input" in done.stderr


def test_names_with_escapes_do_nothing_to_a_terminal(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/evil\n\x1b[31m\xff.log")).write_text(BUG)
    text, lines = scan(tmp_path), scan(tmp_path, "--format", "json")
    assert "\x1b" not in text.stdout + text.stderr + lines.stdout + lines.stderr
    assert lines.stdout.count("\n") == 1
    assert (text.returncode, lines.returncode) == (0, 0)


def test_an_input_that_is_out_of_time_is_reported(tmp_path: Path) -> None:
    (tmp_path / "long.log").write_text(BUG * 400_000)
    done = scan(tmp_path, "--timeout", "0.1")
    assert done.returncode == 1
    assert "timed out    not done after 0.1 seconds" in done.stdout
    assert "hint: give it more time with `--timeout`" in done.stdout


def test_a_pipe_loads_nothing_of_rich(logs: Path) -> None:
    program = (
        "import sys\n"
        "from forensics.cli.main import main\n"
        "try:\n    main()\n"
        "finally:\n    print([name for name in sys.modules if name.split('.')[0] == 'rich'], file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "scan", str(logs)],
        cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stderr.splitlines()[-1] == "[]"


def on_a_terminal(arguments: list[str], *, out: bool) -> tuple[str, bytes]:
    """What comes on the terminal, and on standard output where that is a pipe."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(
        [*COMMAND, *arguments], cwd=CHECKOUT, env=environment,
        stdin=theirs, stderr=theirs, stdout=theirs if out else subprocess.PIPE,
    ) as process:  # fmt: skip
        os.close(theirs)
        seen = b""
        while True:
            try:
                more = os.read(ours, 1 << 16)
            except OSError:
                break
            seen += more
        piped = process.stdout.read() if process.stdout else b""
    os.close(ours)
    return seen.decode(), piped


def test_a_terminal_has_a_bar_on_stderr_and_the_data_on_stdout(logs: Path) -> None:
    seen, piped = on_a_terminal([str(logs)], out=False)
    assert "3/3" in seen
    assert "EQUAL CRASHES" not in seen
    assert b"EQUAL CRASHES" in piped
    assert b"\x1b" not in piped


def test_a_terminal_has_colour_and_no_bar_is_left_behind(logs: Path) -> None:
    seen, _piped = on_a_terminal([str(logs)], out=True)
    assert "\x1b[1;34mEQUAL CRASHES: 1 GROUP\x1b[0m" in seen
    assert seen.rindex("3/3") < seen.rindex("\x1b[2K") < seen.rindex("EQUAL CRASHES")


def test_a_reader_that_has_seen_enough_ends_the_scan_quietly(tmp_path: Path) -> None:
    for number in range(300):
        (tmp_path / f"{number}.log").write_text(BUG)
    with subprocess.Popen(
        [*COMMAND, str(tmp_path)], cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode in {0, 1}


def test_control_c_ends_all_at_once_and_says_how_many_were_done(tmp_path: Path) -> None:
    for number in range(1000):
        (tmp_path / f"{number}.log").write_text(BUG)
    with subprocess.Popen(
        [*COMMAND, str(tmp_path)],
        cwd=CHECKOUT,
        process_group=0,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        crew = children(process.pid)
        os.killpg(process.pid, signal.SIGINT)
        process.stdout.read()
        words = process.stderr.read()
    assert process.returncode == 130
    assert re.fullmatch(r"interrupted: \d+ done, the rest was not analysed\n", words)
    assert crew
    assert until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in crew))
