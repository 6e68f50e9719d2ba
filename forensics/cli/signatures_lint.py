"""`signatures lint`."""

from __future__ import annotations

import argparse

from forensics.cli.arguments import Parser

DESCRIPTION = "Check signatures and their cases: every clause must earn its place. Exit status 1 with complaints."


def configure(parser: Parser) -> None:
    """The arguments of the command."""
    parser.add_argument(
        "directory", metavar="DIR", nargs="?", default="", help="Signatures to check; ours if not given."
    )


def run(chosen: argparse.Namespace) -> int:
    """Check them; the exit status."""
    from pathlib import Path

    from forensics.api import crash_of_text
    from forensics.matching.lint import lint_directory
    from forensics.matching.locate import find_signatures

    place = Path(chosen.directory) if chosen.directory else find_signatures()
    complaints = list(lint_directory(place, {"log": crash_of_text}))
    for complaint in complaints:
        print(f"{complaint.signature}: {complaint.problem}" + (f"\n  hint: {complaint.hint}" if complaint.hint else ""))
    if complaints:
        return 1
    print(f"{place}: no complaints")
    return 0
