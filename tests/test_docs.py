"""The documents tell the truth: their commands exist, those on samples run, their links lead somewhere."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tools import make_docs

CHECKOUT = Path(__file__).resolve().parents[1]
COMMAND = "haproxy-forensics"
REPORT_MARK = "WHAT TO DO NOW"
DOCUMENTS = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "samples/README.md",
    "docs/cli.md",
    "docs/logs.md",
    "docs/state.md",
    "docs/symbols.md",
]

#: A path of the checkout in backticks; with placeholders (`<name>`, `NAME`, `*`, `...`) it is none.
_PATH = re.compile(r"`((?:forensics|tests|samples|signatures|requirements|benchmarks|tools)/[\w./-]*)`")
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
_FENCE = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Documented:
    """One command line of a document."""

    document: str
    line: str

    @property
    def words(self) -> list[str]:
        """The command's words, without variables before it, redirections and what follows a pipe."""
        words = shlex.split(self.line, comments=True)
        first = next(number for number, word in enumerate(words) if word in {COMMAND, "make"})
        stops = (number for number, word in enumerate(words) if number > first and word in {"|", ">", "&&", ";"})
        return words[first : next(stops, None)]

    @property
    def runs(self) -> bool:
        """Whether it is quick and leaves nothing behind: it reads samples only, and writes to stdout."""
        return "samples/" in self.line and ">" not in self.line and not {"--output", "-o"} & set(self.words)


def read(document: str) -> str:
    path = CHECKOUT / document
    return path.read_text(encoding="utf-8") if path.exists() else ""


def blocks(document: str) -> list[str]:
    """The fenced blocks of a document, long lines joined."""
    return [block.replace("\\\n", " ") for block in _FENCE.findall(read(document))]


def documented(command: str) -> list[Documented]:
    """Every line of a fenced block that has the command."""
    begin = re.compile(rf"^(?:\$ )?((?:.*\| *)?{command} .*)$", re.MULTILINE)
    return [
        Documented(document, line.strip())
        for document in DOCUMENTS
        for block in blocks(document)
        for line in begin.findall(block)
        if REPORT_MARK not in block or line == block.splitlines()[0].removeprefix("$ ")
    ]


OURS = documented(COMMAND)
MAKES = documented("make")
TARGETS = set(re.findall(r"^([a-z]+):", read("Makefile"), re.MULTILINE))


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An environment in which the command is found, installed or not."""
    shim = tmp_path / "bin" / COMMAND
    shim.parent.mkdir()
    program = "from forensics.cli.main import main; main()"
    shim.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -c "{program}" "$@"\n', encoding="utf-8")
    shim.chmod(0o755)
    path = f"{shim.parent}:{os.environ.get('PATH', '')}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(CHECKOUT), "NO_COLOR": "1"}


def run(line: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        cwd=CHECKOUT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_leads_to_a_file(document: str) -> None:
    home = (CHECKOUT / document).parent
    assert [link for link in _LINK.findall(read(document)) if "://" not in link and not (home / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_path_in_backticks_exists(document: str) -> None:
    home = (CHECKOUT / document).parent
    paths = _PATH.findall(read(document))
    assert [path for path in paths if not (CHECKOUT / path).exists() and not (home / path).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_make_command_has_a_target(document: str) -> None:
    named = re.findall(r"`make ([a-z]+)[^`]*`", read(document)) + [
        each.words[1] for each in MAKES if each.document == document
    ]
    assert set(named) - TARGETS == set()


def test_the_readme_shows_the_two_commands() -> None:
    lines = [each.line for each in MAKES if each.document == "README.md"]
    assert {"make demo", "make test"} <= {" ".join(line.split()[:2]) for line in lines}


@pytest.mark.parametrize("each", OURS, ids=lambda each: each.line)
def test_every_command_and_option_exists(each: Documented, environment: dict[str, str]) -> None:
    words = each.words[1:]
    commands = [word for word in words[:2] if re.fullmatch(r"[a-z]+", word)]
    help_text = ""
    for count in range(len(commands), -1, -1):  # the second word may be an argument
        done = run(shlex.join([COMMAND, *commands[:count], "--help"]), environment)
        if done.returncode == 0:
            help_text = done.stdout
            break
    assert not commands or count, f"no command `{commands[0]}`"
    options = {word.partition("=")[0] for word in words if word.startswith("--")}
    assert {option for option in options if option not in help_text and option != "--help"} == set()


@pytest.mark.parametrize("each", [each for each in OURS if each.runs], ids=lambda each: each.line)
def test_every_command_on_samples_works(each: Documented, environment: dict[str, str]) -> None:
    needed = {word for word in shlex.split(each.line) if word in {"zstd", "jq"}}
    if missing := {name for name in needed if shutil.which(name) is None}:
        pytest.skip(f"not installed: {missing}")
    done = run(each.line, environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_the_demo_triages_a_core(environment: dict[str, str]) -> None:
    assert REPORT_MARK in demo(environment)


def test_the_report_in_the_readme_is_that_of_the_demo(environment: dict[str, str]) -> None:
    """Line by line and in order; lines may be left out."""
    shown = [block for block in blocks("README.md") if REPORT_MARK in block]
    assert len(shown) == 1
    there = iter(line.strip() for line in demo(environment).splitlines())
    lines = [line.strip() for line in shown[0].splitlines() if line.strip() not in {"", "...", "…"}]
    assert [line for line in lines if not line.startswith("$ ") and line not in there] == []


def demo(environment: dict[str, str]) -> str:
    """What `make demo` prints: its command is taken from the Makefile."""
    makefile = read("Makefile")
    sample = re.findall(r"^SAMPLE := (\S+)", makefile, re.MULTILINE)[0]
    line = re.findall(rf"^\t\S*({COMMAND} triage .*)$", makefile, re.MULTILINE)[0].replace("$(SAMPLE)", sample)
    done = run(line, environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_generated_documents_are_up_to_date() -> None:
    for path, text in make_docs.documents().items():
        assert path.read_text(encoding="utf-8") == text, "python tools/make_docs.py"
