"""The test cases that lie beside a signature, and how to run them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from forensics.evidence.fact import Crash, Fact
from forensics.matching import grammar
from forensics.matching.grammar import Place
from forensics.matching.load import read_toml
from forensics.matching.locate import CASES_SUFFIX
from forensics.matching.match import judge
from forensics.matching.signature import Signature
from forensics.matching.verdict import OUTCOMES, Verdict
from forensics.record import record
from forensics.source import Source

#: What a case can be made from.
EVIDENCE = ("facts", "log", "sample")

#: Turns the text of a log excerpt, or the name of a sample, into a crash.
Reader = Callable[[str], Crash]


@record
class Case:
    """One expectation. ``also`` names other signatures for which the same crash may be probable.

    ``evidence`` is one of :data:`EVIDENCE`; a case of facts carries its ``crash``, the
    others what a :data:`Reader` needs.
    """

    name: str
    expect: str
    evidence: str
    given: str
    crash: Crash | None = None
    also: tuple[str, ...] = ()


def cases_file(directory: Path, identity: str) -> Path:
    """The file of a signature's cases."""
    return directory / f"{identity}{CASES_SUFFIX}"


def read_cases(directory: Path, identity: str) -> tuple[Case, ...]:
    """The cases of the signature with this id."""
    place = Place(f"{identity}{CASES_SUFFIX}")
    raw = read_toml(cases_file(directory, identity), place.file)
    grammar.check_keys(raw, ("case",), ("case",), place)
    return tuple(_case(each, place.at("case").at(n)) for n, each in enumerate(grammar.tables(raw["case"], place)))


def crash_of(case: Case, readers: Mapping[str, Reader]) -> Crash | None:
    """The crash of a case, or None when it needs a reader that was not given."""
    if case.crash is not None:
        return case.crash
    reader = readers.get(case.evidence)
    return reader(case.given) if reader else None


def run_case(signature: Signature, case: Case, readers: Mapping[str, Reader]) -> Verdict | None:
    """The verdict on a case, or None when it needs a reader that was not given."""
    crash = crash_of(case, readers)
    return None if crash is None else judge(signature, crash)


def _case(raw: dict[str, Any], place: Place) -> Case:
    grammar.check_keys(raw, ("name", "expect", "also", *EVIDENCE), ("name", "expect"), place)
    given = [each for each in EVIDENCE if each in raw]
    if len(given) != 1:
        raise place.error("needs exactly one kind of evidence", f"allowed are {', '.join(EVIDENCE)}")
    kind = given[0]
    return Case(
        name=grammar.text(raw["name"], place.at("name")),
        expect=grammar.one_of(raw["expect"], OUTCOMES, place.at("expect")),
        evidence=kind,
        given="" if kind == "facts" else _verbatim(raw[kind], place.at(kind)),
        crash=_crash(raw["facts"], place.at("facts")) if kind == "facts" else None,
        also=grammar.texts(raw.get("also", []), place.at("also")),
    )


def _verbatim(value: Any, place: Place) -> str:
    """The text as it stands: the lines of a log are evidence."""
    grammar.text(value, place)
    return str(value)


def _crash(value: Any, place: Place) -> Crash:
    """A table is one witness; a list of tables several, the most trusted first."""
    witnesses = grammar.tables(value if isinstance(value, list) else [value], place)
    return Crash.of(
        Fact(name, grammar.fact_value(name, each, place.at(name)), Source(place.file, place.key))
        for witness in witnesses
        for name, each in witness.items()
    )
