"""The place of an assertion without the words around it, as people quote it: `matched at src/stconn.c:1479`."""

from __future__ import annotations

import re

from forensics.logs.limits import Kept
from forensics.logs.line import Origin, Record, origin_field
from forensics.record import record

#: Sources are C everywhere, and so are the headers in which assertions stand.
_FILE = r"((?:[\w.+/-]{1,512}/)?[\w+-]{1,128}\.[ch])"
_MATCHED = re.compile(rf"\bmatched at [`'\"*]{{0,4}}{_FILE}[`'\"*]{{0,4}}:(\d{{1,6}})(?!\w)")
#: Nothing else on the line, but what Markdown and people put around a place.
_ALONE = re.compile(
    r"[\s>*`'\"(\[-]{0,16}(?:(?:(?:BUG_ON|WARN_ON|CHECK_IF|[Cc]rash(?:ed)?|[Aa]ssert(?:ion)?|[Bb]ug) )?(?:at|in) "
    rf"[`'\"*]{{0,4}})?{_FILE}:(\d{{1,6}})(?::\d{{1,4}})?[\s`'\"*)\].,;:]{{0,16}}"
)
_CUT = (" matched at", " matched")
#: What is said by HAProxy itself is no quotation: what it warns of did not end it, and a log line is traffic.
_OWN = re.compile(r"\s*\[(?:ALERT|WARNING|NOTICE|DIAG)\]|.{0,4096}(?:WARNING: |FATAL: | HTTP/\d)", re.DOTALL)


@record
class AssertionPlace:
    """``file`` and ``line_number`` as a line names them. ``condition`` is what stands where the condition would.

    It may be prose, unless ``worded`` says that the line calls it a condition; "" where nothing stands there. ``alone``
    says that only the place is there, without "matched at".
    """

    file: str
    line_number: int
    condition: str
    worded: bool
    alone: bool
    line: int
    origin: Origin = origin_field()


class PlaceRecogniser:
    """Collects places that lines quote; whole assertions are those of `BugRecogniser`."""

    def __init__(self) -> None:
        self.found: Kept[AssertionPlace] = Kept()
        #: A line that ends before the place, as mail wraps it.
        self._cut: Record | None = None

    def feed(self, record: Record) -> None:
        """Read one record."""
        cut, self._cut = self._cut, None
        place = _wrapped(cut, record) if cut is not None and record.line - cut.line == 1 else parse_place(record)
        if place is not None:
            self.found.append(place)
        elif record.carrier == "plain" and record.text.rstrip().endswith(_CUT):
            self._cut = record

    def close(self) -> None:
        """Nothing stays open: every place is one line."""


def parse_place(record: Record) -> AssertionPlace | None:
    """The place that a line quotes, None for any other line."""
    text = record.text
    if "matched at " in text and (match := _MATCHED.search(text)):
        before = text[: match.start()]
        if _OWN.match(text) or (record.carrier != "plain" and _prose(before)):
            return None
        condition = _condition(before)
        return AssertionPlace(match[1], int(match[2]), *condition, False, record.line, record.origin)
    if record.carrier == "plain" and (".c:" in text or ".h:" in text) and (match := _ALONE.fullmatch(text)):
        return AssertionPlace(match[1], int(match[2]), "", False, True, record.line, record.origin)
    return None


def _wrapped(cut: Record, record: Record) -> AssertionPlace | None:
    """The place that a line and the one below it tell together; what only warns is none."""
    text = f"{cut.text.rstrip()} {record.text.lstrip(' >')}"
    match = _MATCHED.search(text)
    if match is None or _OWN.match(text.replace("FATAL: ", "", 1)):
        return parse_place(record)
    return AssertionPlace(match[1], int(match[2]), *_condition(text[: match.start()]), False, cut.line, cut.origin)


def _prose(before: str) -> bool:
    """Whether words stand there that are no condition: a line of a log begins with the cut-off end of an assertion."""
    return bool(before.strip(" `\"'")) and '"' not in before and "condition " not in before


def _condition(before: str) -> tuple[str, bool]:
    """What stands before "matched at", without quotes around it, and whether the line calls it a condition."""
    _, worded, condition = before.partition("condition ")
    if worded:
        return condition.strip("`\"' "), True
    words = before.rstrip("`\"' ")
    # A quotation begins with its quote, whatever is told before it.
    quote = next((mark for mark in ("`", '"') if mark in words), "")
    return (words.rpartition(quote)[2] if quote else words).strip(" >*'-"), False
