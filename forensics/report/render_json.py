"""The document as JSON: the same report gives the same bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from forensics.record import Member, is_record, members
from forensics.report.document import Report, Thread

#: Members that hold an address: integers in them are written in hex.
ADDRESSES = frozenset({"pc", "address"})

#: Longest string of the document. A longer one is cut, and says so.
LONGEST = 100_000

#: What JSON lets through and a terminal acts upon: C1 controls, direction marks, line separators.
_ACTING = re.compile(r"[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


def to_json_dict(report: Report) -> dict[str, Json]:
    """The document as plain JSON values, its members in the order of the records.

    What is unknown is left out, but lists are there even when empty, and members that the
    contract calls nullable are null.
    """
    return _members(report)


def render_json(report: Report) -> str:
    """The document, indented, with a newline at its end."""
    return _dumped(report, 2, (",", ": "))


def render_json_line(report: Report) -> str:
    """The document on one line, with a newline at its end, for JSON Lines."""
    return _dumped(report, None, (",", ":"))


def thread_to_json(thread: Thread) -> dict[str, Json]:
    """One thread as the document holds it."""
    return _members(thread)


def plain_text(value: object) -> str:
    """Any value made of records, mappings and sequences as a document of its own, written like a report."""
    text = json.dumps(_value(value), ensure_ascii=False, indent=2)
    return _ACTING.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"


def json_name(member: Member) -> str:
    """The member's name in the document (``class`` is no name in Python)."""
    return str(member.metadata.get("json", member.name))


def _members(thing: object) -> dict[str, Json]:
    shown: dict[str, Json] = {}
    for member in members(thing):
        value = getattr(thing, member.name)
        if value in (None, "") and not member.metadata.get("nullable"):
            continue
        shown[json_name(member)] = _value(value, member.name)
    return shown


def _value(value: object, name: str = "") -> Json:
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return f"{value:#x}" if name in ADDRESSES else value
    if isinstance(value, str):
        return _text(value)
    if is_record(value):
        return _members(value)
    if isinstance(value, Mapping):
        return {_text(str(key)): _value(each, str(key)) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_value(each) for each in value]
    return value if isinstance(value, float) else _text(str(value))


def _text(text: str) -> str:
    """The text as a file can hold it: a byte that was no UTF-8 (a lone surrogate) is spelled out."""
    clean = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return clean if len(clean) <= LONGEST else f"{clean[:LONGEST]}... (cut)"


def _dumped(report: Report, indent: int | None, separators: tuple[str, str]) -> str:
    text = json.dumps(to_json_dict(report), ensure_ascii=False, indent=indent, separators=separators)
    return _ACTING.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"
