"""Write the documents that the program knows best: ``docs/cli.md`` and ``docs/facts.md``.

``python tools/make_docs.py`` writes them; ``tests/test_docs.py`` fails when they are not up to date.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from forensics.cli.commands import COMMANDS
from forensics.evidence.catalogue import CATALOGUE

CHECKOUT = Path(__file__).resolve().parents[1]
DOCS = CHECKOUT / "docs"

def help_of(command: str) -> str:
    """What `--help` prints, for a terminal of 100 columns."""
    environment = os.environ | {"COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1"}
    words = [sys.executable, "-m", "forensics.cli.main", *command.split(), "--help"]
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=CHECKOUT, env=environment)
    return done.stdout.strip("\n")


def cli() -> str:
    """The commands with their help."""
    parts = [
        "# The command line\n",
        "Written by `tools/make_docs.py` from `--help`.\n",
        f"```text\n{help_of('')}\n```\n",
    ]
    parts += [f"## {command}\n\n```text\n{help_of(command)}\n```\n" for command in COMMANDS]
    return "\n".join(parts)


def facts() -> str:
    """The catalogue of facts, for those who write signatures."""
    rows = [f"| `{kind.name}` | {kind.type} | {kind.meaning} | {kind.supply} |" for kind in CATALOGUE]
    return "\n".join(
        (
            "# Facts",
            "",
            "What clauses of signatures may ask.",
            "Written by `tools/make_docs.py` from `forensics/evidence/catalogue.py`.",
            "",
            "| fact | type | meaning | what supplies it |",
            "|---|---|---|---|",
            *rows,
            "",
        )
    )


def documents() -> dict[Path, str]:
    """Path and content of every generated document."""
    return {DOCS / "cli.md": cli(), DOCS / "facts.md": facts()}


if __name__ == "__main__":
    DOCS.mkdir(exist_ok=True)
    for path, text in documents().items():
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(CHECKOUT))
