"""`show`: questions that can be answered, and those that cannot."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from forensics.show.whats import WHATS
from samples import golden
from tests.cli.running import run

CORE = str(golden.SAMPLES / "requeue-race-2.9.6/core.zst")
FOREIGN = str(golden.SAMPLES / "foreign/core.zst")
PACKS = ("--symbols", str(golden.SYMBOLS))


def test_an_answer_is_lines_of_text_or_one_document(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    shown = run(capsys, "show", "libs", CORE, *PACKS)
    assert shown.status == 0, shown.err
    assert "haproxy-requeue-race-2.9.6" in shown.out
    document = json.loads(run(capsys, "show", "libs", CORE, *PACKS, "--format", "json").out)
    assert set(document) == {"data", "gaps"}
    assert len(document["data"]) > 3
    written = run(capsys, "show", "libs", CORE, *PACKS, "--output", str(tmp_path / "libs.txt"))
    assert (written.status, written.out) == (0, "")
    assert (tmp_path / "libs.txt").read_text() == shown.out


def test_the_help_tells_what_can_be_asked(capsys: pytest.CaptureFixture[str]) -> None:
    shown = run(capsys, "show", "--help")
    assert shown.status == 0
    words = " ".join(shown.out.split())
    for name, what in WHATS.items():
        assert f"{name} {what.words}".strip() in words
        assert what.about in words


@pytest.mark.parametrize("what", WHATS)
def test_every_command_answers_or_says_why_not(what: str, capsys: pytest.CaptureFixture[str]) -> None:
    """On a real core with its symbols, and on the same core without any."""
    words = ("0x10",) if what == "address" else ()
    for places in (PACKS, ()):
        for form in ("text", "json"):
            shown = run(capsys, "show", what, *words, CORE, *places, "--format", form)
            assert shown.status in (0, 1), shown.err
            assert shown.out or (shown.status == 1 and shown.err.startswith("error: "))
            assert "Traceback" not in shown.err


def test_wrong_questions_say_what_can_be_asked(capsys: pytest.CaptureFixture[str]) -> None:
    unknown = run(capsys, "show", "nothing", CORE)
    assert (unknown.status, unknown.out) == (2, "")
    assert "libs" in unknown.err
    assert run(capsys, "show", "libs").status == 2
    extra = run(capsys, "show", "libs", "word", CORE)
    assert extra.status == 2
    assert "--exe" in extra.err


def test_a_core_of_another_program_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    shown = run(capsys, "show", "libs", FOREIGN)
    assert (shown.status, shown.out) == (1, "")
    assert "not of HAProxy" in shown.err
    missing = run(capsys, "show", "libs", "/nonexistent/core")
    assert missing.status == 1
    assert "hint:" in missing.err
