"""Bad input gets a clear error with a hint and exit status 1, or a smaller report; never a traceback."""

from __future__ import annotations

import gzip
import io
import os
import sys
from pathlib import Path

import pytest
import zstandard

from samples import golden
from tests.builders.core import Core, Load
from tests.builders.elf import Image
from tests.cli.running import Ran, run

RACE = golden.SAMPLES / "requeue-race-2.9.6"
SYMBOLS = ("--symbols", str(golden.SYMBOLS), "--sysroot", "/nonexistent-host")


def refused(ran: Ran, *words: str) -> None:
    """Status 1, one error and one hint on stderr, nothing on stdout."""
    assert ran.status == 1, ran
    assert ran.out == ""
    assert ran.err.startswith("error: ")
    assert "\nhint: " in ran.err
    assert "Traceback" not in ran.err
    for word in words:
        assert word in ran.err


def raw_core(sample: str = "requeue-race-2.9.6") -> bytes:
    """The decompressed core of a sample."""
    data = (golden.SAMPLES / sample / "core.zst").read_bytes()
    return zstandard.ZstdDecompressor().decompressobj().decompress(data)


def test_an_empty_file_says_what_leaves_empty_cores(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "core").touch()
    refused(run(capsys, "triage", str(tmp_path / "core")), "is empty", "ulimit -c")


def test_a_missing_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused(run(capsys, "triage", str(tmp_path / "nothing")), "cannot open", "No such file")


def test_text_called_core_is_no_core(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "core").write_text("to do: buy milk\n")
    refused(run(capsys, "triage", str(tmp_path / "core")), "is text, not a core")


def test_random_bytes_are_no_evidence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "core").write_bytes(bytes(range(256)) * 20)
    refused(run(capsys, "triage", str(tmp_path / "core")), "no core, no text")


def test_a_directory_is_for_scan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused(run(capsys, "triage", str(tmp_path)), "is a directory", "scan")


def test_a_pipe_in_the_file_system_does_not_hang(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "core")
    refused(run(capsys, "triage", str(tmp_path / "core")), "no regular file")


def test_an_unreadable_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "core"
    path.write_bytes(b"\x7fELF")
    path.chmod(0)
    before = os.geteuid()
    # Root may read every file; a moment as somebody else makes the test true for root, too.
    os.seteuid(65534 if before == 0 else before)
    try:
        ran = run(capsys, "triage", str(path))
    finally:
        os.seteuid(before)
    refused(ran, "Permission denied")


def test_a_core_of_another_program_is_named_with_its_program(capsys: pytest.CaptureFixture[str]) -> None:
    path = golden.SAMPLES / "foreign" / "core.zst"
    refused(run(capsys, "triage", str(path)), "is a core of `foreign`, not of HAProxy")


@pytest.mark.parametrize("command", ["triage", "backtrace"])
def test_a_core_of_a_machine_that_is_not_unwound_gives_what_it_tells_and_says_what_helps(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "core").write_bytes(Core(machine=243).build())
    ran = run(capsys, command, str(tmp_path / "core"))
    assert (ran.status, ran.err) == (0, "")
    assert "RISC-V" in ran.out
    assert "gdb-multiarch" in ran.out


@pytest.mark.parametrize("machine", [3, 40, 22])
def test_a_core_whose_header_lies_about_its_class_is_refused(
    machine: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = bytearray(Core(machine=machine).build())
    data[4] = 1
    (tmp_path / "core").write_bytes(bytes(data))
    refused(run(capsys, "triage", str(tmp_path / "core")), "holds no thread", "complete core")


@pytest.mark.parametrize("portion", [0.0001, 0.001, 0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
def test_a_core_cut_anywhere_gives_an_error_or_a_report_that_says_so(
    portion: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = raw_core()
    (tmp_path / "core").write_bytes(data[: int(len(data) * portion)])
    ran = run(capsys, "triage", str(tmp_path / "core"), *SYMBOLS)
    if ran.status:
        refused(ran)
    else:
        assert "is cut short" in ran.out
        assert "Traceback" not in ran.err


def test_a_compressed_core_that_is_cut_is_read_as_far_as_it_goes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packed = gzip.compress(raw_core())
    (tmp_path / "core.gz").write_bytes(packed[: len(packed) * 3 // 4])
    ran = run(capsys, "triage", str(tmp_path / "core.gz"), *SYMBOLS)
    assert ran.status == 0
    assert "is cut short" in ran.out


def test_an_executable_of_another_build_is_said_loudly_and_not_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    python = os.path.realpath(sys.executable)
    ran = run(capsys, "triage", str(RACE / "core.zst"), "--exe", python, "--sysroot", str(tmp_path))
    assert ran.status == 0
    assert "another build" in ran.out
    assert "stktable_requeue_exp" not in ran.out


def test_without_any_executable_addresses_modules_and_offsets_are_still_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = run(capsys, "triage", str(RACE / "core.zst"), "--sysroot", str(tmp_path))
    assert ran.status == 0
    assert "haproxy-requeue-race-2.9.6+0x1a" in ran.out
    assert "2.9.6" in ran.out.splitlines()[0], "the version is in the core's own data"
    assert "--exe" in ran.out


@pytest.mark.parametrize(
    ("content", "words"), [(b"", "standard input is empty"), (b"\x7fELF" + bytes(100), "standard input is a core")]
)
def test_standard_input_must_be_a_log(
    content: bytes, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    refused(run(capsys, "triage", "-"), words)


def test_two_cores_are_two_incidents(capsys: pytest.CaptureFixture[str]) -> None:
    other = golden.SAMPLES / "bug-on-2.6.12" / "core.zst"
    ran = run(capsys, "triage", str(RACE / "core.zst"), str(other))
    assert ran.status == 2
    assert "2 inputs are of the kind core" in ran.err


def test_an_input_that_fails_beside_others_becomes_a_gap(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "core").touch()
    ran = run(capsys, "triage", str(tmp_path / "core"), str(RACE / "worker.log"))
    assert ran.status == 0
    assert "WHAT COULD NOT BE HAD" in ran.out
    assert "is empty" in ran.out


def test_a_configuration_alone_is_no_evidence_of_a_crash(capsys: pytest.CaptureFixture[str]) -> None:
    refused(run(capsys, "triage", str(RACE / "haproxy.cfg")), "no evidence of a crash")


def test_an_unknown_option_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "triage", "--no-such-option", "x").status == 2


def test_paths_with_escapes_cannot_act_on_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "core\x1b[31m\x07"
    path.write_bytes(b"\x00\x01")
    ran = run(capsys, "triage", str(path))
    assert ran.status == 1
    assert "\x1b" not in ran.err


def test_a_core_without_threads_is_no_sign_that_nothing_died(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its notes are lost, and with them who died; what else it holds is told."""
    image = Load(0x550000000000, Image().build(), flags=5)
    (tmp_path / "core").write_bytes(Core(threads=(), siginfo=None, loads=(image,)).build())
    ran = run(capsys, "triage", str(tmp_path / "core"))
    assert (ran.status, ran.err) == (0, "")
    assert "holds no thread" in ran.out
    assert "complete core" in ran.out
    assert "Nothing died" not in ran.out
