"""Layouts kept for releases: which are offered for a build, and that they are those of the builds they name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from forensics.absence import Absence
from forensics.elf.constants import EM_AARCH64, EM_RISCV, EM_X86_64, MACHINES
from forensics.symbols.kept import DECIDING, KeptLayouts, features_in, kept_for
from forensics.symbols.layout import OF_THIS_RELEASE, Layout
from samples.lab import layouts as lab

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "forensics/layouts"
FILES = sorted(path for path in FOLDER.glob("*.json") if path.name != "index.json")
PACKAGED = frozenset({"LUA", "OPENSSL", "QUIC", "THREAD"})


def offered(version: str, features: frozenset[str] | None = PACKAGED, machine: int = EM_X86_64) -> list[str]:
    found = kept_for(version, machine, features)
    return [] if isinstance(found, Absence) else [describe(kept) for kept in found]


def describe(kept: KeptLayouts) -> str:
    exact, same = "exact" if kept.exact else "near", "same" if kept.same_options else "other"
    return f"{kept.release} {exact} {same} options"


def test_the_release_itself_comes_first_with_the_options_that_differ_least() -> None:
    assert offered("3.0.11-1+deb13u4") == ["3.0.11 exact same options", "3.0.11 exact other options"]
    assert offered("3.0.11", frozenset({"THREAD"})) == ["3.0.11 exact same options", "3.0.11 exact other options"]
    assert offered("3.0.11", None) == ["3.0.11 exact other options"] * 2


def test_neighbours_of_the_branch_are_offered_as_such() -> None:
    assert offered("2.6.30", frozenset({"LUA", "OPENSSL", "THREAD"}))[0] == "2.6.12 near same options"


@pytest.mark.parametrize("version", ["2.8.25", "3.0-dev7", "3.5-dev5", "1.9.0", "nonsense"])
def test_other_branches_and_snapshots_are_offered_nothing(version: str) -> None:
    found = kept_for(version, EM_X86_64, PACKAGED)
    assert isinstance(found, Absence)
    assert found.reason


def test_other_processors_are_offered_what_was_seen_on_them() -> None:
    assert offered("3.0.11", machine=EM_AARCH64)[0] == "3.0.11 exact same options"
    assert offered("3.4.7", machine=EM_AARCH64) == []
    assert offered("3.0.11", machine=EM_RISCV) == []


def test_features_are_read_as_haproxy_lists_them() -> None:
    assert features_in("-51DEGREES +LUA -QUIC +OPENSSL +THREAD +THREAD_DUMP") == {"LUA", "OPENSSL", "THREAD"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_file_is_whole_and_listed(path: Path) -> None:
    plain = json.loads(path.read_text())
    row = {"file": path.name} | {key: plain[key] for key in ("release", "machines", "features")}
    assert row in json.loads((FOLDER / "index.json").read_text())["files"]
    assert set(plain["machines"]) <= set(MACHINES.values())
    assert set(plain["features"]) <= set(DECIDING)
    assert plain["origin"]
    for name, fields in plain["structs"].items():
        layout = Layout.from_plain(name, fields, "", OF_THIS_RELEASE)
        assert all(each.offset + each.size * each.count <= layout.size for each in layout.fields.values()), name
    assert path.stat().st_size < 100_000


def test_the_index_lists_no_file_that_is_not_there() -> None:
    listed = [row["file"] for row in json.loads((FOLDER / "index.json").read_text())["files"]]
    assert sorted(listed) == [path.name for path in FILES]


@pytest.mark.parametrize("names", lab.PLAIN, ids=lambda names: names[0])
def test_what_is_kept_is_what_the_builds_declare(names: tuple[str, ...]) -> None:
    """Of both processors where there are two. If it fails: ``python -m samples.lab.layouts``."""
    paths = [ROOT / ".lab/builds" / name / "haproxy" for name in names]
    if not all(path.exists() for path in paths):
        pytest.skip("the lab has no such build: python -m samples.lab.builds")
    release = lab.release_of(paths[0].parent / "src")
    kept = json.loads((FOLDER / f"{release}.json").read_text())
    for path in paths:
        assert lab.declared(path) == {key: kept[key] for key in ("structs", "enums")}
        assert lab.features_of(path) == kept["features"]
        assert lab.machine_of(path) in kept["machines"]
