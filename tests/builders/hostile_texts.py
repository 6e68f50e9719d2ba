"""Real texts of dying HAProxys, damaged at random as logs are damaged and as nobody would damage them."""

from __future__ import annotations

import gzip
import json
import random
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import zstandard

from forensics.logs.interest import NEEDLES
from tests.logs.carriers import CARRIERS

ROOT = Path(__file__).resolve().parents[2]
#: Where texts that real processes and tools wrote are kept.
_PLACES = (
    "tests/logs/data/*", "tests/logs/carried/*", "tests/logs/texts/*.log", "tests/logs/debuggers/*",
    "tests/diagnosis/data/*/*.txt", "samples/*/*.log", "samples/*/*.log.*.gz",
)  # fmt: skip

#: Of requests: what no timeline may name. The addresses are of documentation's networks (RFC 5737, RFC 3849).
CLIENTS = ("203.0.113.99", "2001:db8::77:99")
URL = "/path-of-a-client"
#: Bytes of one text at the most, before it is damaged.
_MOST = 120_000

Mutation = Callable[[random.Random, bytes], bytes]


@cache
def texts() -> tuple[bytes, ...]:
    """All texts, decompressed."""
    paths = sorted(path for place in _PLACES for path in ROOT.glob(place))
    read = (gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes() for path in paths)
    return tuple(each[:_MOST] for each in read if each)


def hostile_text(chance: random.Random) -> bytes:
    """One text with damage of some kinds."""
    data = chance.choice(texts())
    if chance.random() < 0.7:
        data = with_requests(chance, data)
    for _time in range(chance.choice((0, 1, 1, 2, 3, 5))):
        data = chance.choice(MUTATIONS)(chance, data)[: 4 * _MOST]
    return chance.choice(LAST)(chance, data) if chance.random() < 0.2 else data


def requests(chance: random.Random, pid: int, count: int) -> list[bytes]:
    """Lines of traffic, their clients and URLs those above; the names of proxies are what one can configure."""
    return [_request(chance, pid) for _line in range(count)]


_NAMES = ("web", "http-in~", "a" * 300, "<NOSRV>", "web.1:2_3-4", "-1", "be{}", "be%s", "\u00fc", "[x]", "[web](//e.x)")


def _request(chance: random.Random, pid: int) -> bytes:
    client = f"{chance.choice(CLIENTS)}:{chance.randrange(70_000)}"
    date = f"[{time_of(chance)}]"
    names = f"{chance.choice(_NAMES)} {chance.choice(_NAMES)}/{chance.choice(_NAMES)}"
    ended = "".join(chance.choice("CSPLRDUIKTcs-") + chance.choice("RQCHDLTU-") for _half in range(2))
    timers, counters = "/".join(_number(chance) for _one in range(5)), "/".join(_number(chance) for _one in range(5))
    status = chance.choice(("200", "503", "-1", "999", _number(chance)))
    asked = f'"GET {URL}?password=x&a={chance.choice(CLIENTS)} HTTP/1.1"'
    forms = (
        f"{client} {date} {names} {timers} {status} 512 - - {ended} {counters} 0/0 {{{URL}|}} {asked}",
        f"{client} {date} {names} 1/2/3 512 {ended[:2]} {counters} 0/0",
        f'{chance.choice(CLIENTS)} - - {date} {asked} {status} 512 "" "" 4711 123 "web" "be" "s" 0 1 2 3 4 {ended} 0',
        f"{client} {date} web/{chance.choice(_NAMES)}: SSL handshake failure (error:0A000416:{URL})",
        f"{date} {names} {URL} {ended} {counters} 0/0",
    )
    stamp = chance.choice(("", "Jan 18 11:23:05 lb1 ", f"{_iso(chance)} lb1 "))
    return f"{stamp}haproxy[{pid}]: {chance.choice(forms)}\n".encode()


def _number(chance: random.Random) -> str:
    return chance.choice(("0", "1", "-1", "17", "+4", str(10**30), "-" + "9" * 40, "65536", "4294967295"))


def time_of(chance: random.Random) -> str:
    """An accept date, mostly a possible one."""
    return chance.choice(
        ("18/Jan/2024:11:23:04.123", "18/Jan/2024:11:23:04 +0100", "30/Feb/2024:11:23:04.1", "00/Jan/0000:00:00:00",
         "31/Dec/9999:23:59:60.999999", "18/Foo/2024:99:99:99 +9999", "18/Jan/2024:11:23:04 -9999")
    )  # fmt: skip


def _iso(chance: random.Random) -> str:
    return chance.choice(TIMES)


