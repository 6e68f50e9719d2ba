"""Lines made to hurt: for any pattern, long repetitions of what it looks for itself."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator, Sequence
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from types import ModuleType
from typing import Any, NamedTuple

#: Pieces that one pattern is tried with; longer literals are cut.
_MOST_PIECES, _LONGEST = 24, 40


class Found(NamedTuple):
    """A compiled pattern and the ways in which its module uses it."""

    name: str
    pattern: re.Pattern[Any]
    uses: tuple[str, ...]


def patterns_of(*packages: str) -> list[Found]:
    """Every compiled pattern that lies in a module of these packages, however deep in tuples and mappings."""
    found: dict[int, Found] = {}
    for package in packages:
        root = importlib.import_module(package)
        names = [package, *(each.name for each in pkgutil.walk_packages(getattr(root, "__path__", []), f"{package}."))]
        for module in map(importlib.import_module, names):
            uses = _uses(module)
            for name, value in vars(module).items():
                for pattern in _within(value, 0):
                    found.setdefault(
                        id(pattern), Found(f"{module.__name__}.{name}", pattern, uses.get(name, ("search",)))
                    )
    return list(found.values())


def _within(value: object, depth: int) -> Iterator[re.Pattern[Any]]:
    if isinstance(value, re.Pattern):
        yield value
    elif depth < 4 and isinstance(value, tuple | list | set | frozenset):
        for each in value:
            yield from _within(each, depth + 1)
    elif depth < 4 and isinstance(value, dict):
        for each in value.values():
            yield from _within(each, depth + 1)


def _uses(module: ModuleType) -> dict[str, tuple[str, ...]]:
    """The methods that are called on names of a module, read from its source; a pattern that is passed on is searched."""
    called: dict[str, set[str]] = {}
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.Attribute):
            owner = node.value
            name = owner.id if isinstance(owner, ast.Name) else owner.attr if isinstance(owner, ast.Attribute) else ""
            if node.attr in ("match", "fullmatch", "search", "sub", "split", "findall", "finditer"):
                called.setdefault(name, set()).add(node.attr)
    return {name: tuple(sorted(methods)) for name, methods in called.items()}


def pieces_of(pattern: re.Pattern[Any]) -> list[str]:
    """What a pattern is made of: its literals, members of its classes, and its beginnings up to each of these."""
    literals = list(_literals(parser.parse(_text(pattern), pattern.flags & ~re.DEBUG)))
    beginnings = ["".join(literals[:end]) for end in range(2, min(len(literals), 10))]
    pieces = dict.fromkeys([*literals, *beginnings, "".join(literals), " ", "a", "0", "\\", '"'])
    return [piece[:_LONGEST] for piece in pieces if piece][:_MOST_PIECES]


def _text(pattern: re.Pattern[Any]) -> str:
    return pattern.pattern.decode("latin-1") if isinstance(pattern.pattern, bytes) else pattern.pattern


def _literals(tree: Sequence[Any]) -> Iterator[str]:
    """Runs of literals, and one character of each class, in order."""
    run = ""
    for code, value in tree:
        if code is codes.LITERAL:
            run += chr(value)
            continue
        if run:
            yield run
        run = ""
        yield from _parts(code, value)
    if run:
        yield run


def _parts(code: object, value: Any) -> Iterator[str]:
    if code is codes.BRANCH:
        for branch in value[1]:
            yield from _literals(branch)
    elif code in (codes.MAX_REPEAT, codes.MIN_REPEAT):
        yield from _literals(value[2])
    elif code is codes.SUBPATTERN:
        yield from _literals(value[3])
    elif code in (codes.ASSERT, codes.ASSERT_NOT):
        yield from _literals(value[1])
    elif code is codes.IN:
        yield _member(value)
    elif code in (codes.ANY, codes.NOT_LITERAL):
        yield "x"


def _member(items: Sequence[Any]) -> str:
    """A character that a class takes."""
    if items[0][0] is codes.NEGATE:
        taken = {value for code, value in items if code is codes.LITERAL}
        return next(each for each in "xyz0 #" if ord(each) not in taken)
    code, value = items[0]
    if code is codes.LITERAL:
        return chr(value)
    if code is codes.RANGE:
        return chr(value[0])
    return {codes.CATEGORY_DIGIT: "1", codes.CATEGORY_SPACE: " "}.get(value, "a")


def hostile(pattern: re.Pattern[Any], size: int) -> Iterator[str]:
    """Lines of ``size`` characters: each piece repeated, alone and below a beginning that a match may have."""
    pieces = pieces_of(pattern)
    whole = "".join(_literals(parser.parse(_text(pattern), pattern.flags & ~re.DEBUG)))[:200]
    for piece in pieces:
        repeated = piece * (size // len(piece))
        yield repeated
        yield whole + repeated
        yield repeated + "\x00"
