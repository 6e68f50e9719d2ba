"""The script that makes the catalogue, on a source of three rows."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

from forensics.history.assertions import condition_hashes

SCRIPT = Path(__file__).parents[2] / "tools" / "make_assertions.py"

SOURCE: dict[str, Any] = {
    "schema": 1,
    "tags": ["v2.9-dev0", "v2.9.0", "v2.9.1", "v3.0-dev0"],
    "branches": {"2.9": [0, 2], "3.0": [3, 3]},
    "rows": [
        {"f": "src/b.c", "fn": "two", "k": "BUG_ON", "h": "", "p": "x > 8", "off": 1, "at": {"7+2": [3, 3], "5": [0, 0, 2, 2, 3, 3]}},
        {"f": "src/a.c", "fn": "one", "k": "ABORT_NOW", "h": "", "p": None, "at": {"3": [1, 2]}},
        {"f": "src/a.c", "fn": "one", "k": "BUG_ON", "h": "", "b": 1, "p": [["y", [0, 1]], ["z", [2, 2]]], "at": {"4": [0, 2]}},
        {"f": "src/a.c", "fn": "one", "k": "COUNT_IF", "h": "", "p": "never printed", "at": {"9": [1, 2]}},
        {"f": "src/a.c", "fn": "#MACRO", "k": "BUG_ON", "h": "", "p": "m", "at": {"2": [1, 2]}},
    ],
}  # fmt: skip


def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    source = tmp_path / "source.json"
    source.write_text(json.dumps(SOURCE))
    script = runpy.run_path(str(SCRIPT))
    monkeypatch.setitem(script["main"].__globals__, "DATA", tmp_path)
    assert script["main"]([str(source)]) == 0
    return [json.loads(line) for line in (tmp_path / "assertions.txt").read_text("ascii").splitlines()]


def test_the_first_line_says_where_it_comes_from_and_has_the_releases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head, *_ = made(tmp_path, monkeypatch)
    assert head.pop("source").startswith("BUG_ON")
    assert head == {
        "schema": 1,
        "until": "3.0-dev0",
        "ended": ["2.9"],
        "branches": {"2.9": ["2.9-dev0", "2.9.0", "2.9.1"], "3.0": ["3.0-dev0"]},
    }


def test_what_is_never_printed_with_its_own_line_is_left_out_and_the_rest_is_sorted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, *rows = made(tmp_path, monkeypatch)
    assert rows == [
        ["src/a.c", "one", "ABORT_NOW", "", [], " 3:1-2"],
        ["src/a.c", "one", "BUG_ON", "b", [[*condition_hashes("y"), "0-1"], [*condition_hashes("z"), "2"]], " 4:0-2"],
        ["src/b.c", "two", "BUG_ON", "o", [[*condition_hashes("x>8")]], " 5:0,2-3 7+2:3"],
    ]


def test_masked_hashes_are_those_of_another_integer() -> None:
    assert condition_hashes("x > 8")[0] != condition_hashes("x > 16")[0]
    assert condition_hashes("x > 8")[1] == condition_hashes("x > 0x10UL")[1]
    assert condition_hashes("x8 > 1")[1] != condition_hashes("x9 > 1")[1]


def test_without_a_path_the_script_says_how_to_call_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert runpy.run_path(str(SCRIPT))["main"]([]) == 2
    assert "make_assertions.py SOURCE.json" in capsys.readouterr().err
