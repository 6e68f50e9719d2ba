"""Any input, in bounded time, gives evidence and never an exception."""

from __future__ import annotations

import io
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forensics.logs import (
    LogEvidence,
    culprit_frames,
    limits,
    looks_like_evidence,
    looks_like_text,
    parse,
    parse_stream,
)
from forensics.logs.interest import CLUES, INTERESTING, NEEDLES, needles_in
from tests.builders.bounds import within_bytes
from tests.logs.carriers import CARRIERS, DATA, lines_of

TRAFFIC = (
    b"Feb  6 12:14:14 lb1 haproxy[14389]: 10.0.1.2:33317 [06/Feb/2009:12:14:14.655] http-in~ static/srv1 "
    b'10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 {example.com|Mozilla/5.0 (X11)} "GET /index.html HTTP/1.1"\n'
)
NAMES = sorted(path.name for path in DATA.iterdir())
#: Pieces of every shape, for a machine to put together wrongly.
SHARDS = st.sampled_from(
    [
        b"FATAL: bug condition \"", b'" matched at ', b"src/a.c:1", b"ABORT at ", b"  call trace(3):", b"  | 0x55",
        b" [0f 0b]: ", b" <00 e8]: ", b"main+0x", b"/0x10", b" > f", b"Thread 1 is about to kill the process",
        b"*>Thread 1 : id=0x7f act=1", b"stuck=1 harmless=0", b"fct=0x55(f+0x1) ctx=0x5", b"stream=0x5: ",
        b"lock_hist: U:X locked: Y", b"### Note", b"Hint: ", b"Current worker (1) exited with code 139 (x)",
        b"haproxy[1]: segfault at 1 ip 1 sp 1 error 6 in x[1+2]", b"Code: <c6> 04", b"trap int3 ip:1 sp:2 error:0",
        b"Process 1 (haproxy) of user 0 dumped core", b"Stack trace of thread 1:", b"#0  0x55 f (m)",
        b"#0  0x55 in f (a=\"", b"#1  f () at a.c:1", b"\") at a.c:1", b"Thread 1 (LWP 2):",
        b"--Type <RET> for more--", b"> ", b"Program terminated with signal SIGILL", b'{"log":"', b'{"MESSAGE":[',
        b"70,65]}", b'"}', b"#012", b"\x1b[1m", b"\0", b"\n", b" ", b"haproxy-1  | ",
        b"Jan 18 11:23:05 lb1 haproxy[1]: ", b"COREDUMP_PID=1", b"COREDUMP_SIGNAL=99999",
        b"oom-kill:task=haproxy,pid=1", b"free(): ", b"Assertion `", b"' failed", b"TID 1:", b"\xff\xfe",
        b"FATAL: pool inconsistency detected in thread 1: x.", b"  caller: 0x5 (f+0x1/0x2)", b"  pool: 0x5 ('p', ",
        b"Contents around first corrupted address relative to pool item:.", b"[pool:p]", b"  tag: @0x5 = 0x5 (p, ",
        b"Resolving the tag as a pool_free() location: f+0x1/0x2", b"  @0x5 (+0008) = 0x5 (f)",
        b"A bogus STREAM [0x5] is spinning at 9 calls per second", b" fe=a be=b rqa=0 rpa=1", b"req=0x5 (f=0x0 an=0x1",
        b"==1==ERROR: AddressSanitizer: heap-use-after-free on address 0x5", b"READ of size 1", b"freed by thread T0",
        b"    #0 0x5 in f a.c:1:2", b"* thread #1, stop reason = signal SIGSEGV", b"  * frame #0: 0x5 h`f(a=1) at a.c:1",
        b"    frame #1: 0x5 h`f + 1", b"Backtrace:", b"/usr/sbin/haproxy(f+0x1)[0x5]", b"[0x5]", b"0x5555555",
        b"haproxy[1]: unhandled exception: DABT (lower EL), ESR 0x92000046, level 2 translation fault in x[1+2]",
        b"pc : 0000000000000005", b"Code: aa0003e1 (b900001f)", b"ProblemType: Crash", b"Signal: 11",
        b"WARNING: warn condition \"x\" matched at a:1", b"All workers exited. Exiting... (139)",
        b"matched at src/task.c:285", b"src/task.c:285\n", b"matched at src/debug.c:405", b"condition x matched at ",
        b"    Exit Code:    139\n", b"    Reason: OOMKilled\n", b"    Image: haproxy:2.9.6\n", b"OOMKilled\": false",
        b"haproxy_1 exited with code 139\n", b"  Command Line: /usr/sbin/haproxy -W\n", b"pkg_version: 2.4.22\n",
        b"pkg_release: 3.el9\n", b"pkg_name: haproxy\n", b"Known bugs: http://h/bugs/bugs-2.9.0.html\n",
        b"shared library 'x' brings a different and inconsistent definition of symbol 'y'\n",
        b"[ALERT] (7) : Failed to allocate pool 'x' of size 1 : y. Aborting.\n", b"0x55a2e4ce1d16\n", b"#1 0x55a2e4ce1d17\n",
        b"55a2e4c00000-55a2e4d00000 r-xp 00000000 fd:00 1 /usr/sbin/haproxy\n", b"exit-on-failure: killing every\n",
    ]
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_every_real_log_tells_of_a_death(name: str) -> None:
    """And is told from other files by its first bytes."""
    head = (DATA / name).read_bytes()
    assert parse(lines_of(name)).fatal()
    assert looks_like_text(head) and looks_like_evidence(head)


@given(st.binary(max_size=4096))
def test_any_bytes_give_evidence(data: bytes) -> None:
    """Whatever they are."""
    assert isinstance(parse(data.splitlines(keepends=True)), LogEvidence)


@settings(max_examples=400)
@given(st.lists(SHARDS, max_size=60))
def test_shards_of_shapes_in_any_order_give_evidence(shards: list[bytes]) -> None:
    """And can be asked for the death."""
    evidence = parse(b"".join(shards).splitlines(keepends=True))
    assert evidence.fatal() is not None
    for report in evidence.bug_reports:
        assert len(culprit_frames(report.frames)) <= len(report.frames)


@given(st.sampled_from(NAMES), st.sampled_from(CARRIERS), st.integers(0, 5000), st.binary(max_size=8))
def test_a_damaged_log_gives_evidence(name: str, carrier: object, at: int, junk: bytes) -> None:
    """Cut anywhere, with junk in the place of the cut."""
    raw = b"".join(lines_of(name)).decode("utf-8", "replace").replace("\0", "").encode()
    assert callable(carrier)
    wrapped = b"".join(carrier(raw.splitlines(keepends=True)))
    assert isinstance(parse((wrapped[:at] + junk + wrapped[at + 7 :]).splitlines(keepends=True)), LogEvidence)


@pytest.mark.parametrize(
    "unit",
    [
        b'FATAL: bug condition "" matched at x:', b"ABORT at ", b"| 0x1 [00]: a", b"a:1: Assertion `' ",
        b"#0  0x5 in f (", b"(((((", b'"\\', b"oom-kill:task=", b"haproxy[1]: segfault at ",
        b"process exited, code= ", b"a.service: ", b"[{", b"\x1b]8;", b"#012", b"--Type <RET> ", b"> > > ",
        b"Thread 1 (LWP ", b"debug_parse_cli_a", b" exited with code 1 Process 1", b"::::", b"A bogus x [",
        b"Code: c6 ", b"-", b"<1>1 a b c d e [", b"COREDUMP_PID=1 ", b"curr_task=fct=0x1(a", b"\xf0\x9f",
        b"{\"log\":", b"1", b"a",
        b"* thread #1", b"frame #0: 0x1 a`", b"frame #0: 0x1 a`b [inlined] ", b" at a:1", b"a(b+0x1)[0x1", b"[0x1]", b"0x1",
        b"matched at a/", b"condition x matched at ", b"src/task.c:", b"Image: haproxy:2.", b"/haproxy", b"0x55555 ", b"55555-",
        b"cmdline: ", b"Package: haproxy-2.4.", b"OOMKilled haproxy", b"Exit Code: 1", b"Module haproxy from deb haproxy-2.",
        b"haproxy[1]: unhandled ", b"A level ", b"Code: aa0003e1 ", b"Code: (", b"pc : 1", b"[pool:", b" fe=", b"frontend=a ",
        b"req=0x1 (f=0x1 an=", b"of size READ of size 1", b"caller: 0x1 (", b"@0x1 (+1) = 0x1 (", b"address 0x1 ",
        b"AddressSanitizer: address ", b"Contents around address 0x1+", b" handler=0x1(", b"Package: haproxy ",
        b"|pipe failed ", b"Process 1 (haproxy) RLIMIT_CORE ", b" is located 0x1 is located ", b"freed by thread ",
    ],
)  # fmt: skip
def test_hostile_lines_take_bounded_time(unit: bytes) -> None:
    """One of a few hundred kilobytes, and a thousand short ones; behind a line that opens everything."""
    opened = b"Thread 1 is about to kill the process FATAL: exited with code segfault at dumped core #0  0x5 in f (\n"
    announced = (
        b"Backtrace:\nA bogus X [1] is spinning at 1 calls per second\nERROR: AddressSanitizer: x\n"
        b"FATAL: pool inconsistency detected in thread 1: x\nhaproxy[1]: segfault at 1 ip 1 sp 1 error 6\n"
    ).splitlines(keepends=True)
    started = time.perf_counter()
    parse([opened, unit * (300_000 // len(unit)), opened, *[unit + b"\n"] * 1000])
    parse([line for each in announced for line in (each, unit * (60_000 // len(unit)) + b"\n")])
    parse(
        [
            b"Jan 18 11:23:05 lb1 haproxy[1]: " + unit * (300_000 // len(unit)),
            b"{" + unit * (300_000 // len(unit)) + b"}",
        ]
    )
    assert time.perf_counter() - started < 3


def test_a_flood_of_evidence_keeps_the_latest(monkeypatch: pytest.MonkeyPatch) -> None:
    """In bounded memory."""
    monkeypatch.setattr(limits, "MAX_WEIGHT", 50)
    flood = [b'FATAL: bug condition "x" matched at src/a.c:%d\n' % number for number in range(1, 100)]
    reports = parse(flood).bug_reports
    assert [report.line_number for report in reports] == list(range(50, 100))


def test_traffic_goes_by_undecoded() -> None:
    """No clue is in it, so no carrier is even looked at."""
    evidence = parse([TRAFFIC] * 1000)
    assert (evidence.lines_read, evidence.carriers) == (1000, ())
    assert INTERESTING.search(TRAFFIC) is None


def test_evidence_in_the_midst_of_traffic_has_its_line_number() -> None:
    """And the lines around it are counted."""
    evidence = parse([*[TRAFFIC] * 5000, *lines_of("2.9.0-requeue-expiry-race.log"), *[TRAFFIC] * 5000])
    assert evidence.bug_reports[0].line == 5002
    assert evidence.lines_read == 10015
    assert len(evidence.bug_reports[0].frames) == 12


class Endless(io.RawIOBase):
    """Traffic, made as it is read."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.left = size

    def read(self, size: int = -1) -> bytes:
        """The next ``size`` bytes."""
        assert 0 < size <= 1 << 20
        size = min(size, self.left)
        self.left -= size
        return (TRAFFIC * (size // len(TRAFFIC) + 1))[:size]


def test_the_input_is_streamed() -> None:
    """A long log is never in memory as a whole."""
    stream = Endless(256 << 20)
    with within_bytes(8 << 20):
        parse_stream(stream)  # type: ignore[arg-type]  # all of a stream that is used
    assert stream.left == 0


def test_lines_have_the_same_numbers_wherever_blocks_end() -> None:
    """Evidence at every distance from the end of a block, between lines of every length."""
    chance = random.Random(1)
    lines: list[bytes] = []
    for _number in range(6000):
        plain = b"x" * chance.choice([0, 1, 80, 300, 5000]) + b"\n"
        lines.append(
            b'FATAL: bug condition "x" matched at src/a.c:%d\n' % (len(lines) + 1)
            if not chance.randrange(60)
            else plain
        )
    found = parse(lines).bug_reports
    assert len(found) > 80
    assert all(report.line == report.line_number for report in found)
    assert parse(lines).lines_read == 6000


def test_a_line_without_end_is_cut() -> None:
    """And the lines behind it are counted on."""
    long = b"y" * (5 << 20) + b"\n"
    evidence = parse([TRAFFIC, long, b'FATAL: bug condition "x" matched at src/a.c:3\n', long, TRAFFIC])
    assert [report.line for report in evidence.bug_reports] == [3]
    assert evidence.lines_read == 5


@settings(max_examples=30)
@given(st.data())
def test_every_line_with_a_clue_holds_its_needle(data: st.DataObject) -> None:
    """So that a search for needles finds all of them."""
    clue = data.draw(st.sampled_from(CLUES))
    line = data.draw(st.from_regex(clue.expression))
    assert clue.needle in line
    assert needles_in(line)


def test_needles_are_few_enough_for_the_quick_search() -> None:
    """The vector search of ahocorasick_rs takes 64 patterns (aho-corasick's packed::Searcher); more are ten times slower."""
    assert len(NEEDLES) <= 64


@pytest.mark.parametrize("head", [b"\x7fELF" + b"\0" * 60, b"\x28\xb5\x2f\xfdabc", b"\x1f\x8b\x08", bytes(range(256))])
def test_other_files_are_no_text(head: bytes) -> None:
    """Cores, archives, anything."""
    assert not looks_like_text(head)
    assert not looks_like_evidence(head)


def test_a_configuration_is_text_and_no_evidence() -> None:
    """Text alone does not make a log."""
    head = b"global\n    nbthread 4\ndefaults\n    mode http\nfrontend f\n    bind :80\n"
    assert looks_like_text(head)
    assert not looks_like_evidence(head)
