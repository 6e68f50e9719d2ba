"""The format of signature files: which keys, which tests for which fact, which patterns."""

from __future__ import annotations

import re
from typing import Any

from forensics.absence import Absence
from forensics.errors import SignatureError
from forensics.evidence.catalogue import KINDS
from forensics.evidence.fact import FactValue
from forensics.matching.frames import GAP
from forensics.matching.signature import TESTS, Clause
from forensics.record import record
from forensics.versions import VersionRange

#: The values of the field `class`, and those of `status`.
CLASSES = ("bug", "configuration", "resource", "corruption", "environment")
STATUSES = ("draft", "tested", "confirmed")

#: The tests that make sense for each type of fact.
TESTS_OF = {
    "str": ("is", "is_not", "in", "contains", "matches"),
    "int": ("is", "is_not", "in", "at_least", "at_most"),
    "bool": ("is",),
    "list": ("contains", "matches"),
    "stack": ("frames",),
}

#: The longest pattern, of text or of frames.
LONGEST = 300

_NAME = r"(?:[A-Za-z_][\w.]*\*?|\?)"
_ELEMENT = re.compile(rf"{_NAME}(?:\|{_NAME})*|\[{_NAME}(?:\|{_NAME})*\]")


@record
class Place:
    """Where in which file something stands, for messages."""

    file: str
    key: str = ""

    def at(self, key: str | int) -> Place:
        """The place one step further in."""
        step = f"[{key}]" if isinstance(key, int) else key
        return Place(self.file, f"{self.key}.{step}".lstrip(".").replace(".[", "["))

    def error(self, problem: str, hint: str = "") -> SignatureError:
        """The error that names this place."""
        return SignatureError(f"`{self.file}`: {f'`{self.key}` ' if self.key else ''}{problem}", hint)


def check_keys(table: dict[str, Any], allowed: tuple[str, ...], needed: tuple[str, ...], place: Place) -> None:
    """Raise unless the table has the needed keys and only allowed ones."""
    for key in table:
        if key not in allowed:
            raise place.at(key).error("is no known key", f"allowed are {', '.join(allowed)}")
    for key in needed:
        if key not in table:
            raise place.at(key).error("is missing")


def table(value: Any, place: Place) -> dict[str, Any]:
    """The value as a table."""
    if not isinstance(value, dict):
        raise place.error("must be a table")
    return value


def text(value: Any, place: Place, *, needed: bool = True) -> str:
    """The value as text, the lines of each paragraph joined."""
    if not isinstance(value, str) or (needed and not value.strip()):
        raise place.error("must be text" + (" that is not empty" if needed else ""))
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in value.strip().split("\n\n"))


def texts(value: Any, place: Place) -> tuple[str, ...]:
    """The value as a list of texts."""
    if not isinstance(value, list) or not all(isinstance(each, str) and each for each in value):
        raise place.error("must be a list of texts")
    return tuple(value)


def tables(value: Any, place: Place) -> list[dict[str, Any]]:
    """The value as a list of tables."""
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise place.error("must be a list of tables")
    return value


def one_of(value: Any, allowed: tuple[str, ...], place: Place) -> str:
    """The value, if it is one of the allowed words."""
    if value not in allowed:
        raise place.error(f"is `{value}`", f"allowed are {', '.join(allowed)}")
    return str(value)


def ranges(value: Any, place: Place) -> tuple[str, ...]:
    """The value as a list of version ranges."""
    for each in texts(value, place):
        parsed = VersionRange.parse(each)
        if isinstance(parsed, Absence):
            raise place.error(f"holds what is no range: {parsed.reason}", parsed.remedy)
    return tuple(value)


def fact_value(name: str, value: Any, place: Place) -> FactValue:
    """The value, if the catalogue allows it for this fact."""
    if name not in KINDS:
        raise place.error(f"names no fact of the catalogue: `{name}`", f"known are {', '.join(KINDS)}")
    kind = KINDS[name].type
    if kind in ("list", "stack"):
        return texts(value, place)
    # `type() is` and not isinstance: for Python a bool is an int.
    if isinstance(value, (str, int)) and type(value).__name__ == kind:
        return value
    raise place.error(f"must be of type {kind}, as the catalogue says of `{name}`")


def clause(raw: dict[str, Any], place: Place, *, needs_because: bool) -> Clause:
    """The clause that a table of the file says."""
    check_keys(raw, ("fact", *TESTS, "because"), ("fact", "because") if needs_because else ("fact",), place)
    name = raw["fact"]
    if name not in KINDS:
        raise place.at("fact").error(f"names no fact of the catalogue: `{name}`", f"known are {', '.join(KINDS)}")
    allowed = TESTS_OF[KINDS[name].type] + (("within",) if name == "process.version" else ())
    used = [test for test in TESTS if test in raw]
    if len(used) != 1 or used[0] not in allowed:
        raise place.error(f"needs exactly one test that `{name}` allows", f"allowed are {', '.join(allowed)}")
    because = text(raw["because"], place.at("because")) if "because" in raw else ""
    return Clause(name, used[0], _operand(name, used[0], raw[used[0]], place.at(used[0])), because)


def _operand(name: str, test: str, value: Any, place: Place) -> FactValue:
    """What stands after the test, checked as far as can be without facts."""
    if test == "frames":
        return _pattern(value, place)
    if test == "within":
        return ranges(value, place)
    if test == "in":
        return _numbers(value, place) if KINDS[name].type == "int" else texts(value, place)
    if test == "matches":
        return _expression(value, place)
    if test == "contains":
        return text(value, place)
    return fact_value(name, value, place)


def _numbers(value: Any, place: Place) -> tuple[str, ...]:
    """A list of integers, kept as text like every list of a signature."""
    if not isinstance(value, list) or not value or any(type(each) is not int for each in value):
        raise place.error("must be a list of integers")
    return tuple(str(each) for each in value)


def _expression(value: Any, place: Place) -> str:
    import regex  # heavy, and few signatures need it

    if not isinstance(value, str) or not 0 < len(value) <= LONGEST:
        raise place.error(f"must be a pattern of 1 to {LONGEST} characters")
    try:
        regex.compile(value)
    except regex.error as error:
        raise place.error(f"is no pattern: {error}") from error
    return value


def _pattern(value: Any, place: Place) -> tuple[str, ...]:
    elements = texts(value, place)
    for index, element in enumerate(elements):
        if element != GAP and not _ELEMENT.fullmatch(element):
            raise place.at(index).error(f"is `{element}`", "write `name`, `a|b`, `name_*`, `[name]`, `?` or `...`")
        if element == GAP and elements[index - 1 : index] == (GAP,):
            raise place.at(index).error("repeats `...`")
    if len(elements) > LONGEST or not any(element != GAP for element in elements):
        raise place.error(f"must name 1 to {LONGEST} frames")
    return elements
