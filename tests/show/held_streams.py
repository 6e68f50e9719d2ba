"""What live processes answered about their streams, and their cores; each build is asked once for all tests."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import pytest

from forensics.haproxy.state import State
from forensics.show.answer import Question
from forensics.show.asked import answer_of, open_state
from forensics.show.output import text_lines
from forensics.symbols.places import Places
from samples.lab.builds import runnable
from samples.lab.held import held

LAB = Path(__file__).resolve().parents[2] / ".lab"
BUILDS = ("haproxy-2.2", "haproxy-2.6", "haproxy-3.0", "package-3.0")
COMMANDS = ("show sess", "show sess all", "show fd", "show stat", "show servers conn")


@dataclass
class Taken:
    """Answers of a live process, and where its core and executable lie."""

    answers: dict[str, str]
    core: Path
    executable: Path

    @cached_property
    def state(self) -> State:
        """The dead process."""
        return open_state(str(self.core), Places(executable=str(self.executable)))

    def ask(self, what: str, *words: str, **options: int | bool) -> list[str]:
        """The lines that the core answers."""
        answer = answer_of(self.state, what, Question(words, **options))  # type: ignore[arg-type]  # by name
        return [line.rstrip("\n") for line in text_lines(answer)]  # type: ignore[arg-type]  # an Absence would fail here


@cache
def taken(build: str) -> Taken:
    """A process of this build that holds streams, and its core. Skips where it cannot be had."""
    subject = runnable(LAB, build)
    if not subject.executable.is_file() or not shutil.which("gdb"):
        pytest.skip(f"needs gdb and {build} of the lab (python -m samples.lab.builds {build})")
    folder = _folder()
    with held(subject, f"held-{build}", newer=build != "haproxy-2.2") as alive:
        core = alive.take(folder / f"{build}.core", COMMANDS)
        return Taken(alive.answers, core, subject.executable)


@cache
def _folder() -> Path:
    """Removed when the interpreter ends."""
    keeper = tempfile.TemporaryDirectory(prefix="held-")
    _KEPT.append(keeper)
    return Path(keeper.name)


_KEPT: list[tempfile.TemporaryDirectory[str]] = []
