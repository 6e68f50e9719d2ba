"""Damaged cores of real crashes: a report or an error of ours, in bounded time, whatever was damaged."""

from __future__ import annotations

import contextlib
import random
import time
from functools import cache
from pathlib import Path

import pytest
import zstandard

from forensics.api import triage
from forensics.errors import ForensicsError
from forensics.report.markdown import render_markdown
from forensics.report.render_json import render_json
from forensics.report.text import render_text
from samples import golden

SAMPLES = ("requeue-race-2.9.6", "sharding-with-peers-2.9.6", "segfault-2.6.12", "watchdog-loop-3.0.11")

#: Seconds that a damaged core may take; a whole one takes a tenth of a second.
BOUND = 10


@cache
def raw(name: str) -> bytes:
    """The decompressed core of a sample."""
    data = (golden.SAMPLES / name / "core.zst").read_bytes()
    return zstandard.ZstdDecompressor().decompressobj().decompress(data)


def damaged(chance: random.Random) -> bytes:
    """A core with damage of one kind."""
    data = bytearray(raw(chance.choice(SAMPLES)))
    kind = chance.randrange(5)
    if kind == 0:  # headers and notes
        for _flip in range(chance.randrange(1, 30)):
            data[chance.randrange(20_000)] = chance.randrange(256)
    elif kind == 1:  # anywhere
        for _flip in range(chance.randrange(1, 2000)):
            data[chance.randrange(len(data))] = chance.randrange(256)
    elif kind == 2:  # the end is lost
        del data[chance.randrange(len(data)) :]
    elif kind == 3:  # a hole
        start = chance.randrange(len(data))
        end = min(len(data), start + chance.randrange(1 << 18))
        data[start:end] = bytes(end - start)
    else:  # pointers lead elsewhere
        for _swap in range(300):
            to, source = (chance.randrange(len(data) - 8) & ~7 for _one in range(2))
            data[to : to + 8] = data[source : source + 8]
    return bytes(data)


@pytest.mark.parametrize("seed", range(30))
def test_a_damaged_core_gives_a_report_or_an_error_of_ours(seed: int, tmp_path: Path) -> None:
    path = tmp_path / "core"
    path.write_bytes(damaged(random.Random(seed)))
    begun = time.monotonic()
    with contextlib.suppress(ForensicsError):
        report = triage([str(path)], golden.options())
        assert render_json(report)
        assert render_text(report)
        assert render_markdown(report)
        assert not [gap for gap in report.gaps if "please report this" in gap.remedy]
    assert time.monotonic() - begun < BOUND
