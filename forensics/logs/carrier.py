"""What carries a line: syslog, the journal, containers, the kernel ring buffer, or nothing.

Every line of the input becomes one record (or several, when the carrier folded a
message of many lines into one), free of what wrapped it. Carriers nest (a container
log of a syslog line), so the layers are peeled from the outside in, each once.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator

from forensics.logs.framing import Framing
from forensics.logs.journal_entry import Entry, read_export, read_verbose
from forensics.logs.json_carrier import MAX_JSON, Message, read_json
from forensics.logs.layers import is_part, peel
from forensics.logs.line import Origin, Record
from forensics.logs.pasted_text import unpasted
from forensics.logs.times import LogClock
from forensics.record import replace

__all__ = ["MAX_LINE", "Origin", "Record", "Unwrapper", "iter_records"]

_UTC = LogClock()

#: Longer lines are cut: no line of a dying HAProxy comes near it.
MAX_LINE = 64 * 1024

#: Objects in objects: nobody nests more.
_DEEPEST = 3
#: Streams whose last line is broken, and bytes of such a line.
_MAX_STREAMS = 16

_ANSI = re.compile(r"\x1b\[[0-9;?]{0,32}[A-Za-z]|\x1b\]8;[^\x1b\x07]{0,2048}(?:\x07|\x1b\\)")
#: rsyslog writes control characters as # and three octal digits.
_OCTAL = re.compile(r"#(0[0-3][0-7])")


def iter_records(lines: Iterable[bytes], modified: float | None = None) -> Iterator[Record]:
    """Unwrap every line of a log, as a stream."""
    unwrapper = Unwrapper(clock=LogClock(modified))
    for number, raw in enumerate(lines, 1):
        yield from unwrapper.feed(raw, number)
    yield from unwrapper.close()


class Unwrapper:
    """Takes units of a log (see `Framing`) and gives records; it joins lines that a container's runtime broke.

    ``clock`` is that of the log.
    """

    def __init__(self, framing: Framing | None = None, clock: LogClock = _UTC) -> None:
        self._framing = framing.name if framing else "lines"
        self._clock = clock if clock.modified is not None else LogClock(time.time(), clock.zone)
        self._parts: dict[str, Record] = {}
        self._above: Record | None = None
        self._indent = ""

    def feed(self, unit: bytes, line: int) -> Iterator[Record]:
        """The records of one unit, which begins on ``line``."""
        if self._framing in ("export", "verbose"):
            read = read_export if self._framing == "export" else read_verbose
            if entry := read(unit):
                yield from self._from_entry(entry, line)
        elif self._framing != "json":
            for offset, part in enumerate(unit.removesuffix(b"\n").split(b"\n")):
                yield from self._line(part, line + offset)
        else:
            yield from self._line(unit, line)

    def close(self) -> Iterator[Record]:
        """What was broken and never continued."""
        parts, self._parts = self._parts, {}
        for record in parts.values():
            yield from self._finish(record, 0)

    def _line(self, raw: bytes, line: int) -> Iterator[Record]:
        text = _clean(raw[:MAX_JSON] if raw.lstrip(b" \xef\xbb\xbf")[:1] == b"{" or b"\r" in raw else raw[:MAX_LINE])
        if (message := read_json(text)) is not None:
            yield from self._from_message(message, line, 0)
            return
        if self._continues(text, line):
            assert self._above is not None
            record = replace(self._above, text=text.removeprefix(self._indent), line=line)
            self._above = record
            yield record
            return
        record = Record(unpasted(text), line)
        if self._framing == "cri" and (part := is_part(text)):
            yield from self._joined(peel(record), part[0], part[1])
        else:
            yield from self._finish(record, 0)

    def _continues(self, text: str, line: int) -> bool:
        """Whether journalctl indented this line below the message that it belongs to."""
        above = self._above
        return (
            above is not None
            and line == above.line + 1
            and len(self._indent) > 16
            and (text.startswith(self._indent) or not text)
        )

    def _from_entry(self, entry: Entry, line: int) -> Iterator[Record]:
        """The text of a journal's entry stands on lines of its own."""
        message = entry.message
        begin, fields = line + entry.lines_before, len(message.fields)
        for number, part in enumerate((*message.fields, *message.text.split("\n"))):
            yield from self._part(message, part, begin + max(0, number - fields), 0)

    def _from_message(self, message: Message, line: int, depth: int) -> Iterator[Record]:
        if self._framing == "docker" and message.stream is not None:
            record = self._record(message, message.text, line)
            yield from self._joined(record, message.stream, not message.whole)
            return
        for part in (*message.fields, *message.text.split("\n")):
            yield from self._part(message, part, line, depth)

    def _part(self, message: Message, part: str, line: int, depth: int) -> Iterator[Record]:
        record = self._record(message, _clean(part[:MAX_LINE].encode("utf-8", "replace")), line)
        if message.identifier is None:
            yield from self._finish(record, depth + 1)
        else:
            yield from self._split(record)

    def _record(self, message: Message, text: str, line: int) -> Record:
        return Record(text, line, message.time, message.identifier, message.pid, message.carrier, message.host)

    def _joined(self, record: Record, stream: str, broken: bool) -> Iterator[Record]:
        """Hold a part until the rest of its line comes."""
        before = self._parts.pop(stream, None)
        if before is not None:
            record = replace(before, text=(before.text + record.text)[:MAX_JSON])
        if broken and len(record.text) < MAX_JSON and len(self._parts) < _MAX_STREAMS:
            self._parts[stream] = record
            return
        for part in record.text.split("\n"):
            yield from self._finish(replace(record, text=_clean(part[:MAX_LINE].encode("utf-8", "replace"))), 0)

    def _finish(self, record: Record, depth: int) -> Iterator[Record]:
        """Peel what is left, look for objects within, and split what was folded."""
        text, cut = record.text, replace(record, text=record.text[:MAX_LINE])
        peeled = peel(cut) if "\r" not in text else _peel_first(record)
        if depth < _DEEPEST and peeled.text.startswith("{") and (message := read_json(peeled.text)) is not None:
            for inner in self._from_message(message, record.line, depth + 1):
                yield inner if inner.host else replace(inner, host=peeled.host)
            return
        self._above, self._indent = None, ""
        if peeled.carrier == "syslog" and record.carrier == "plain":
            self._indent = " " * (len(text) - len(peeled.text)) if text.endswith(peeled.text) else ""
        yield from self._split(peeled)

    def _split(self, record: Record) -> Iterator[Record]:
        """Undo rsyslog's escapes, which fold a message of many lines into one, and progress written over itself."""
        text = record.text
        if record.carrier == "syslog" and "#0" in text:
            text = _OCTAL.sub(lambda match: chr(int(match[1], 8)), text)
        record = self._timed(record)
        if text is record.text and "\r" not in text:
            if self._indent:
                self._above = record
            yield record
            return
        for part in re.split(r"\r\n|[\r\n]", text):
            piece = replace(record, text=_ANSI.sub("", part[:MAX_LINE]).replace("\0", ""))
            yield self._timed(peel(piece)) if record.carrier == "plain" else piece

    def _timed(self, record: Record) -> Record:
        instant = self._clock.instant(record.time) if record.time else None
        return replace(record, instant=instant.seconds, zoned=instant.zoned) if instant else record


def _peel_first(record: Record) -> Record:
    """Peel a line that carriage returns divide: what wraps it stands before the first of them."""
    first, _, rest = record.text.partition("\r")
    peeled = peel(replace(record, text=first[:MAX_LINE]))
    return replace(peeled, text=f"{peeled.text}\r{rest}")


def _clean(raw: bytes) -> str:
    """Decode; drop line ends, colours, and the NUL bytes that dumps of 2.9 hold."""
    text = raw.decode("utf-8", "replace").lstrip("\ufeff").rstrip("\r\n").replace("\0", "")
    return _ANSI.sub("", text) if "\x1b" in text else text
