"""Entries of the journal as `journalctl -o export` and `-o verbose` print them."""

from __future__ import annotations

import re

from forensics.logs.json_carrier import Message, message_of
from forensics.record import record

#: Fields of one entry; systemd-coredump writes some fifty.
_MAX_FIELDS = 512
_NAME = re.compile(rb"[A-Z0-9_]{1,64}\Z")
_VERBOSE_HEAD = re.compile(r"([A-Z][a-z]{2} \d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})? \S{1,8}) \[s=")
_VERBOSE_FIELD = re.compile(r" {4}([A-Z0-9_]{1,64})=")


@record
class Entry:
    """A message, and how many lines below the beginning of the entry its text begins."""

    message: Message
    lines_before: int


def read_export(unit: bytes) -> Entry | None:
    """An entry of an export (systemd.io/JOURNAL_EXPORT_FORMATS): text fields as lines, others with their length.

    A length is 64 bits, little-endian; one that leads out of the unit means as much as is there. A field that is
    there twice keeps all its values, as in JSON.
    """
    fields: dict[str, object] = {}
    lines_before = position = 0
    for _field in range(_MAX_FIELDS):
        end = unit.find(b"\n", position)
        line = unit[position : end if end >= 0 else len(unit)]
        name, equals, value = line.partition(b"=")
        if not _NAME.match(name):
            break
        begin, position = position, end + 1
        if not equals:
            size = int.from_bytes(unit[position : position + 8], "little")
            value = unit[position + 8 : position + 8 + min(size, len(unit))]
            position += 8 + len(value) + 1
        if name == b"MESSAGE":
            lines_before = unit.count(b"\n", 0, begin) + (not equals)
        _add(fields, name.decode(), value.decode("utf-8", "replace"))
        if end < 0 or position >= len(unit):
            break
    message = message_of(fields)
    return Entry(message, lines_before) if message else None


def read_verbose(unit: bytes) -> Entry | None:
    """An entry of `-o verbose`: the time, then fields below it, each with an indent of four blanks."""
    head, *lines = unit.decode("utf-8", "replace").rstrip("\n").split("\n")
    time = _VERBOSE_HEAD.match(head)
    if time is None:
        return None
    fields: dict[str, object] = {"__REALTIME_TIMESTAMP": time[1]}
    name, texts, lines_before = "", list[str](), 0
    for number, line in enumerate(lines, 1):
        if match := _VERBOSE_FIELD.match(line):
            if name:
                _add(fields, name, "\n".join(texts))
            name, texts = match[1], [line[match.end() :]]
            lines_before = number if name == "MESSAGE" else lines_before
            if len(fields) > _MAX_FIELDS:
                break
        else:
            texts.append(line.removeprefix(" " * (5 + len(name))))
    if name:
        _add(fields, name, "\n".join(texts))
    message = message_of(fields)
    return Entry(message, lines_before) if message else None


def _add(fields: dict[str, object], name: str, value: str) -> None:
    before = fields.get(name)
    if before is None:
        fields[name] = value
    elif isinstance(before, list):
        before.append(value)
    else:
        fields[name] = [before, value]
