"""What carries a line: syslog, the journal, containers, the kernel ring buffer, or nothing.

Every line of the input becomes one record (or several, when the carrier folded a
message of many lines into one), free of what wrapped it. Carriers nest (a container
log of a syslog line), so the layers are peeled from the outside in, each once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from forensics.logs.json_carrier import MAX_JSON, Message, read_json
from forensics.record import record, replace

#: Longer lines are cut: no line of a dying HAProxy comes near it.
MAX_LINE = 64 * 1024


@record
class Record:
    """One line as the program wrote it. ``line`` counts the input's lines from 1.

    ``identifier`` and ``pid`` are those of the carrier's tag: for all that goes to an
    inherited stderr that is the master, not the worker.
    """

    text: str
    line: int
    time: str | None = None
    identifier: str | None = None
    pid: int | None = None
    carrier: str = "plain"


_ANSI = re.compile(r"\x1b\[[0-9;?]{0,32}[A-Za-z]|\x1b\]8;[^\x1b\x07]{0,2048}(?:\x07|\x1b\\)")
_DATE = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?"
#: A host may be an IPv6 address, but never ends with a colon: that would be a tag without a host.
_HOST = r"(?:[^\s\[\]]{0,254}[^\s:\[\]] )?"
_TAG = r"([^\s\[\]:]{1,128})(?:\[(\d{1,10})\])?: ?(.*)"

_COMPOSE = re.compile(r"([A-Za-z0-9][\w.-]{0,127}) +\| ?(.*)", re.DOTALL)
_KUBECTL = re.compile(r"\[pod/([^\]\s]{1,256})\] (.*)", re.DOTALL)
_CRI = re.compile(rf"({_DATE}) (?:stdout|stderr) [FP](?::\S{{0,64}})? ?(.*)", re.DOTALL)
_RFC5424 = re.compile(
    r"<\d{1,3}>1 (\S{1,64}) \S{1,255} (\S{1,128}) (\S{1,128}) \S{1,128}"
    r" (?:-|(?:\[[^\]]{0,4096}\]){1,16})(?: \ufeff?(.*))?$",
    re.DOTALL,
)
_SYSLOG = re.compile(
    rf"(?:<\d{{1,3}}>)?([A-Z][a-z]{{2}} [ \d]\d (?:\d{{4}} )?\d\d:\d\d:\d\d(?:\.\d{{1,9}})?|{_DATE}) {_HOST}{_TAG}",
    re.DOTALL,
)
_MONOTONIC = re.compile(
    r"\[ {0,8}(\d{1,9}\.\d{3,9})\] [^\s\[\]]{1,255} ([^\s\[\]:]{1,128})\[(\d{1,10})\]: ?(.*)", re.DOTALL
)
_KERNEL = re.compile(
    r"(?:<\d{1,3}>)?\[ {0,8}(\d{1,9}\.\d{3,9}|[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4})\]"
    r"(?:\[[ CT\d]{1,12}\])? (.*)",
    re.DOTALL,
)
#: A tag whose date was cut off, as in tickets (GH-2611, GH-3424). The kernel's own lines begin in the same way.
_TAGGED = re.compile(r"(haproxy|hapee[\w-]{0,32})\[(\d{1,10})\]:(?! ?(?:segfault at |unhandled )) ?(.*)", re.DOTALL)
_STAMPED = re.compile(rf"({_DATE})[ \t](.*)", re.DOTALL)
_CLOCK = re.compile(r"(\d\d:\d\d:\d\d(?:[.,]\d{1,9})?) (?:(haproxy)(?:\[(\d{1,10})\])?:? )?(.*)", re.DOTALL)
_EXPORT = re.compile(r" {0,16}MESSAGE=(.*)", re.DOTALL)
#: rsyslog writes control characters as # and three octal digits.
_OCTAL = re.compile(r"#(0[0-3][0-7])")


def iter_records(lines: Iterable[bytes]) -> Iterator[Record]:
    """Unwrap every line of a log, as a stream."""
    for number, raw in enumerate(lines, 1):
        yield from unwrap(raw, number)


def unwrap(raw: bytes, line: int) -> Iterator[Record]:
    """The records that one raw line carries."""
    text = _clean(raw[:MAX_JSON] if raw.lstrip(b" \xef\xbb\xbf")[:1] == b"{" else raw[:MAX_LINE])
    message = read_json(text)
    if message is None:
        yield from _unfold(_peel(Record(text[:MAX_LINE], line)))
    else:
        yield from _from_message(message, line)


def _clean(raw: bytes) -> str:
    """Decode; drop line ends, colours, and the NUL bytes that dumps of 2.9 hold."""
    text = raw.decode("utf-8", "replace").lstrip("\ufeff").rstrip("\r\n").replace("\0", "")
    return _ANSI.sub("", text) if "\x1b" in text else text


def _from_message(message: Message, line: int) -> Iterator[Record]:
    for part in (*message.fields, *message.text.split("\n")):
        text = _clean(part[:MAX_LINE].encode("utf-8", "replace"))
        record = Record(text, line, message.time, message.identifier, message.pid, message.carrier)
        yield _peel(record) if message.identifier is None else record


def _peel(record: Record) -> Record:
    """Take one layer after the other off, the outermost first."""
    for layer in (_peel_container, _peel_syslog, _peel_kernel, _peel_clock):
        record = layer(record)
    return record


def _peel_container(record: Record) -> Record:
    if match := _CRI.match(record.text):
        return replace(record, text=match[2], time=match[1], carrier="cri")
    if match := _COMPOSE.match(record.text):
        return replace(record, text=match[2], identifier=match[1], carrier="compose")
    if match := _KUBECTL.match(record.text):
        return replace(record, text=match[2], identifier=match[1], carrier="kubectl")
    if match := _EXPORT.match(record.text):
        return replace(record, text=match[1], carrier="journal-export")
    return record


def _peel_syslog(record: Record) -> Record:
    text = record.text
    if match := _RFC5424.match(text):
        return _tagged(record, match[4] or "", match[1], match[2], match[3])
    if match := _SYSLOG.match(text) or _MONOTONIC.match(text):
        return _tagged(record, match[4], match[1], match[2], match[3])
    if match := _TAGGED.match(text):
        return replace(record, text=match[3], identifier=match[1], pid=int(match[2]), carrier="syslog")
    return record


def _tagged(record: Record, text: str, time: str, identifier: str, pid: str | None) -> Record:
    number = int(pid) if pid and pid.isascii() and pid.isdigit() else None
    return replace(record, text=text, time=time, identifier=identifier, pid=number, carrier="syslog")


def _peel_kernel(record: Record) -> Record:
    if match := _KERNEL.match(record.text):
        return replace(record, text=match[2], time=record.time or match[1], identifier="kernel", carrier="kernel")
    return record


def _peel_clock(record: Record) -> Record:
    if record.carrier not in ("plain", "compose", "kubectl"):
        return record
    if match := _STAMPED.match(record.text):
        return replace(record, text=match[2], time=match[1], carrier="timestamp")
    if match := _CLOCK.match(record.text):
        pid = int(match[3]) if match[3] else None
        return replace(record, text=match[4], time=match[1], identifier=match[2], pid=pid, carrier="timestamp")
    return record


def _unfold(record: Record) -> Iterator[Record]:
    """Undo rsyslog's escapes, which fold a message of many lines into one."""
    if record.carrier != "syslog" or "#0" not in record.text:
        yield record
        return
    text = _OCTAL.sub(lambda match: chr(int(match[1], 8)), record.text)
    for part in text.split("\n"):
        yield replace(record, text=_ANSI.sub("", part).replace("\0", "").rstrip("\r"))
