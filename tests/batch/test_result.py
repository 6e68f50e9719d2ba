"""Results and work as plain data."""

from __future__ import annotations

import json
import pickle

from forensics.api import Options
from forensics.batch.result import ScanResult, options_from_json, options_to_json
from forensics.symbols.find import Places


def test_options_survive_the_way_through_json() -> None:
    options = Options(Places("exe", ("a", "b"), "root", ("packs",)), "signatures", scrub=False)
    assert options_from_json(json.loads(json.dumps(options_to_json(options)))) == options


def test_a_result_survives_pickling() -> None:
    result = ScanResult("core", "analysed", {"crash": {"kind": "bug_on"}}, seconds=1.5)
    assert pickle.loads(pickle.dumps(result)) == result


def test_a_line_of_json_has_its_members_in_a_fixed_order() -> None:
    line = ScanResult("core", "failed", None, "empty", "look", 0.12345).to_json_line()
    expected = '{"path":"core","status":"failed","seconds":0.123,"error":"empty","hint":"look","report":null}\n'
    assert line == expected


def test_a_line_of_json_is_one_line_of_harmless_ascii() -> None:
    path = "a\n\x1b[31m\x7f\x9b\u202e\udcff"
    line = ScanResult(path, "failed", None, path).to_json_line()
    assert line.count("\n") == 1
    assert all(" " <= each <= "~" for each in line[:-1])
    assert json.loads(line)["path"] == path.replace("\udcff", "\\udcff")
