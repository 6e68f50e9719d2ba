"""Places of a log are found again from marks, in every encoding and compression."""

from __future__ import annotations

import gzip
import io
from typing import IO, cast

import pytest

from forensics.logs import LogReading
from forensics.logs.happenings.surroundings import NEEDLES
from forensics.logs.nearby import records_from
from forensics.logs.times import LogClock

CLOCK = LogClock(1795600000.0)
#: Long enough for several marks.
LINES = [
    f"2026-11-24T{10 + n // 3600:02d}:{n // 60 % 60:02d}:{n % 60:02d}Z lb1 haproxy[7]: line {n} {'x' * 200}"
    for n in range(12_000)
]


def made(encoding: str) -> bytes:
    """The log in one encoding."""
    return "\n".join([*LINES, ""]).encode(encoding)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("compressed", [False, True])
def test_lines_are_read_again_from_a_mark(encoding: str, compressed: bool) -> None:
    """With their numbers."""
    raw = made(encoding)

    def opened() -> IO[bytes]:
        plain = io.BytesIO(raw)
        return cast(IO[bytes], gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(raw, 1)))) if compressed else plain

    reading = LogReading()
    reading.read(opened(), CLOCK)
    (found,) = reading.found
    mark = found.marks.before_line(9000)
    assert 4000 < mark.lines < 9000
    records = records_from(opened(), found, mark, CLOCK, mark.lines, NEEDLES)
    wanted = [record for record in records if 9000 <= record.line <= 9002]
    assert [record.text.split()[1] for record in wanted] == ["8999", "9000", "9001"]


def test_a_mark_is_found_by_its_time() -> None:
    """The one before, so that some lines come before the instant."""
    reading = LogReading()
    reading.read(io.BytesIO(made("utf-8")), CLOCK)
    (found,) = reading.found
    first = found.marks.first_instant
    assert first is not None and first.zoned
    mark = found.marks.before_instant(first.seconds + 9000)
    assert 2000 < mark.lines < 9000
    assert mark.head.startswith(LINES[mark.lines].encode())
    assert found.marks.before_instant(first.seconds - 5).lines == 0


def test_far_from_the_place_only_telling_lines_are_decoded() -> None:
    """The others are passed over, and still counted."""
    lines = list(LINES)
    lines[5000] = "2026-11-24T11:23:20Z lb1 haproxy[7]: Server app/s1 is DOWN, reason: Layer4 timeout."
    raw = "\n".join([*lines, ""]).encode()
    reading = LogReading()
    reading.read(io.BytesIO(raw), CLOCK)
    (found,) = reading.found
    mark = found.marks.before_line(1)
    records = list(records_from(io.BytesIO(raw), found, mark, CLOCK, 11_000, NEEDLES))
    assert [record.line for record in records if record.line < 9000] == [5001]
    assert records[-1].line == 12_000
