"""Servers, limits and errors: frequent lines in some logs, so they are looked for only near a death."""

from __future__ import annotations

import re

from forensics.logs.happenings.happening import Happening
from forensics.logs.happenings.lifecycle import lifecycle_of
from forensics.logs.line import Record

_SERVER = r"((?:Backup )?Server [^\s/]{1,256}/\S{1,256} (?:\([^)]{0,128}\) )?"
_STATES = (
    r"is \S{1,16} \(leaving [a-z ]{1,32}\)|is (?:DOWN|UP|stopping|going DOWN for maintenance)|enters drain state"
    r"|was DOWN and now enters maintenance|administratively READY thanks to valid DNS answer"
)
_KINDS = "(?:[Pp]roxy|[Bb]ackend|listener)"
#: Reason and details of a check, without what the server answered (server.c, srv_append_status).
_REASON = r"(?:, reason: ([^,\"]{1,128}))?"
_NAME = r"[^\s:]{1,256}"

#: What it is, a plain substring that the line holds, its shape; what is told are the groups, joined by ": ".
_SHAPES: tuple[tuple[str, str, re.Pattern[str]], ...] = tuple(
    (what, guard, re.compile(pattern))
    for what, guard, pattern in (
        ("server", "erver ", rf"{_SERVER}(?:{_STATES})){_REASON}"),
        ("server", "no server available", rf"{_KINDS} ('?[^\s']{{1,256}}'? has no server available)"),
        ("proxy", "Paused ", r"^((?:Paused|Resumed) \S{1,32} \S{1,256})\.$"),
        ("limit", " reached ", r"([Pp]roxy \S{1,256} reached (?:system FD|process FD|system memory) limit)"),
        ("limit", " reached ", r"([Pp]roxy \S{1,256} reached the configured maximum connection limit)"),
        ("limit", "onnect() failed", rf"(Connect\(\) failed for backend {_NAME}: [a-z ]{{1,64}})"),
        ("limit", "table overflow", r"(neighbour: \S{1,32}: neighbor table overflow)"),
        ("limit", "TCP: ", r"(TCP: (?:out of memory|too many orphaned sockets))"),
        ("limit", "SYN flooding", r"([Pp]ossible SYN flooding on port)"),
        ("table full", "table full", r"(nf_conntrack: table full)"),
        ("stop", "oft-stop", r"(soft-stop running for too long, performing a hard-stop)"),
        ("stop", "hard-stop", r"(Some tasks resisted to hard-stop)"),
    )
)  # fmt: skip

#: A line that tells something holds one of these: lines are chosen by them before they are decoded.
NEEDLES = (
    b"erver ", b"roxy ", b" reached ", b"onnect() failed", b"table full", b"table overflow", b"TCP: ", b"SYN flooding",
    b"Paused ", b"Resumed ", b"oft-stop", b"hard-stop", b"andshake", b"eload", b"ew worker", b"tarted", b"topped",
    b"Reexec", b"cheduled restart",
)  # fmt: skip

#: A reload says so of each one: they are told together.
_PROXY = re.compile(r"(?<!A)Proxy \S{1,256} (started(?=\.)|(?:hard-)?stopped(?= \())")

#: "client:port [date] frontend/bind: WHY": a connection that never became a session (session.c, conn_err_code_str).
_EMBRYONIC = re.compile(
    r"\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d(?:\.\d{1,6})?\] ([^\s/]{1,256})/[^\s:]{1,256}: ([^:(]{3,128})"
)


def happening_of(record: Record) -> Happening | None:
    """What a line tells; None for a request and for anything else."""
    text = record.text
    for what, guard, shape in _SHAPES:
        if guard in text and (match := shape.search(text)):
            told = ": ".join(part.strip().replace("'", "") for part in match.groups() if part)
            return Happening(what, told, record.line, told, record.origin)
    if "Proxy " in text and (match := _PROXY.search(text)):
        return Happening("proxy", f"a proxy was {match[1]}", record.line, match[1], record.origin)
    if "[" in text and (match := _EMBRYONIC.search(text)):
        told = f"{match[2].strip()} on frontend {match[1]}"
        return Happening("connection error", told, record.line, told, record.origin)
    return lifecycle_of(record)
