"""Lines that a container's runtime broke, entries of the journal, and texts in other encodings are whole again."""

from __future__ import annotations

import gzip
import io
import json
import time
from collections.abc import Callable
from typing import IO, cast

import pytest

from forensics.logs import LogEvidence, interest, parse, parse_stream
from forensics.logs.carrier import Unwrapper
from forensics.logs.encoding import TextStream, encoding_of
from forensics.logs.framing import framing_of
from tests.logs.carriers import STAMP, lines_of

RACE = "2.9.0-requeue-expiry-race.log"
FRAMES = 12
TRAFFIC = b"10.0.1.2:33317 [06/Feb/2009:12:14:14.655] http-in~ static/srv1 10/0/30/69/109 200 2750\n"


def is_whole(evidence: LogEvidence) -> bool:
    """Whether the assertion of the real log and all of its trace are there."""
    (report,) = evidence.bug_reports
    return (report.line_number, len(report.frames)) == (285, FRAMES)


def docker(text: str, stream: str = "stderr") -> bytes:
    """An object of docker's json-file, as Go writes it."""
    written = json.dumps(
        {"log": text, "stream": stream, "time": "2024-01-18T10:23:05.600716123Z"}, separators=(",", ":")
    )
    return written.replace("<", "\\u003c").replace(">", "\\u003e").encode() + b"\n"


def docker_parts(lines: list[bytes], size: int) -> list[bytes]:
    """Lines broken after every ``size`` characters, another stream between the parts."""
    made = [docker("other\n", "stdout")]
    for line in lines:
        text = line.decode()
        for start in range(0, len(text), size):
            made += [docker(text[start : start + size]), docker("GET / 200\n", "stdout")]
    return made


def cri_parts(lines: list[bytes], size: int) -> list[bytes]:
    """The same by containerd: P for a part, F for the last one."""
    made = []
    for line in lines:
        text = line.decode().rstrip("\n")
        for start in range(0, len(text) or 1, size):
            tag = "P" if start + size < len(text) else "F"
            made.append(f"2024-01-18T11:23:05.600716123+01:00 stderr {tag} {text[start : start + size]}\n".encode())
            made.append(b"2024-01-18T11:23:05.600716123+01:00 stdout F GET / 200\n")
    return made


@pytest.mark.parametrize("parts", [docker_parts, cri_parts])
@pytest.mark.parametrize("size", [13, 40, 71, 16384])
def test_broken_lines_are_joined(parts: Callable[[list[bytes], int], list[bytes]], size: int) -> None:
    """Of one stream, wherever they were broken."""
    lines = [line for line in lines_of(RACE) if line.strip()]
    unwrapper = Unwrapper(framing_of(b"".join(parts(lines, size))))
    texts = [one.text for raw in parts(lines, size) for one in unwrapper.feed(raw, 1)]
    texts += [one.text for one in unwrapper.close()]
    assert [text for text in texts if text not in ("other", "GET / 200")] == [
        line.decode().rstrip("\n") for line in lines
    ]


