"""Running the command in this process: what it printed and how it ended."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import pytest

from forensics.cli.main import main


@dataclass(frozen=True, slots=True)
class Ran:
    """Exit status and both streams of one run."""

    status: int
    out: str
    err: str


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> Ran:
    """Run ``haproxy-forensics`` with ``arguments``."""
    before = sys.argv
    sys.argv = ["haproxy-forensics", *arguments]
    capsys.readouterr()
    status = 0
    try:
        main()
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
    finally:
        sys.argv = before
    printed = capsys.readouterr()
    return Ran(status, printed.out, printed.err)