#: Times as carriers write them, possible and impossible.
TIMES = (
    "2024-01-18T11:23:05.600716+01:00", "9999-12-31T23:59:59.999999Z", "0000-00-00T00:00:00Z", "2999-12-31T23:59:60Z",
    "2024-02-30T11:23:05Z", "2024-01-18T11:23:05+99:99", "1970-01-01T00:00:00-99:99", "2024-01-18 24:00:00",
    "1970-01-01T00:00:00", "Feb 30 11:23:05", "Feb 29 23:59:60", "Jan 18 11:23:05", "Dec 31 9999 11:23:05",
    "Xyz 18 99:99:99", "9999999999.999999", "9999999999999999", "[99999999.999999]", "999/999999",
)  # fmt: skip

_ANY_TIME = re.compile(
    rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d"
    rb"|\b1[67]\d{14}\b|\[ *\d+\.\d{6}\]|\b\d{3}/\d{6}\b"
)
_DIGITS = re.compile(rb"(?:0x)?[0-9a-f]*\d[0-9a-f]*")


def with_requests(chance: random.Random, data: bytes) -> bytes:
    """Lines of traffic among the others."""
    lines = data.splitlines(keepends=True)
    pid = chance.choice((4711, 1, 10**9, *_pids(data)[:1]))
    for line in requests(chance, pid, chance.randrange(1, 40)):
        lines.insert(chance.randrange(len(lines) + 1), line)
    return b"".join(lines)


def _pids(data: bytes) -> list[int]:
    return [int(found) for found in re.findall(rb"haproxy\[(\d{1,9})\]", data)]


def cut(chance: random.Random, data: bytes) -> bytes:
    """The end or the beginning is lost."""
    at = chance.randrange(len(data) + 1)
    return data[at:] if chance.random() < 0.3 else data[:at]


def of_lines(chance: random.Random, data: bytes) -> bytes:
    """Lines lost, repeated, out of order."""
    lines = data.splitlines(keepends=True) or [b""]
    kind = chance.randrange(6)
    if kind == 0:
        chance.shuffle(lines)
    elif kind == 1:
        lines.reverse()
    elif kind == 2:
        lines = [line for line in lines if chance.random() < 0.8]
    elif kind == 3:
        lines = [line for line in lines for _time in range(chance.choice((1, 1, 1, 2, 9)))]
    elif kind == 4:
        lines *= chance.choice((2, 3, 10))
    else:
        lines = [line.rstrip(b"\n") + chance.choice((b"\n", b"", b"\r\n", b"\r", b"\n\n", b" ")) for line in lines]
    return b"".join(lines)


def interleaved(chance: random.Random, data: bytes) -> bytes:
    """Two texts at one time."""
    other = chance.choice(texts()).splitlines(keepends=True)
    mixed, lines = [], data.splitlines(keepends=True)
    while lines and other:
        source = chance.choice((lines, other))
        mixed.append(source.pop(0))
        if len(mixed) > 4000:
            break
    return b"".join(mixed + lines + other)


def spliced(chance: random.Random, data: bytes) -> bytes:
    """A piece of one text in the middle of another."""
    other = chance.choice(texts())
    start, at = chance.randrange(len(other)), chance.randrange(len(data) + 1)
    return data[:at] + other[start : start + chance.randrange(1, 4000)] + data[at + chance.randrange(400) :]


def flipped(chance: random.Random, data: bytes) -> bytes:
    """Bytes replaced by others."""
    changed = bytearray(data or b"\0")
    for _flip in range(chance.choice((1, 10, 200))):
        changed[chance.randrange(len(changed))] = chance.choice((0, 10, 13, 27, 34, 92, 255, chance.randrange(256)))
    return bytes(changed)


def renumbered(chance: random.Random, data: bytes) -> bytes:
    """Numbers that nobody expects."""
    rate = chance.choice((0.02, 0.2, 1.0))
    huge = (b"0", b"-1", b"1" + b"0" * 30, b"9" * 5000, b"0x" + b"f" * 40, b"4294967296", b"18446744073709551616", b"")
    return _DIGITS.sub(lambda found: chance.choice(huge) if chance.random() < rate else found[0], data)


def retimed(chance: random.Random, data: bytes) -> bytes:
    """Times that never were."""
    rate = chance.choice((0.1, 1.0))
    return _ANY_TIME.sub(lambda found: chance.choice(TIMES).encode() if chance.random() < rate else found[0], data)


def carried(chance: random.Random, data: bytes) -> bytes:
    """In another carrier, perhaps on top of the one that there is."""
    carry = chance.choice(CARRIERS)
    return b"".join(carry(data.decode("utf-8", "replace").encode().splitlines(keepends=True)))


