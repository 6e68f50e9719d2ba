"""A bar for long logs, on a terminal only."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from forensics.intake import text_stream
from forensics.report import progress
from forensics.report.progress import watching


class Terminal(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def test_nobody_is_told_where_nobody_looks() -> None:
    with watching(io.StringIO()) as watch:
        assert watch is None


def test_a_long_file_has_a_bar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LONG", 1000)
    monkeypatch.setenv("TERM", "xterm")
    path = tmp_path / "long\x1b[31m.log"
    path.write_bytes(b"x" * 5000)
    terminal = Terminal()
    with watching(terminal) as watch:
        assert watch is not None
        watch(str(path), 2500)
        watch(str(path), 9999)
    assert "long" in terminal.getvalue()
    assert "\x1b[31m" not in terminal.getvalue()


def test_a_short_file_has_none(tmp_path: Path) -> None:
    path = tmp_path / "short.log"
    path.write_bytes(b"x")
    terminal = Terminal()
    with watching(terminal) as watch:
        assert watch is not None
        watch(str(path), 1)
        watch(str(tmp_path / "gone"), 1)
    assert terminal.getvalue() == ""


@pytest.mark.parametrize("name", ["plain.log", "small.log.gz"])
def test_the_bytes_of_the_file_are_counted(name: str, tmp_path: Path) -> None:
    """Of a compressed one the compressed ones, to the last."""
    import gzip
    import random

    path = tmp_path / name
    raw = random.Random(1).randbytes(3 << 20)
    path.write_bytes(gzip.compress(raw) if name.endswith("gz") else raw)
    told: list[int] = []
    with text_stream(str(path), told.append) as stream:
        while stream.read(1 << 18):
            pass
    assert told == sorted(told) and len(told) > 3
    assert told[-1] == path.stat().st_size


def test_rich_is_not_loaded_for_short_files() -> None:
    program = "import sys; import forensics.report.progress; sys.exit('rich' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
