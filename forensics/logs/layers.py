"""The layers that carriers put around a line: each is a shape at its beginning, taken off from the outside in."""

from __future__ import annotations

import re

from forensics.logs.line import Record
from forensics.record import replace

_DATE = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?"
#: `journalctl -o short-full` (day of the week, zone's name), `-o short-unix`, and the syslog of BSD.
_FULL_DATE = r"[A-Z][a-z]{2} \d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,9})? (?:[A-Z]{3,5}|[+-]\d\d(?:\d\d)?)"
_UNIX_DATE = r"\d{9,10}\.\d{6}"
_BSD_DATE = r"[A-Z][a-z]{2} (?:[ \d]\d|\d) (?:\d{4} )?\d\d:\d\d:\d\d(?:\.\d{1,9})?"
#: A host may be an IPv6 address, but never ends with a colon: that would be a tag without a host.
_HOST = r"(?:([^\s\[\]]{0,254}[^\s:\[\]]) )?"
#: The kernel's own lines begin like a tag where nothing stands between them and their time (`dmesg --time-format`).
_TAG = r"([^\s\[\]:]{1,128})(?:\[(\d{1,10})\])?:(?! ?(?:segfault at |unhandled )) ?(.*)"

#: A tag of which nothing else tells that it is one: not "FATAL" or "free()", which stand behind a bare time too.
_PROGRAM = re.compile(r"[a-z][\w./-]{0,127}\Z")
_COMPOSE = re.compile(r"([A-Za-z0-9][\w.-]{0,127}) +\| ?(.*)", re.DOTALL)
_KUBECTL = re.compile(r"\[pod/([^\]\s]{1,256})\] (.*)", re.DOTALL)
_CRI = re.compile(rf"({_DATE}) (stdout|stderr) ([FP])(?::\S{{0,64}})?(?: (.*))?$", re.DOTALL)
#: Values of structured data hold brackets behind a backslash (RFC 5424, 6.3.3).
_RFC5424 = re.compile(
    r"<\d{1,3}>1 (\S{1,64}) (\S{1,255}) (\S{1,128}) (\S{1,128}) \S{1,128}"
    r" (?:-|(?:\[(?:[^\]\\]|\\.){0,4096}\]){1,16})(?: \ufeff?(.*))?$",
    re.DOTALL,
)
_SYSLOG = re.compile(
    rf"(?:<\d{{1,3}}>)?({_BSD_DATE}|{_DATE}|{_FULL_DATE}|{_UNIX_DATE}) {_HOST}{_TAG}",
    re.DOTALL,
)
_MONOTONIC = re.compile(
    r"\[ {0,8}(\d{1,9}\.\d{3,9})(?: [ +<>\d.]{1,24})?\] ([^\s\[\]]{1,255}) ([^\s\[\]:]{1,128})\[(\d{1,10})\]: ?(.*)",
    re.DOTALL,
)
_KERNEL = re.compile(
    r"(?:<\d{1,3}>)?\[ {0,8}(\d{1,9}\.\d{3,9}|[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4})\]"
    r"(?:\[[ CT\d]{1,12}\])? (.*)",
    re.DOTALL,
)
#: A tag whose date was cut off, as in tickets (GH-2611, GH-3424). The kernel's own lines begin in the same way.
_TAGGED = re.compile(r"(haproxy|hapee[\w-]{0,32})\[(\d{1,10})\]:(?! ?(?:segfault at |unhandled )) ?(.*)", re.DOTALL)
#: Home-made stamps stand in brackets, some with a word for the level.
_STAMPED = re.compile(rf"(?:({_DATE}|{_FULL_DATE})|\[({_DATE})(?: [A-Z]{{1,16}})?\])[ \t](.*)", re.DOTALL)
_CLOCK = re.compile(r"(\d\d:\d\d:\d\d(?:[.,]\d{1,9})?) (?:(haproxy)(?:\[(\d{1,10})\])?:? )?(.*)", re.DOTALL)
_FIELD = re.compile(r" {0,16}MESSAGE=(.*)", re.DOTALL)
#: HAProxy's own time, up to 2.3.
_OWN_TIME = re.compile(r"\[(?:ALERT|WARNING|NOTICE|DIAG)\] (\d{3}/\d{6}) \(")

_ZONED = re.compile(r"(?:Z|[+-]\d\d:\d\d)\Z")


def peel(record: Record) -> Record:
    """Take one layer after the other off, the outermost first; a clock may stand outside of a tag."""
    record = _peel_container(record)
    tagged = _peel_syslog(record)
    if tagged is record and (timed := _peel_clock(record)) is not record:
        tagged = _peel_syslog(timed)
    return _own_time(_peel_kernel(tagged))


def is_part(text: str) -> tuple[str, bool] | None:
    """The stream of a line of CRI, and whether the line is a part that another one continues; None for others."""
    match = _CRI.match(text)
    return (match[2], match[3] == "P") if match else None


def _peel_container(record: Record) -> Record:
    if match := _CRI.match(record.text):
        return replace(record, text=match[4] or "", time=match[1], carrier="cri")
    if match := _COMPOSE.match(record.text):
        return replace(record, text=match[2], identifier=match[1], host=match[1], carrier="compose")
    if match := _KUBECTL.match(record.text):
        return replace(record, text=match[2], identifier=match[1], host=match[1], carrier="kubectl")
    if match := _FIELD.match(record.text):
        return replace(record, text=match[1], carrier="journal-export")
    return record


def _peel_syslog(record: Record) -> Record:
    text = record.text
    if match := _RFC5424.match(text):
        return _tagged(record, match[5] or "", match[1], match[2], match[3], match[4])
    match = _SYSLOG.match(text) or _MONOTONIC.match(text)
    if match and (match[2] or match[4] or _PROGRAM.match(match[3])):
        return _tagged(record, match[5], match[1], match[2], match[3], match[4])
    if match := _TAGGED.match(text):
        return replace(record, text=match[3], identifier=match[1], pid=int(match[2]), carrier="syslog")
    return record


def _tagged(record: Record, text: str, time: str, host: str | None, identifier: str, pid: str | None) -> Record:
    number = int(pid) if pid and pid.isascii() and pid.isdigit() else None
    hosts = "/".join(each for each in (record.host, None if host == "-" else host) if each) or None
    kept = record.time if record.time and _ZONED.search(record.time) else time
    return replace(record, text=text, time=kept, identifier=identifier, pid=number, host=hosts, carrier="syslog")


def _peel_kernel(record: Record) -> Record:
    if match := _KERNEL.match(record.text):
        return replace(
            record, text=match[2], time=record.time or match[1], identifier="kernel", pid=None, carrier="kernel"
        )
    return record


def _peel_clock(record: Record) -> Record:
    if record.carrier not in ("plain", "compose", "kubectl", "docker"):
        return record
    if match := _STAMPED.match(record.text):
        return replace(record, text=match[3], time=record.time or match[1] or match[2], carrier="timestamp")
    if match := _CLOCK.match(record.text):
        pid = int(match[3]) if match[3] else record.pid
        time, identifier = record.time or match[1], match[2] or record.identifier
        return replace(record, text=match[4], time=time, identifier=identifier, pid=pid, carrier="timestamp")
    return record


def _own_time(record: Record) -> Record:
    if record.time is None and (match := _OWN_TIME.match(record.text)):
        return replace(record, time=match[1])
    return record