def of_two_carriers(chance: random.Random, data: bytes) -> bytes:
    """Each piece in a carrier of its own."""
    lines = data.decode("utf-8", "replace").encode().splitlines(keepends=True)
    pieces = [lines[at : at + 20] for at in range(0, len(lines), 20)][:60]
    return b"".join(b"".join(chance.choice(CARRIERS)(piece)) for piece in pieces)


def nested(chance: random.Random, data: bytes) -> bytes:
    """JSON within JSON, and JSON that is damaged."""
    text = data[:3000].decode("utf-8", "replace")
    kind = chance.randrange(5)
    if kind == 0:
        for _level in range(6):
            text = json.dumps({chance.choice(("log", "MESSAGE", "message", "msg")): text})[:200_000]
        return text.encode() + b"\n" + data
    if kind == 1:
        return b'{"MESSAGE":' * 5000 + data
    if kind == 2:
        return b'{"MESSAGE":' + b"[" * 20_000 + data
    if kind == 3:
        odd: tuple[object, ...] = (
            None,
            1e308,
            -1,
            True,
            [],
            [300, -1, "x"],
            {"a": []},
            "\ud800",
            [list(b"FATAL")],
            10**400,
        )
        lines = [json.dumps({"MESSAGE": chance.choice(odd), "_PID": chance.choice(odd), "time": chance.choice(odd),
                             "log": chance.choice((line, *odd)), "__REALTIME_TIMESTAMP": chance.choice(odd)})
                 for line in text.splitlines()]  # fmt: skip
        return "\n".join(lines).encode() + b"\n" + data
    return data.replace(b'"', chance.choice((b'\\"', b'""', b"'", b'\\u0000"')))


def needles(chance: random.Random, data: bytes) -> bytes:
    """Lines that begin like everything."""
    every = list(NEEDLES)
    chance.shuffle(every)
    line = chance.choice((b" ", b"", b"\t", b": ")).join(every)
    lines = data.splitlines(keepends=True)
    for _line in range(chance.choice((1, 5, 100))):
        lines.insert(chance.randrange(len(lines) + 1), line + chance.choice((b"\n", b"")))
    return b"".join(lines)


def strange(chance: random.Random, data: bytes) -> bytes:
    """Bytes that terminals, pages and decoders act upon."""
    odd = (b"\0" * 50, b"\xed\xa0\x80", b"\xff\xfe", b"\r", b"\x1b[31m", b"\x1b]0;x\x07", "\u202e\u2028".encode(),
           b"<script>", b"[x](javascript:1)", b"`|*_", b"\xef\xbb\xbf", b"#012", b"\\n", b"\x0b\x0c\x1c\x85")  # fmt: skip
    for _time in range(chance.choice((1, 20))):
        at = chance.randrange(len(data) + 1)
        data = data[:at] + chance.choice(odd) + data[at:]
    return data


def long_line(chance: random.Random, data: bytes) -> bytes:
    """A line that does not end for a long while."""
    piece = chance.choice((b"A", b" ", b"0x", b"call 0x55 ", b'{"', b"#012", b"[", b"haproxy[1]: ", b"\t", b"\xc3"))
    at = chance.randrange(len(data) + 1)
    return data[:at] + piece * (chance.choice((2000, 60_000, 200_000)) // len(piece)) + data[at:]


def joined(_chance: random.Random, data: bytes) -> bytes:
    """No line ends at all."""
    return data.replace(b"\n", b" ")


MUTATIONS: tuple[Mutation, ...] = (
    cut, of_lines, interleaved, spliced, flipped, renumbered, retimed, carried, of_two_carriers, nested, needles, strange,
    long_line, joined, with_requests,
)  # fmt: skip


def utf_16(chance: random.Random, data: bytes) -> bytes:
    """From Windows' tools, perhaps with an odd byte in it."""
    encoded = data.decode("utf-8", "replace").encode(chance.choice(("utf-16", "utf-16-be", "utf-16-le")))
    at = chance.randrange(len(encoded) + 1)
    return encoded[:at] + chance.choice((b"", b"\0", b"\xd8")) + encoded[at:]


def compressed(chance: random.Random, data: bytes) -> bytes:
    """Compressed, and cut short."""
    packed = gzip.compress(data, 1) if chance.random() < 0.5 else zstandard.compress(data, 1)
    return packed[: chance.randrange(len(packed) + 1)] if chance.random() < 0.7 else flipped(chance, packed)


LAST: tuple[Mutation, ...] = (utf_16, compressed)
