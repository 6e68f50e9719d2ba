"""The batch over real crashes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from forensics.api import Options, triage
from forensics.batch.digest import digest
from forensics.batch.groups import Groups
from forensics.batch.result import ScanResult
from forensics.batch.scan import Tally, scan
from forensics.errors import ForensicsError
from forensics.report.render_json import to_json_dict
from forensics.symbols.find import Places

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
OPTIONS = Options(Places(packs=(str(SAMPLES / "symbols"),)))


@pytest.fixture(scope="module")
def tally() -> Tally:
    return Tally()


@pytest.fixture(scope="module")
def results(tally: Tally) -> dict[str, ScanResult]:
    paths = [
        str(SAMPLES / name) for name in ("requeue-race-2.9.6", "requeue-fixed-3.0.11", "healthy-2.6.12", "foreign")
    ]
    return {result.path.removeprefix(f"{SAMPLES}/"): result for result in scan(paths, OPTIONS, 2, tally=tally)}


def test_the_report_is_that_of_a_triage_of_the_input_alone(results: dict[str, ScanResult]) -> None:
    path = SAMPLES / "requeue-race-2.9.6" / "core.zst"
    assert results["requeue-race-2.9.6/core.zst"].report == json.loads(
        json.dumps(to_json_dict(triage([str(path)], OPTIONS)))
    )


def test_a_core_of_another_program_fails_alone(results: dict[str, ScanResult]) -> None:
    failed = [path for path, result in results.items() if not result.analysed]
    assert failed == ["foreign/core.zst"]
    assert "not of HAProxy" in results["foreign/core.zst"].error
    assert results["foreign/core.zst"].hint


def test_the_tally_is_complete_in_the_end(results: dict[str, ScanResult], tally: Tally) -> None:
    assert tally.total == len(results)
    assert tally.ignored.count["a configuration"] == 3


def test_a_healthy_process_is_in_no_group(results: dict[str, ScanResult]) -> None:
    assert digest(results["healthy-2.6.12/core.zst"]).verdict == "no crash"


def test_equal_crashes_are_one_group(results: dict[str, ScanResult]) -> None:
    groups = Groups()
    logs = [results[f"{name}/worker.log"] for name in ("requeue-race-2.9.6", "requeue-fixed-3.0.11")]
    for result in logs:
        groups.add(digest(result))
    (group,) = groups.biggest_first()
    assert group.count == 2
    assert group.best.what == "stick-table/requeue-expiry-race"


def test_signatures_that_break_the_rules_end_the_scan_at_once(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("title = 1")
    with pytest.raises(ForensicsError, match=r"bad\.toml"):
        list(
            scan(
                [str(SAMPLES / "foreign" / "core.zst"), str(SAMPLES / "panic-3.4.7")], Options(signatures=str(tmp_path))
            )
        )
