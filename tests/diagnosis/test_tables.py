"""The script that makes the tables, on a source of one fix."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "tools" / "make_fix_index.py"

SOURCE = {
    "stable_branches": {"2.9": [["v2.9.0", "2023-12-05"]]},
    "dev_branches": {"3.0": [["v3.0-dev7", "2024-04-06"]]},
    "fixes": [
        {
            "commit": "5fc1afb341be",
            "date": "2024-04-02",
            "severity": "MEDIUM",
            "area": None,
            "first_tag": "v3.0-dev7",
            "stable_first_tags": {"2.9": "v2.9.7"},
            "introduced_by": [{"commit": "a", "first_tag": "v2.9-dev3"}, {"commit": "b", "first_tag": None}],
            "files": ["src/stick_table.c"],
            "functions": ["stktable_requeue_exp"],
            "trace_frames": ["a", "??", "a"],
            "issues": [],
            "bug_conditions": [{"printed": "x == 0", "file": "src/task.c", "line": 1}],
            "keywords": ["race"],
        }
    ],
}


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """Both tables, made from the source above."""
    source = tmp_path / "source.json"
    source.write_text(json.dumps(SOURCE))
    script = runpy.run_path(str(SCRIPT))
    monkeypatch.setitem(script["main"].__globals__, "DATA", tmp_path)
    assert script["main"]([str(source)]) == 0
    return json.loads((tmp_path / "releases.json").read_text()), json.loads((tmp_path / "fixes.json").read_text())


def test_tags_become_versions_and_the_table_knows_its_age(tables: tuple[Any, Any]) -> None:
    """The age is the newest date of all."""
    assert tables[0] == {
        "known_until": "2024-04-06",
        "stable": {"2.9": [["2.9.0", "2023-12-05"]]},
        "development": {"3.0": [["3.0-dev7", "2024-04-06"]]},
    }


def test_a_fix_keeps_its_facts_and_nothing_empty(tables: tuple[Any, Any]) -> None:
    """The file is in the package, so every byte counts."""
    assert tables[1] == [
        {
            "commit": "5fc1afb341be",
            "date": "2024-04-02",
            "severity": "MEDIUM",
            "first": "3.0-dev7",
            "stable": {"2.9": "2.9.7"},
            "introduced": ["2.9-dev3"],
            "files": ["src/stick_table.c"],
            "functions": ["stktable_requeue_exp"],
            "frames": ["a"],
            "conditions": [["x == 0", "src/task.c"]],
        }
    ]


def test_without_a_path_the_script_says_how_to_call_it(capsys: pytest.CaptureFixture[str]) -> None:
    """It has one argument and no default."""
    assert runpy.run_path(str(SCRIPT))["main"]([]) == 2
    assert "make_fix_index.py SOURCE.json" in capsys.readouterr().err
