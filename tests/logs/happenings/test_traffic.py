"""Lines of requests tell where they went and how they ended, whatever the format made of the rest."""

from __future__ import annotations

import pytest

from forensics.logs import Record
from forensics.logs.happenings.traffic import CAUSES, STATES, meaning, parse_request

HTTP = (
    "127.0.0.1:40122 [24/Nov/2026:23:10:11.123] web~ app/app1 0/0/12/30/42 503 217 - - sH-- 2/1/0/0/0 0/0 "
    '{www.example.org|x} "GET /a?b=c HTTP/1.1"'
)
TCP = "127.0.0.1:40122 [24/Nov/2026:23:10:11.123] tcp pool/p1 1/0/5003 1032 cD 1/1/0/0/0 0/0"
CLF = (
    '127.0.0.1 - - [24/Nov/2026:22:10:11 +0000] "GET /a HTTP/1.1" 502 107 "" "" 40122 331 "web" "app" "app1"'
    ' 0 0 1 -1 1 SH-- 1 1 0 0 0 0 0 "" "" "" ""'
)


def test_option_httplog() -> None:
    """Frontend, backend, server, answer and ending; the accept date in a form that can be read."""
    request = parse_request(Record(HTTP, 7))
    assert request is not None
    assert (request.frontend, request.backend, request.server) == ("web~", "app", "app1")
    assert (request.status, request.ended, request.line) == (503, "sH--", 7)
    assert request.accepted == "Nov 24 2026 23:10:11.123"


def test_option_tcplog() -> None:
    """Two letters, and no answer."""
    request = parse_request(Record(TCP, 1))
    assert request is not None
    assert (request.backend, request.server, request.status, request.ended) == ("pool", "p1", None, "cD")


def test_option_httplog_clf() -> None:
    """Its date has a zone."""
    request = parse_request(Record(CLF, 1))
    assert request is not None
    assert (request.frontend, request.backend, request.server, request.status) == ("web", "app", "app1", 502)
    assert (request.ended, request.accepted) == ("SH--", "2026-11-24T22:10:11+00:00")


def test_a_format_of_ones_own_with_the_usual_end() -> None:
    """How it ended is found without the rest."""
    request = parse_request(Record("fe=web be=app st=200 ---- 10/9/8/7/0 0/0 GET", 1))
    assert request is not None
    assert (request.ended, request.quiet, request.frontend, request.accepted) == ("----", True, "", "")


@pytest.mark.parametrize(
    "text",
    [
        "Server app/app1 is DOWN, reason: Layer4 timeout",
        "127.0.0.1:40122 [24/Nov/2026:23:10:11.123] web~/1: SSL handshake failure",
        '203.0.113.1 - - [24/Nov/2026:22:10:11 +0000] "GET / HTTP/1.1" 200 107 "-" "curl"',
        "",
    ],
)
def test_other_lines_are_no_requests(text: str) -> None:
    """Neither those of another server's access log."""
    assert parse_request(Record(text, 1)) is None


def test_every_ending_has_words() -> None:
    """Of any two letters that HAProxy writes."""
    for cause in CAUSES:
        for state in STATES:
            assert meaning(cause + state)
    assert meaning("sH--") == meaning("sH")
    assert meaning("--") == ""
