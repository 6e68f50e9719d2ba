"""However large the core, memory stays bounded (time is measured by ``make bench``, not here)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import zstandard

from benchmarks.sparse_core import append_segment

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
EIGHT_GIGABYTES = 8 << 30
MOST = 150 << 20

#: Prints its own peak at its end: a peak told by wait4 begins with that of the process it was forked from.
PROGRAM = """
import atexit, re, sys
from forensics.cli.main import main
atexit.register(lambda: print(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1], file=sys.stderr))
main()
"""


@pytest.fixture(scope="module")
def huge_core(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("sparse")
    with (SAMPLES / "bug-on-2.6.12/core.zst").open("rb") as packed, (directory / "raw").open("wb") as raw:
        zstandard.ZstdDecompressor().copy_stream(packed, raw)
    append_segment(directory / "raw", directory / "core", EIGHT_GIGABYTES)
    return directory / "core"


def test_the_appended_segment_leaves_the_disk_empty(huge_core: Path) -> None:
    status = huge_core.stat()
    assert status.st_size > EIGHT_GIGABYTES
    assert status.st_blocks * 512 < 64 << 20


def test_a_triage_of_eight_gigabytes_stays_below_150_mebibytes(huge_core: Path) -> None:
    report, peak = triage(huge_core)
    assert report["process"]["version"].startswith("2.6.12")
    assert peak < MOST


def test_the_appended_segment_changes_no_frame(huge_core: Path) -> None:
    huge, _ = triage(huge_core)
    small, _ = triage(huge_core.with_name("raw"))
    assert huge["threads"] == small["threads"]


def triage(core: Path) -> tuple[dict[str, dict[str, str]], int]:
    """The report of a process of its own, and the most memory that the process held."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "triage", str(core), "--format", "json"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), int(done.stderr.split()[-1]) * 1024