@pytest.mark.parametrize("parts", [docker_parts, cri_parts])
def test_a_report_is_found_in_broken_lines_behind_traffic(
    parts: Callable[[list[bytes], int], list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though its first line was broken behind the words that are searched for, and blocks end anywhere."""
    monkeypatch.setattr(interest, "BLOCK", 4096)
    assert is_whole(parse([*parts([TRAFFIC] * 300, 16384), *parts(lines_of(RACE), 71)]))


def test_a_line_of_docker_that_is_longer_than_its_buffer_is_one() -> None:
    """16 KiB of a line, then the rest of it in the next object of the stream."""
    long = "x" * 16384
    raw = [docker(long), docker("GET /\n", "stdout"), docker('y FATAL: bug condition "a" matched at src/a.c:7\n')]
    (report,) = parse([docker("first\n"), *raw]).bug_reports
    assert (report.condition, report.line_number, report.line) == ("a", 7, 2)


def test_a_collector_that_drops_line_ends_breaks_no_line() -> None:
    """fluent-bit keeps docker's names, but no line feeds."""
    raw = [docker(line.decode().rstrip("\n")) for line in lines_of(RACE)]
    assert is_whole(parse(raw))


def test_the_last_words_of_a_container_may_have_no_end() -> None:
    """A process that dies in the midst of a line."""
    lines = lines_of(RACE)
    raw = [docker(line.decode()) for line in lines[:-1]] + [docker(lines[-1].decode().rstrip("\n"))]
    assert is_whole(parse(raw))


def test_prefixes_with_timestamps_are_taken_off() -> None:
    """`kubectl logs --prefix --timestamps`, `docker compose logs -t`, `docker logs -t`."""
    stamp = "2024-01-18T10:23:05.600716123Z"
    for prefix in (
        f"[pod/ha-1/haproxy] {stamp} ",
        f"haproxy-1  | {stamp} ",
        f"{stamp} ",
        f"\x1b[36mha-1 | \x1b[0m{stamp} ",
    ):
        evidence = parse([prefix.encode() + line for line in lines_of(RACE)])
        assert is_whole(evidence)
        origin = evidence.incidents[0].first
        assert (origin.instant, origin.zoned) == (1705573385.600716, True)


@pytest.mark.parametrize(
    "outer",
    [
        lambda text: docker(f"{text}\n"),
        lambda text: f"haproxy-1  | {text}\n".encode(),
        lambda text: f"2024-01-18T10:23:05.600716123Z stderr F {text}\n".encode(),
        lambda text: f"2024-01-18T10:23:05.600716123Z {text}\n".encode(),
        lambda text: f"{STAMP} node1 k8s[9]: {docker(text + chr(10)).decode()}".encode(),
    ],
    ids=["docker", "compose", "cri", "timestamps", "json in syslog"],
)
def test_carriers_nest(outer: Callable[[str], bytes]) -> None:
    """A log of syslog in a container, in the log of a node."""
    lines = [f"Jan 18 11:23:05 lb1 haproxy[77]: {line.decode()}".rstrip("\n") for line in lines_of(RACE)]
    evidence = parse([outer(line) for line in lines])
    assert is_whole(evidence)
    assert (evidence.incidents[0].first.identifier, evidence.incidents[0].first.pid) == ("haproxy", 77)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf16_is_read(encoding: str) -> None:
    """With its mark and without one."""
    raw = b"".join(lines_of(RACE)).decode().replace("\n", "\r\n").encode(encoding)
    assert encoding_of(raw) == encoding.replace("utf-16", "utf-16-le", 1).replace("-le-", "-")
    assert is_whole(parse_stream(io.BytesIO(raw)))


def test_utf16_is_cut_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads of an odd number of bytes, and a damaged last character."""
    monkeypatch.setattr(interest, "BLOCK", 1001)
    raw = b"\xff\xfe" + b"".join([TRAFFIC] * 900 + lines_of(RACE)).decode().encode("utf-16-le") + b"\xd8"
    evidence = parse_stream(io.BytesIO(raw))
    assert is_whole(evidence) and evidence.bug_reports[0].line == 902


@pytest.mark.parametrize("raw", [b"", b"ab", b"\0" * 64, b"\x7fELF" + b"\0" * 60, "é".encode() * 40, b"a\0\0\0" * 40])
def test_other_bytes_are_no_utf16(raw: bytes) -> None:
    """Cores, holes, UTF-32."""
    assert encoding_of(raw) == ""


def test_broken_utf8_is_read() -> None:
    """Any byte may be wrong."""
    raw = [line.replace(b"run_poll_loop", b"run\xff\xc3(loop") for line in lines_of(RACE)]
    assert is_whole(parse([b"\xff\xfe\x80 first\n", *raw]))


def test_carriage_returns_alone_end_lines() -> None:
    """A file without line feeds."""
    raw = b"".join(lines_of(RACE)).replace(b"\n", b"\r")
    evidence = parse_stream(io.BytesIO(raw))
    assert is_whole(evidence) and evidence.bug_reports[0].line == 2


def test_progress_that_is_written_over_itself_hides_nothing() -> None:
    """Carriage returns in the midst of lines."""
    lines = lines_of(RACE)
    lines[1] = b"fetching 10%\rfetching 100%\r" + lines[1]
    assert is_whole(parse(lines))
    tagged = [b"Jan 18 11:23:05 lb1 haproxy[7]: " + line for line in lines]
    assert is_whole(parse(tagged)) and parse(tagged).incidents[0].pid == 7


def test_an_entry_of_a_journal_may_hold_anything() -> None:
    """An empty line, what looks like a field, a length that leads nowhere."""
    text = b'one\n\nFATAL: bug condition "a" matched at src/a.c:7\n_PID=9'
    good = (
        b"__CURSOR=a\n_PID=5\nMESSAGE\n" + len(text).to_bytes(8, "little") + text + b"\nSYSLOG_IDENTIFIER=haproxy\n\n"
    )
    evidence = parse_stream(io.BytesIO(good * 2))
    assert [(one.line_number, one.origin.pid) for one in evidence.bug_reports] == [(7, 5)] * 2
    cut = b"__CURSOR=a\n_PID=5\nMESSAGE\n" + b"\xff" * 8 + text
    assert [one.line_number for one in parse_stream(io.BytesIO(cut)).bug_reports] == [7]


def test_traffic_between_entries_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only entries around a clue are."""
    entry = b"__CURSOR=a\n_PID=5\nMESSAGE=GET / 200\nSYSLOG_IDENTIFIER=haproxy\n\n"
    bug = b'__CURSOR=a\nMESSAGE=FATAL: bug condition "a" matched at src/a.c:7\n_PID=6\n\n'
    monkeypatch.setattr(interest, "BLOCK", 4096)
    raw = entry * 5000 + bug + entry * 5000
    units = list(interest.telling_units(TextStream(io.BytesIO(raw)), framing_of(raw)))
    assert len(units) < 60
    assert units[-1] == (raw.count(b"\n"), b"")
    (report,) = parse_stream(io.BytesIO(raw)).bug_reports
    assert (report.line, report.origin.pid) == (25002, 6)


def test_compressed_logs_are_read_in_any_framing() -> None:
    """The stream is what the decompressor gives, however little at a time."""
    raw = gzip.compress(b"".join(docker_parts(lines_of(RACE), 50)))
    assert is_whole(parse_stream(cast(IO[bytes], gzip.GzipFile(fileobj=io.BytesIO(raw)))))


HEADS = (
    b"plain\n", b"__CURSOR=a\n", b"{\n\t\"MESSAGE\" : \"a\"\n}\n", docker("a\n"),
    b"2024-01-18T11:23:05Z stderr F a\n", b"Thu 2024-01-18 10:23:05 UTC [s=4;i=1]\n",
)  # fmt: skip
HOSTILE = (
    b" " * 30 + b"FATAL: \n", b"\n\n__FATAL: ", b"\n}\n{FATAL: ", docker("FATAL: "), b"\n    MESSAGE=FATAL: ",
    b"2024-01-18T11:23:05Z stderr P FATAL: \n", b"MESSAGE\n\xff\xff\xff\xff\0\0\0\0FATAL: ", b"\r", b"FATAL: \r", b"\n", b"#012FATAL: ",
)  # fmt: skip


@pytest.mark.parametrize("head", HEADS, ids=["lines", "export", "pretty", "docker", "cri", "verbose"])
@pytest.mark.parametrize("piece", HOSTILE)
def test_hostile_units_take_bounded_time(head: bytes, piece: bytes) -> None:
    """Much without an end of a unit, or of nothing but ends; and every line is counted."""
    raw = head + piece * (300_000 // len(piece))
    started = time.process_time()
    evidence = parse_stream(io.BytesIO(raw))
    assert time.process_time() - started < 3
    assert evidence.lines_read <= raw.count(b"\n") + 3


def _docker(text: str, stream: str = "stderr") -> str:
    return json.dumps({"log": text, "stream": stream, "time": "2024-01-18T10:23:05.600716Z"}, separators=(",", ":"))


def _cri(text: str, tag: str, stream: str = "stderr") -> str:
    return f"2024-01-18T10:23:05.600716Z {stream} {tag} {text}"


@pytest.mark.parametrize("between", [0, 1])
@pytest.mark.parametrize("cut", range(1, 16, 2))
@pytest.mark.parametrize("runtime", ["docker", "cri"])
def test_a_word_that_a_runtime_broke_in_two_is_found(runtime: str, cut: int, between: int) -> None:
    """Each part holds half of it, so that no search of the bytes finds it."""
    words = "[ALERT]    (7) : Current worker (11) exited with code 139 (Segmentation fault)"
    place = words.index("exited with code ") + cut
    first, second = "x" * (16384 - place - 1) + " " + words[:place], words[place:]
    if runtime == "docker":
        lines = [_docker("hello\n"), _docker(first), *[_docker("other\n", "stdout")] * between, _docker(f"{second}\n")]
    else:
        lines = [_cri("hello", "F"), _cri(first, "P"), *[_cri("other", "F", "stdout")] * between, _cri(second, "F")]
    log = parse(f"{line}\n".encode() for line in lines)
    assert [one.pid for one in log.exits] == [11]
