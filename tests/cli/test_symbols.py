"""`symbols`: builds go into the store, out of it into packs, and what is damaged is said."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from samples import golden
from tests.cli.running import run

CC = shutil.which("cc")
PACKS = sorted(golden.SYMBOLS.glob("*.symbols"), key=lambda path: path.stat().st_size)[:2]


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """An executable with DWARF."""
    if CC is None:
        pytest.skip("no C compiler is installed (Debian: apt-get install gcc)")
    (tmp_path / "program.c").write_text("int main(void) { return 0; }\n")
    subprocess.run([CC, "-g", "-O2", "-o", "program", "program.c"], cwd=tmp_path, check=True)
    return tmp_path / "program"


def test_what_was_added_is_listed_packed_and_verified(
    program: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    added = run(capsys, "symbols", "add", str(program))
    assert added.status == 0, added.err
    build_id, path = added.out.split()
    assert path == str(program)
    listed = json.loads(run(capsys, "symbols", "list", "--format", "json").out)
    assert [(one["build_id"], one["path"], one["lines"]) for one in listed] == [(build_id, path, "dwarf")]
    assert build_id in run(capsys, "symbols", "list").out
    program.unlink()
    pack = tmp_path / "shared.symbols"
    assert run(capsys, "symbols", "pack", build_id[:8], "--output", str(pack)).status == 0
    assert build_id in run(capsys, "symbols", "list", str(pack)).out
    assert run(capsys, "symbols", "verify").out == f"{build_id}  good\n"
    assert run(capsys, "symbols", "verify", str(pack)).out == f"{build_id}  good\n"


def test_a_stripped_file_does_not_replace_an_entry_that_knows_more(
    program: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, "symbols", "add", str(program)).status == 0
    subprocess.run(["strip", str(program)], check=True)
    again = run(capsys, "symbols", "add", str(program))
    assert "kept before" in again.out
    assert json.loads(run(capsys, "symbols", "list", "--format", "json").out)[0]["lines"] == "dwarf"


def test_damage_is_found_by_verify(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    broken = tmp_path / "broken.symbols"
    data = bytearray(PACKS[0].read_bytes())
    data[len(data) // 2] ^= 1
    broken.write_bytes(data)
    ran = run(capsys, "symbols", "verify", str(PACKS[1]), str(broken))
    assert ran.status == 1
    assert f"{PACKS[1].stem}  good\n" in ran.out
    assert "damaged: " in ran.out


def test_packing_the_whole_store_joins_its_entries(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    store = Path(os.environ["HAPROXY_FORENSICS_SYMBOLS"])
    store.mkdir(parents=True)
    for pack in PACKS:
        shutil.copy(pack, store)
    pack = tmp_path / "all.symbols"
    assert run(capsys, "symbols", "pack", "-o", str(pack)).status == 0
    assert pack.read_bytes() == b"".join(path.read_bytes() for path in sorted(PACKS))


def test_what_cannot_be_packed_is_said_with_what_to_type(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    nothing = run(capsys, "symbols", "pack", "-o", str(tmp_path / "x"))
    assert nothing.status == 1
    assert "symbols add" in nothing.err
    unknown = run(capsys, "symbols", "pack", "abcdef0123", "-o", str(tmp_path / "x"))
    assert unknown.status == 1
    assert "symbols list" in unknown.err
    text = tmp_path / "text"
    text.write_text("no ELF file\n")
    assert run(capsys, "symbols", "add", str(text)).status == 1
    assert not (tmp_path / "x").exists()
