"""Lines about connections and requests, as `option httplog`, `tcplog` and formats made from them write them.

What is read is what tells of the traffic as a whole: where it went, how it was answered, how it ended. Clients, URLs,
headers and cookies are left alone.
"""

from __future__ import annotations

import re

from forensics.logs.line import Record
from forensics.record import record, replace

#: The accept date of default formats, and of %trg, %Tl and %T, which have a zone.
_DATE = re.compile(
    r"\[(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d:\d\d:\d\d(?:\.\d{1,6})?)(?: ([+-]\d{4}))?\]"
    r"(?: (\S{1,256}) ([^\s/]{1,256})/(\S{1,256}) (?:[-+]?\d{1,10}/){2,6}[-+]?\d{1,10} (?:(-1|[1-5]\d\d) )?)?"
)
#: The termination state and the five counters of connections behind it (log.c: default_http_log_format and others).
_ENDED = re.compile(
    r" ([CSPLRDUIKTcs-][RQCHDLTU-](?:[NIDVEOU-][NIPDRU-])?) \d{1,10}/\d{1,10}/\d{1,10}/\d{1,10}/\+?\d{1,10} \d{1,10}/\d"
)
#: `option httplog clf`: the state stands between times and counters, all of them apart.
_CLF = re.compile(
    r'^\S{1,256} - - \[[^\]]{1,64}\] "[^"]{0,65536}" (-1|[1-5]\d\d) \d{1,20} "[^"]{0,64}" "[^"]{0,64}" \d{1,6} \d{1,4}'
    r' "([^"]{0,256})" "([^"]{0,256})" "([^"]{0,256})"(?: [-+]?\d{1,10}){5}'
    r" ([CSPLRDUIKTcs-][RQCHDLTU-](?:[NIDVEOU-][NIPDRU-])?) "
)

#: Who or what ended it, by the first letter of a termination state (configuration manual, 8.5).
CAUSES = {
    "C": "the client closed or broke the connection",
    "S": "the server refused, closed or broke the connection",
    "P": "HAProxy refused it",
    "L": "HAProxy answered it itself",
    "R": "a resource of HAProxy ran out",
    "I": "an internal error of HAProxy",
    "D": "HAProxy ended it as the server went down",
    "U": "HAProxy ended it on a backup server as another came back",
    "K": "an administrator ended it",
    "c": "the client was waited for in vain",
    "s": "the server was waited for in vain",
}
#: In which state it was, by the second letter.
STATES = {
    "R": "waiting for the request",
    "Q": "waiting in the queue",
    "C": "while connecting to the server",
    "H": "waiting for the response's headers",
    "D": "during data",
    "L": "sending the last data",
    "T": "in the tarpit",
    "U": "waiting for the request's data",
}
#: The ones that are seen most (configuration manual, 8.5).
_COMMON = {
    "CC": "the client left before the server was connected",
    "CD": "the client left during data",
    "CH": "the client left before the response",
    "CQ": "the client left in the queue",
    "CR": "the client left before its request was whole",
    "SC": "the server refused the connection",
    "SD": "the server broke off during data",
    "SH": "the server broke off before its headers",
    "cD": "the client was too slow during data",
    "cR": "the client sent no whole request in time",
    "sC": "no connection to the server in time",
    "sD": "the server was too slow during data",
    "sH": "no headers from the server in time",
    "sQ": "too long in the queue",
    "PC": "HAProxy refused to connect",
    "PH": "the server's response was invalid or blocked",
    "RC": "no resource was left to connect",
}
#: Endings that are as it should be: nothing broke.
QUIET = ("--", "LR", "LH", "PR", "LC")


@record
class Request:
    """One request or connection. ``ended`` is its termination state, of two or four letters, ``status`` its answer.

    ``status`` is None for a connection of TCP; frontend, backend and server are "" where the format does not say.
    ``accepted`` is the text of its accept date, in a form that `times` reads, "" without one.
    """

    ended: str
    status: int | None
    frontend: str
    backend: str
    server: str
    accepted: str
    line: int

    @property
    def quiet(self) -> bool:
        """Whether it ended as it should."""
        return self.ended[:2] in QUIET


def parse_request(record: Record) -> Request | None:
    """The request that a line tells of; None for any other line."""
    text = record.text
    ended = _ENDED.search(text)
    if ended is None:
        return _of_clf(record)
    date = _DATE.search(text, 0, ended.start() + 1)
    request = Request(ended[1], None, "", "", "", "", record.line)
    if date is None:
        return request
    status = int(date[9]) if date[9] else None
    names = (date[6] or "", date[7] or "", date[8] or "")
    return replace(
        request, status=status, frontend=names[0], backend=names[1], server=names[2], accepted=accept_date(date)
    )


def accept_date(match: re.Match[str]) -> str:
    """A date of the form "Nov 24 2026 23:10:11.123", with its zone where it has one."""
    zone = f"{match[5][:3]}:{match[5][3:]}" if match[5] else ""
    return f"{match[2]} {match[1]} {match[3]} {match[4]}" if not zone else _iso(match, zone)


def _iso(match: re.Match[str], zone: str) -> str:
    months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
    month = months.index(match[2]) + 1 if match[2] in months else 0
    return f"{match[3]}-{month:02d}-{match[1]}T{match[4]}{zone}"


def _of_clf(record: Record) -> Request | None:
    match = _CLF.match(record.text) if '"' in record.text else None
    if match is None:
        return None
    date = _DATE.search(record.text)
    accepted = accept_date(date) if date else ""
    return Request(match[5], int(match[1]), match[2], match[3], match[4], accepted, record.line)


def meaning(ended: str) -> str:
    """The first two letters of a termination state in words."""
    if ended[:2] in _COMMON:
        return _COMMON[ended[:2]]
    parts = (CAUSES.get(ended[:1], ""), STATES.get(ended[1:2], ""))
    return ", ".join(part for part in parts if part)
