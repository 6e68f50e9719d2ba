"""The cases beside a signature."""

from __future__ import annotations

from pathlib import Path

import pytest

from forensics.errors import SignatureError
from forensics.matching.cases import crash_of, read_cases, run_case
from tests.matching.crashes import crash, signature

FACTS = 'name = "It booms"\nexpect = "probable"\nfacts = {"process.version" = "2.9.3", stack = ["boom", "main"]}\n'


def cases(folder: Path, *bodies: str) -> Path:
    """A directory with the cases of the signature ``boom``."""
    text = "".join(f"[[case]]\n{body}" for body in bodies)
    (folder / "boom.cases.toml").write_text(text, encoding="utf-8")
    return folder


def test_a_case_of_facts_runs_by_itself(tmp_path: Path) -> None:
    """No reader is needed."""
    (case,) = read_cases(cases(tmp_path, FACTS), "boom")
    verdict = run_case(signature(), case, {})
    assert verdict is not None
    assert (verdict.outcome, case.expect) == ("probable", "probable")


def test_a_list_of_facts_is_a_list_of_witnesses(tmp_path: Path) -> None:
    """The most trusted first."""
    body = 'name = "Two"\nexpect = "none"\n[[case.facts]]\nstack = ["?"]\n[[case.facts]]\nstack = ["boom"]\n'
    (case,) = read_cases(cases(tmp_path, body), "boom")
    assert case.crash is not None
    assert [fact.value for fact in case.crash.all("stack")] == [("?",), ("boom",)]


@pytest.mark.parametrize("kind", ["log", "sample"])
def test_a_log_or_a_sample_needs_a_reader(tmp_path: Path, kind: str) -> None:
    """Reading logs and cores is the business of other floors."""
    given = "  | 0x1 [00]: boom\n  indented"
    (case,) = read_cases(cases(tmp_path, f"name = 'x'\nexpect = 'none'\n{kind} = '''{given}'''\n"), "boom")
    assert crash_of(case, {}) is None
    assert run_case(signature(), case, {}) is None
    seen: list[str] = []
    assert crash_of(case, {kind: lambda text: seen.append(text) or crash({})}) == crash({})  # type: ignore[func-returns-value]
    assert seen == [given]


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("expect = 'none'\nfacts = {}\n", "case[0].name"),
        ("name = 'x'\nexpect = 'perhaps'\nfacts = {}\n", "case[0].expect"),
        ("name = 'x'\nexpect = 'none'\n", "case[0]"),
        ("name = 'x'\nexpect = 'none'\nfacts = {}\nlog = 'y'\n", "case[0]"),
        ("name = 'x'\nexpect = 'none'\nfacts = {'crash.mood' = 'bad'}\n", "case[0].facts.crash.mood"),
        ("name = 'x'\nexpect = 'none'\nfacts = {'crash.kind' = 3}\n", "case[0].facts.crash.kind"),
        ("name = 'x'\nexpect = 'none'\nfacts = {stack = 'boom'}\n", "case[0].facts.stack"),
        ("name = 'x'\nexpect = 'none'\nfacts = 1\n", "case[0].facts"),
        ("name = 'x'\nexpect = 'none'\nlog = 1\n", "case[0].log"),
        ("name = 'x'\nexpect = 'none'\nfacts = {}\nsurprise = 1\n", "case[0].surprise"),
    ],
)
def test_a_case_that_is_not_understood_is_an_error(tmp_path: Path, body: str, names: str) -> None:
    """With file and key."""
    with pytest.raises(SignatureError) as caught:
        read_cases(cases(tmp_path, body), "boom")
    assert "`boom.cases.toml`" in caught.value.message
    assert f"`{names}`" in caught.value.message
