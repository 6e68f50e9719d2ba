"""Where the signatures lie."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from forensics.errors import SignatureError
from forensics.matching.knowledge import load_knowledge
from forensics.matching.load import load_signatures
from forensics.matching.locate import find_signatures


def test_an_installed_package_brings_its_own_signatures(tmp_path: Path) -> None:
    """A wheel holds them beside the code; a checkout beside the package. The first wins."""
    package = tmp_path / "forensics"
    (tmp_path / "signatures").mkdir()
    package.mkdir()
    assert find_signatures(package) == tmp_path / "signatures"
    (package / "signatures").mkdir()
    assert find_signatures(package) == package / "signatures"


def test_a_package_without_signatures_is_an_error(tmp_path: Path) -> None:
    """With the place where they were expected."""
    with pytest.raises(SignatureError) as caught:
        find_signatures(tmp_path / "forensics")
    assert str(tmp_path) in caught.value.hint


def test_the_users_own_signatures_come_on_top(tmp_path: Path) -> None:
    """Nothing shipped is lost."""
    shipped = find_signatures()
    (tmp_path / "own").mkdir()
    shutil.copy(shipped / "deliberate" / "debug-dev.toml", tmp_path / "own" / "mine.toml")
    known = load_knowledge(str(tmp_path))
    assert {each.id for each in known} == {each.id for each in load_signatures(shipped)} | {"own/mine"}


def test_an_id_cannot_stand_for_two_signatures(tmp_path: Path) -> None:
    """The user's file does not silently replace a shipped one."""
    (tmp_path / "deliberate").mkdir()
    shutil.copy(find_signatures() / "deliberate" / "debug-dev.toml", tmp_path / "deliberate")
    with pytest.raises(SignatureError, match="deliberate/debug-dev"):
        load_knowledge(str(tmp_path))
