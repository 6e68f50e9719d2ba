"""Signature files are read strictly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from forensics.errors import SignatureError
from forensics.matching.load import load_signatures, parse_signature
from forensics.matching.locate import find_signatures
from tests.matching.crashes import FILE


def changed(**changes: Any) -> dict[str, Any]:
    """The file of tests with some keys changed, or left out where the value is None."""
    return {key: value for key, value in {**FILE, **changes}.items() if value is not None}


def clause(**keys: Any) -> dict[str, Any]:
    """The file of tests with one clause."""
    return changed(match={"all": [keys]})


def test_the_id_is_the_path_without_the_suffix(tmp_path: Path) -> None:
    """Cases beside it are no signatures."""
    folder = tmp_path / "family"
    folder.mkdir()
    shipped = find_signatures() / "stick-table" / "requeue-expiry-race.toml"
    (folder / "name.toml").write_text(shipped.read_text(encoding="utf-8"), encoding="utf-8")
    (folder / "name.cases.toml").write_text("", encoding="utf-8")
    assert [each.id for each in load_signatures(tmp_path)] == ["family/name"]


def test_the_lines_of_a_text_are_joined_and_its_paragraphs_kept() -> None:
    """How a file is wrapped is nobody's business but its author's."""
    assert parse_signature("a/b", changed(remedy="\none\ntwo\n\nthree\n")).remedy == "one two\n\nthree"


@pytest.mark.parametrize(
    ("raw", "names"),
    [
        (changed(surprise=1), "surprise"),
        (changed(remedy=None), "remedy"),
        (changed(remedy="  "), "remedy"),
        (changed(title=3), "title"),
        ({**FILE, "class": "accident"}, "class"),
        (changed(status="final"), "status"),
        (changed(references="one"), "references"),
        (changed(affects=["2.9.6..2.9.0"]), "affects"),
        (changed(fixed_in=["soon"]), "fixed_in"),
        (changed(lookalikes=[]), "lookalikes"),
        (changed(lookalikes=[{"what": "x"}]), "lookalikes[0].tell"),
        (changed(match=[]), "match"),
        (changed(match={}), "match"),
        (changed(match={"some": []}), "match.some"),
        (changed(exclude=[{"fact": "peers.in_use", "is": False}]), "exclude[0].because"),
        (clause(fact="crash.mood", **{"is": "bad"}), "match.all[0].fact"),
        (clause(fact="crash.kind"), "match.all[0]"),
        (clause(fact="crash.kind", contains="x", **{"is": "x"}), "match.all[0]"),
        (clause(fact="crash.kind", frames=["x"]), "match.all[0]"),
        (clause(fact="crash.kind", within=["2.9.0"]), "match.all[0]"),
        (clause(fact="stack", **{"is": "x"}), "match.all[0]"),
        (clause(fact="peers.in_use", **{"is": 1}), "match.all[0].is"),
        (clause(fact="process.threads", at_least=True), "match.all[0].at_least"),
        (clause(fact="crash.kind", **{"in": "bug_on"}), "match.all[0].in"),
        (clause(fact="crash.kind", matches="("), "match.all[0].matches"),
        (clause(fact="crash.kind", matches="x" * 301), "match.all[0].matches"),
        (clause(fact="process.version", within=["2.9"]), "match.all[0].within"),
        (clause(fact="stack", frames=["..."]), "match.all[0].frames"),
        (clause(fact="stack", frames=["a", "...", "..."]), "match.all[0].frames[2]"),
        (clause(fact="stack", frames=["a b"]), "match.all[0].frames[0]"),
        (clause(fact="stack", frames=["[a|b"]), "match.all[0].frames[0]"),
        (clause(fact="stack", frames=["a||b"]), "match.all[0].frames[0]"),
    ],
)
def test_what_is_not_understood_is_an_error_that_names_file_and_key(raw: dict[str, Any], names: str) -> None:
    """A typing error must not make a clause that is never true."""
    with pytest.raises(SignatureError) as caught:
        parse_signature("family/name", raw)
    assert "`family/name.toml`" in caught.value.message
    assert f"`{names}`" in caught.value.message


def test_an_error_says_what_is_allowed() -> None:
    """The next thing to type."""
    with pytest.raises(SignatureError) as caught:
        parse_signature("family/name", clause(fact="stack", **{"is": "x"}))
    assert "frames" in caught.value.hint


@pytest.mark.parametrize("content", [b"title = ", b"\xff\xfe", b"[match]\nall = 1\n[match]"])
def test_a_file_that_is_no_toml_is_the_projects_own_error(tmp_path: Path, content: bytes) -> None:
    """Whatever an editor left behind."""
    (tmp_path / "broken.toml").write_bytes(content)
    with pytest.raises(SignatureError, match=r"broken\.toml"):
        load_signatures(tmp_path)


def test_a_directory_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """An empty answer would look like a healthy process."""
    with pytest.raises(SignatureError):
        load_signatures(tmp_path / "nowhere")
