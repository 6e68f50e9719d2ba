"""Scrubbing: what goes, what stays, and that equal values stay equal."""

from __future__ import annotations

import time

import pytest

from forensics.diagnosis.finding import Evidence, Finding
from forensics.report.document import CrashSummary, Input, Process, Report
from forensics.report.scrub import scrub, scrub_text
from forensics.source import Source
from tests.report import documents


@pytest.mark.parametrize(
    "text",
    [
        "HAProxy 2.9.6",
        "2.6.12-1+deb12u4 and 3.0-dev7-6ab4d2-12",
        "haproxy 2.9.6-1.2.3.4.5",
        "libx.so.1.2.3.4 and v1.2.3.4",
        "pc 0x55d0c0100040, code 0xdead:beef",
        "at 03:12:44.123 on 2024-04-02",
        "bind 127.0.0.1:8404 and ::1 and [::1]:80 and ::ffff:127.0.0.1 and 0.0.0.0:80 and :::443",
        "std::string::npos and ha::be::x",
        "task->expire == 0",
        "x.password == NULL and token::kind and 999.1.1.1",
        "raise@GLIBC_2.34 and memcpy@@GLIBC_2.14",
        "haproxy@edge.service",
        "haproxy -Ws -f /etc/haproxy/haproxy.cfg -p /run/haproxy.pid -sf 12 -x /run/master.sock",
        "report it at https://github.com/haproxy/haproxy/issues",
        "52:54:00:12:34:56",
    ],
)
def test_this_stays_as_it_is(text: str) -> None:
    """Versions, addresses of memory, times, loopback, paths and flags."""
    assert scrub_text(text) == text


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        ("from 192.0.2.7:4433 to 10.0.0.1/24", "from <ip-1>:4433 to <ip-2>/24"),
        ("src=192.0.2.7, core.192.0.2.8.gz", "src=<ip-1>, core.<ip-2>.gz"),
        ("[2001:db8::1]:443, 2001:db8::2: refused", "[<ip-1>]:443, <ip-2>: refused"),
        ("fe80::1%eth0 ::ffff:10.0.0.1", "<ip-1>%eth0 <ip-2>"),
        ("2001:0db8::0001 is 2001:db8::1", "<ip-1> is <ip-1>"),
        ("mail jo.doe+x@mail.example.com now", "mail <email-1> now"),
        ("http://jo:pw@example.com/x?a=b#c", "http://<secret-1>@example.com/x?<query-1>"),
        ("GET /login?user=jo HTTP/1.1", "GET /login?<query-1> HTTP/1.1"),
        ("Authorization: Bearer abc def", "Authorization: <secret-1>"),
        ("curl -H 'Cookie: a=b; c=d' -f x", "curl -H 'Cookie: <secret-1>' -f x"),
        ("Set-Cookie: id=1; Path=/\nnext", "Set-Cookie: <secret-1>\nnext"),
        ("password=hunter2&x=1", "password=<secret-1>&x=1"),
        ('db_password: "a b" rest', "db_password: <secret-1> rest"),
        ("haproxy --token abc -f x", "haproxy --token <secret-1> -f x"),
        ("user jo insecure-password foo groups g", "user jo insecure-password <secret-1> groups g"),
        ("a -----BEGIN RSA PRIVATE KEY-----\nx\n-----END RSA PRIVATE KEY----- b", "a <secret-1> b"),
        ("-----BEGIN PRIVATE KEY-----\ncut short", "<secret-1>"),
    ],
)
def test_this_goes(text: str, scrubbed: str) -> None:
    """And a second pass finds nothing more."""
    assert scrub_text(text) == scrubbed
    assert scrub_text(scrubbed) == scrubbed


def report_with_addresses() -> Report:
    """The same client in the command line, the log's text, the evidence and the state."""
    return Report(
        inputs=(Input(path="/srv/192.0.2.7/core"),),
        process=Process(version="2.9.6", command_line="haproxy -f /etc/haproxy.cfg -L 192.0.2.7"),
        crash=CrashSummary(explanation="client 192.0.2.7 sent token=abc"),
        state={"peers": [{"192.0.2.7": {"address": "0x7f00", "remote": "192.0.2.8"}}], "count": 3},
        findings=(
            Finding(
                signature="a/b",
                evidence=(Evidence("crash.explanation", "from 192.0.2.7", Source("/srv/192.0.2.7/core", "line")),),
                references=("https://git.haproxy.org/?p=haproxy.git",),
            ),
        ),
    )


def test_the_same_value_has_the_same_placeholder_all_over_a_report() -> None:
    """A reader can still follow one client."""
    scrubbed = scrub(report_with_addresses())
    assert scrubbed.inputs[0].path == "/srv/<ip-1>/core"
    assert scrubbed.process.command_line == "haproxy -f /etc/haproxy.cfg -L <ip-1>"
    assert scrubbed.crash.explanation == "client <ip-1> sent token=<secret-1>"
    assert scrubbed.state == {"peers": [{"<ip-1>": {"address": "0x7f00", "remote": "<ip-2>"}}], "count": 3}
    assert scrubbed.findings[0].evidence[0].value == "from <ip-1>"
    source = scrubbed.findings[0].evidence[0].source
    assert source is not None and source.input == "/srv/<ip-1>/core"


def test_what_the_program_says_itself_stays() -> None:
    """References have query strings, versions have dots."""
    scrubbed = scrub(report_with_addresses())
    assert scrubbed.findings[0].references == ("https://git.haproxy.org/?p=haproxy.git",)
    assert scrubbed.process.version == "2.9.6"
    assert scrub(documents.complete()) == documents.complete()


@pytest.mark.parametrize("name", documents.ALL)
def test_scrubbing_twice_changes_nothing_more(name: str) -> None:
    """Reports may pass several hands."""
    once = scrub(documents.ALL[name]())
    assert scrub(once) == once


@pytest.mark.parametrize(
    "piece", ["a", "a.", "1.", ":", "1:", "token", "-----BEGIN A-----", "://a?", "user a ", "a@a."]
)
def test_a_long_hostile_text_costs_no_time(piece: str) -> None:
    """Every pattern is bounded."""
    start = time.monotonic()
    scrub_text(piece * 100_000)
    assert time.monotonic() - start < 2


def test_a_port_behind_an_ipv6_address_stays_and_hides_nothing() -> None:
    """HAProxy's logs write it behind a colon, where it looks like one more group."""
    assert scrub_text("2001:db8::77:99:54321 [18/Jan/2024") == "<ip-1>:54321 [18/Jan/2024"
    assert scrub_text("2001:db8:1:2:3:4:5:6:443 web") == "<ip-1>:443 web"
    assert scrub_text("12:34:56:789 and aa:bb:cc:dd:ee:ff") == "12:34:56:789 and aa:bb:cc:dd:ee:ff"
