"""Signature files, read strictly: whatever is not understood is an error that names file and key."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from forensics.errors import SignatureError
from forensics.matching import grammar
from forensics.matching.grammar import Place
from forensics.matching.locate import signature_files
from forensics.matching.signature import Clause, Lookalike, Signature

_TEXTS = ("title", "explanation", "remedy", "workaround")
_NEEDED = (*_TEXTS, "class", "status", "references", "affects", "fixed_in", "lookalikes", "match")
_ALLOWED = (*_NEEDED, "confirm", "exclude")


def load_signatures(directory: Path) -> tuple[Signature, ...]:
    """Every signature below a directory, ordered by id."""
    return tuple(load_signature(directory, file) for file in signature_files(directory))


def load_signature(directory: Path, file: Path) -> Signature:
    """One signature; its id is the path below ``directory`` without the suffix."""
    relative = file.relative_to(directory)
    return parse_signature(relative.with_suffix("").as_posix(), read_toml(file, relative.as_posix()))


def read_toml(file: Path, shown: str) -> dict[str, Any]:
    """The tables of a TOML file; ``shown`` is its name in messages."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SignatureError(f"`{shown}`: cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise SignatureError(f"`{shown}`: is not TOML: {error}") from error


def parse_signature(identity: str, raw: dict[str, Any]) -> Signature:
    """The signature that the tables of its file describe."""
    place = Place(f"{identity}.toml")
    grammar.check_keys(raw, _ALLOWED, _NEEDED, place)
    matching = grammar.table(raw["match"], place.at("match"))
    grammar.check_keys(matching, ("all", "any", "none"), (), place.at("match"))
    if not matching.get("all") and not matching.get("any"):
        raise place.at("match").error("needs a clause in `all` or `any`")
    prose = {name: grammar.text(raw[name], place.at(name)) for name in _TEXTS}
    groups = {name: _clauses(matching.get(name, []), place.at("match").at(name)) for name in ("all", "any", "none")}
    return Signature(
        id=identity,
        title=prose["title"],
        explanation=prose["explanation"],
        remedy=prose["remedy"],
        workaround=prose["workaround"],
        kind=grammar.one_of(raw["class"], grammar.CLASSES, place.at("class")),
        status=grammar.one_of(raw["status"], grammar.STATUSES, place.at("status")),
        references=grammar.texts(raw["references"], place.at("references")),
        affects=grammar.ranges(raw["affects"], place.at("affects")),
        fixed_in=grammar.ranges(raw["fixed_in"], place.at("fixed_in")),
        lookalikes=_lookalikes(raw["lookalikes"], place.at("lookalikes")),
        all=groups["all"],
        any=groups["any"],
        none=groups["none"],
        confirm=_clauses(raw.get("confirm", []), place.at("confirm")),
        exclude=_clauses(raw.get("exclude", []), place.at("exclude"), needs_because=True),
    )


def _clauses(value: Any, place: Place, *, needs_because: bool = False) -> tuple[Clause, ...]:
    raw = grammar.tables(value, place)
    return tuple(grammar.clause(each, place.at(n), needs_because=needs_because) for n, each in enumerate(raw))


def _lookalikes(value: Any, place: Place) -> tuple[Lookalike, ...]:
    raw = grammar.tables(value, place)
    if not raw:
        raise place.error("is empty", "say what resembles this crash and how to tell, or why nothing can")
    return tuple(_lookalike(each, place.at(index)) for index, each in enumerate(raw))


def _lookalike(raw: dict[str, Any], place: Place) -> Lookalike:
    grammar.check_keys(raw, ("what", "tell", "signature"), ("what", "tell"), place)
    what, tell = (grammar.text(raw[key], place.at(key)) for key in ("what", "tell"))
    return Lookalike(what, tell, grammar.text(raw.get("signature", ""), place.at("signature"), needed=False))
