"""The carriers of a log: each takes plain lines and gives what a collector would have stored."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

DATA = Path(__file__).parent / "data"
STAMP = "2024-01-18T11:23:05.600716+01:00"


def lines_of(name: str) -> list[bytes]:
    """The lines of a real log."""
    return (DATA / name).read_bytes().splitlines(keepends=True)


def text_lines(text: str) -> list[bytes]:
    """The lines of a text."""
    return text.encode().splitlines(keepends=True)


def _texts(lines: list[bytes]) -> list[str]:
    return [line.decode().rstrip("\n") for line in lines]


def syslog_bsd(lines: list[bytes]) -> list[bytes]:
    """`/var/log/messages`, where syslog drops blank lines and leading blanks."""
    return [f"Jan 18 11:23:05 lb1 haproxy[4242]: {text.lstrip()}\n".encode() for text in _texts(lines) if text.strip()]


def syslog_iso(lines: list[bytes]) -> list[bytes]:
    """The default of rsyslog on recent distributions."""
    return [f"{STAMP} lb1 haproxy[4242]: {text}\n".encode() for text in _texts(lines)]


def syslog_rfc5424(lines: list[bytes]) -> list[bytes]:
    """As it goes over the wire."""
    return [f'<30>1 {STAMP} lb1 haproxy 4242 - [meta sequenceId="1"] {text}\n'.encode() for text in _texts(lines)]


def syslog_folded(lines: list[bytes]) -> list[bytes]:
    """One message of many lines, as rsyslog stores it."""
    body = "#012".join(text.replace("\t", "#011") for text in _texts(lines))
    return [f"{STAMP} lb1 haproxy[4242]: {body}\n".encode()]


def journal_text(lines: list[bytes]) -> list[bytes]:
    """`journalctl -o short-monotonic`."""
    return [f"[  123.456789] lb1 haproxy[4242]: {text}\n".encode() for text in _texts(lines)]


def _journal_entry(message: object) -> bytes:
    entry = {"__REALTIME_TIMESTAMP": "1705573385600716", "SYSLOG_IDENTIFIER": "haproxy", "_PID": "4242"}
    return json.dumps({**entry, "MESSAGE": message}).encode() + b"\n"


def journal_json(lines: list[bytes]) -> list[bytes]:
    """`journalctl -o json`."""
    return [_journal_entry(text) for text in _texts(lines)]


def journal_bytes(lines: list[bytes]) -> list[bytes]:
    """`journalctl -o json` of messages that the journal holds for binary."""
    return [_journal_entry(list(line.rstrip(b"\n"))) for line in lines]


def docker_json(lines: list[bytes]) -> list[bytes]:
    """Docker's json-file, written by Go, which escapes the signs of HTML."""
    return [_html_safe(json.dumps({"log": f"{text}\n", "stream": "stderr", "time": STAMP})) for text in _texts(lines)]


def _html_safe(text: str) -> bytes:
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026").encode() + b"\n"


def compose(lines: list[bytes]) -> list[bytes]:
    """`docker compose logs`, in colours."""
    return [f"\x1b[36mhaproxy-1  |\x1b[0m {text}\n".encode() for text in _texts(lines)]


def kubectl(lines: list[bytes]) -> list[bytes]:
    """`kubectl logs --prefix`."""
    return [f"[pod/haproxy-7d9f/haproxy] {text}\n".encode() for text in _texts(lines)]


def cri(lines: list[bytes]) -> list[bytes]:
    """`/var/log/containers` of containerd and CRI-O."""
    return [f"2024-01-18T11:23:05.600716123Z stderr F {text}\n".encode() for text in _texts(lines)]


def dos(lines: list[bytes]) -> list[bytes]:
    """Passed through a mail or a form."""
    return [line.rstrip(b"\n") + b"\r\n" for line in lines]


def clock(lines: list[bytes]) -> list[bytes]:
    """A home-made log."""
    return [f"11:23:05 haproxy {text}\n".encode() for text in _texts(lines)]


CARRIERS: tuple[Callable[[list[bytes]], list[bytes]], ...] = (
    syslog_bsd,
    syslog_iso,
    syslog_rfc5424,
    syslog_folded,
    journal_text,
    journal_json,
    journal_bytes,
    docker_json,
    compose,
    kubectl,
    cri,
    dos,
    clock,
)
