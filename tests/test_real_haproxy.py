"""The packaged HAProxy of this machine, crashed on the spot: core, log, both."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from forensics.api import Options, triage
from forensics.report.document import Report
from forensics.symbols.find import Places
from samples.lab.haproxy import Crashed, crash
from tests.cli.running import run

HAPROXY = shutil.which("haproxy")

pytestmark = [
    pytest.mark.skipif(HAPROXY is None, reason="haproxy is not installed (Debian: apt-get install haproxy)"),
    # The lab's processes share the ports and directories of this machine.
    pytest.mark.xdist_group("haproxy"),
]


def died(command: str, directory: Path, **options: int) -> Crashed:
    """A HAProxy that was killed by ``command`` on its socket."""
    assert HAPROXY
    crashed = crash(Path(HAPROXY), command, directory, **options)  # type: ignore[arg-type]  # only numbers are passed
    if crashed.core is None:
        pytest.skip("the kernel writes no core here: see /proc/sys/kernel/core_pattern")
    return crashed


def version() -> str:
    """What the installed HAProxy calls itself."""
    assert HAPROXY
    text = subprocess.run([HAPROXY, "-v"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"version (\S+)", text)
    assert found
    return found[1]


def report_of(*paths: Path | None) -> Report:
    return triage([str(path) for path in paths if path is not None], Options())


def test_an_assertion_is_diagnosed_from_core_and_log_alike(tmp_path: Path) -> None:
    crashed = died("debug dev bug", tmp_path)
    for evidence in ((crashed.core,), (crashed.core, crashed.log, crashed.config)):
        report = report_of(*evidence)
        assert report.process.version == version()
        assert report.crash.kind == "bug_on"
        assert report.crash.condition == "one > zero"
        assert report.crash.source.startswith("src/debug.c:")
        assert [one.signature for one in report.findings] == ["deliberate/debug-dev"]
        assert report.disagreements == ()
    from_log = report_of(crashed.log)
    assert from_log.crash.condition == "one > zero"


def test_a_panic_is_a_watchdog_death_with_every_thread_unwound(tmp_path: Path) -> None:
    crashed = died("debug dev panic", tmp_path, threads=4)
    report = report_of(crashed.core, crashed.log)
    assert report.crash.kind == "watchdog"
    assert report.crash.signal == "SIGABRT"
    assert len(report.threads) == 4
    assert all(len(thread.frames) > 3 for thread in report.threads)
    assert report.disagreements == ()


def test_a_loop_is_ended_by_the_watchdog(tmp_path: Path) -> None:
    crashed = died("debug dev loop 6000", tmp_path)
    report = report_of(crashed.core, crashed.log)
    assert report.crash.kind == "watchdog"
    assert report.disagreements == ()


@pytest.mark.parametrize(("number", "name"), [(4, "SIGILL"), (7, "SIGBUS"), (8, "SIGFPE"), (11, "SIGSEGV")])
def test_a_signal_that_the_process_sent_itself_is_no_fault_of_memory(number: int, name: str, tmp_path: Path) -> None:
    crashed = died(f"debug dev tkill 1 {number}", tmp_path)
    report = report_of(crashed.core)
    assert report.crash.signal == name
    assert report.crash.kind == "signal_from_outside"
    assert "no fault of memory" in report.crash.explanation


def test_compressed_cores_open_directly(tmp_path: Path) -> None:
    import gzip
    import lzma

    import lz4.frame
    import zstandard

    crashed = died("debug dev bug", tmp_path)
    assert crashed.core is not None
    data = crashed.core.read_bytes()
    expected = report_of(crashed.core).threads
    packers = {"gz": gzip.compress, "xz": lzma.compress, "lz4": lz4.frame.compress, "zst": zstandard.compress}
    for suffix, pack in packers.items():
        path = tmp_path / f"packed.{suffix}"
        path.write_bytes(pack(data))
        assert report_of(path).threads == expected, suffix


def test_symbol_packs_stand_in_for_every_file_of_the_host(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    crashed = died("debug dev bug", tmp_path, threads=3)
    packs = tmp_path / "haproxy.symbols"
    ran = run(capsys, "symbols", "pack", str(crashed.core), "--output", str(packs))
    assert ran.status == 0, ran.err
    with_files = report_of(crashed.core)
    elsewhere = Options(Places(sysroot=str(tmp_path / "nothing"), packs=(str(packs),)))
    with_packs = triage([str(crashed.core)], elsewhere)
    assert with_packs.threads == with_files.threads
    assert with_packs.crash == with_files.crash
    assert len(with_packs.threads) == 3
    shown = run(capsys, "symbols", "list", str(packs))
    assert re.search(rf" {re.escape(version())} .*/haproxy$", shown.out, re.M), shown.out


def test_the_thread_that_died_has_the_number_that_the_log_gives_it(tmp_path: Path) -> None:
    crashed = died("debug dev panic", tmp_path, threads=4)
    said = re.search(r"Thread (\d+) is about to kill the process", crashed.log.read_text())
    assert said
    thread = report_of(crashed.core).crash.thread
    assert thread is not None
    assert thread.number == int(said[1])


def test_the_version_is_found_without_the_executable(tmp_path: Path) -> None:
    crashed = died("debug dev bug", tmp_path)
    report = triage([str(crashed.core)], Options(Places(sysroot=str(tmp_path / "nothing"))))
    assert report.process.version == version()
    build_id = next(module.build_id for module in report.modules if module.path.endswith("/haproxy"))
    remedy = next(gap.remedy for gap in report.gaps if gap.subject == f"code of {HAPROXY}")
    for words in ("`--exe`", "`--debuginfod`", f"`debuginfod-find executable {build_id}`", "symbols pack CORE"):
        assert words in remedy
