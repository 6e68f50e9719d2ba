"""What carries a line is taken off, and nothing else."""

from __future__ import annotations

import pytest

from forensics.logs.carrier import MAX_LINE, Record, iter_records
from tests.logs.carriers import STAMP, journal_bytes


def only(raw: bytes) -> Record:
    """The one record of a line."""
    (record,) = iter_records([raw])
    return record


@pytest.mark.parametrize(
    ("raw", "text", "identifier", "pid"),
    [
        (b"plain text\n", "plain text", None, None),
        (b"Jan 18 11:23:05 lb1 haproxy[77]: hello\n", "hello", "haproxy", 77),
        (b"<30>Jan  8 11:23:05 lb1 haproxy[77]: hello\n", "hello", "haproxy", 77),
        (b"Jan 18 11:23:05 haproxy[77]: a: b\n", "a: b", "haproxy", 77),
        (f"{STAMP} fe80::1 systemd[1]: hello\n".encode(), "hello", "systemd", 1),
        (f"<30>1 {STAMP} lb1 haproxy 77 - - \ufeffhello\n".encode(), "hello", "haproxy", 77),
        (f'<30>1 {STAMP} lb1 haproxy - ID [a b="c"][d e="f"] hello\n'.encode(), "hello", "haproxy", None),
        (b"Jan 18 11:23:05 lb1 kernel: [  12.345678] traps: x\n", "traps: x", "kernel", None),
        (b"[  12.345678] haproxy[77]: segfault at 1\n", "haproxy[77]: segfault at 1", "kernel", None),
        (b"[Thu Jan 18 11:23:05 2024] haproxy[77]: segfault\n", "haproxy[77]: segfault", "kernel", None),
        (b"[  12.345678] lb1 haproxy[77]: hello\n", "hello", "haproxy", 77),
        (b"haproxy-1  | hello\n", "hello", "haproxy-1", None),
        (b"[pod/ha-1/haproxy] hello\n", "hello", "ha-1/haproxy", None),
        (b"2024-01-18T11:23:05.600716123Z stderr F hello\n", "hello", None, None),
        (b"2024-01-18T11:23:05.600716123Z hello\n", "hello", None, None),
        (b"11:23:05 haproxy hello\n", "hello", "haproxy", None),
        (b"    MESSAGE=hello\n", "hello", None, None),
        (b'{"log":"hello\\n","stream":"stderr","time":"x"}\n', "hello", None, None),
        (b'{"MESSAGE":"hello","SYSLOG_IDENTIFIER":"haproxy","_PID":"77"}\n', "hello", "haproxy", 77),
        (b'{"MESSAGE":null,"_COMM":"haproxy"}\n', "", "haproxy", None),
        (b'{"MESSAGE":"hello","_TRANSPORT":"kernel"}\n', "hello", "kernel", None),
        (b"hello\r\n", "hello", None, None),
        (b"\x1b[1;31mhello\x1b[0m\n", "hello", None, None),
        (b"\x00hello\n", "hello", None, None),
        (b"\xef\xbb\xbfhello\n", "hello", None, None),
    ],
)
def test_every_carrier_gives_the_text_that_was_written(
    raw: bytes, text: str, identifier: str | None, pid: int | None
) -> None:
    """With the tag's name and pid where there is a tag."""
    record = only(raw)
    assert (record.text, record.identifier, record.pid) == (text, identifier, pid)


@pytest.mark.parametrize(
    "text", ["  | 0x559009bccaf9 [0f 0b]: main", "| 0x559009bccaf9 [0f 0b]: main", "             | 0x5 <--]: x > y"]
)
def test_the_bar_of_a_trace_line_is_no_prefix_of_compose(text: str) -> None:
    """Neither plain, nor inside of a carrier."""
    assert only(text.encode()).text == text
    assert only(f"haproxy-1  | {text}".encode()).text == text
    assert only(f"Jan 18 11:23:05 lb1 haproxy[77]: {text}".encode()).text == text


def test_a_folded_message_becomes_its_lines_again() -> None:
    """All of them on the line of the input."""
    raw = f"{STAMP} lb1 systemd-coredump[9]: first#012#011second#012#012last\n".encode()
    records = list(iter_records([b"before\n", raw]))
    assert [(record.text, record.line) for record in records[1:]] == [
        ("first", 2),
        ("\tsecond", 2),
        ("", 2),
        ("last", 2),
    ]


def test_an_issue_number_is_not_unfolded_outside_of_syslog() -> None:
    """Only rsyslog writes octal."""
    assert only(b"see #012\n").text == "see #012"


def test_the_journals_arrays_of_bytes_are_text_again() -> None:
    """Whatever the bytes were."""
    (raw,) = journal_bytes([b"h\xc3\xa9llo \xff\n"])
    assert only(raw).text == "héllo \ufffd"


def test_the_journals_repeated_fields_are_all_read() -> None:
    """A field that occurs twice becomes an array of values."""
    assert [record.text for record in iter_records([b'{"MESSAGE":["one",[116,119,111]]}'])] == ["one", "two"]


def test_fields_of_systemd_coredump_become_lines() -> None:
    """As `journalctl -o export` would print them."""
    raw = b'{"MESSAGE":"m","COREDUMP_PID":"7","COREDUMP_SIGNAL":"11","COREDUMP_SIGNAL_NAME":"SIGSEGV"}'
    texts = [record.text for record in iter_records([raw])]
    assert texts == ["COREDUMP_PID=7", "COREDUMP_SIGNAL=11", "COREDUMP_SIGNAL_NAME=SIGSEGV", "m"]


@pytest.mark.parametrize(
    "raw", [b"{", b"{}", b'{"a":1}', b'{"log"', b"{" + b"[" * 90000 + b"}", b'{"log":' + b"9" * 9000 + b"}"]
)
def test_what_only_begins_like_json_stays_text(raw: bytes) -> None:
    """However deep or long."""
    assert only(raw).text == raw.decode()[:MAX_LINE]


def test_long_lines_are_cut() -> None:
    """So that one line cannot fill the memory."""
    assert len(only(b"x" * (MAX_LINE * 3)).text) == MAX_LINE
