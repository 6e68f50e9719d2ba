"""`signatures list`."""

from __future__ import annotations

import argparse

from forensics.cli.arguments import Parser
from forensics.cli.options import add_signatures

DESCRIPTION = "List the known crashes, one a line: its name, its class, how well it is tested, what happens."


def configure(parser: Parser) -> None:
    """The arguments of the command."""
    add_signatures(parser)


def run(chosen: argparse.Namespace) -> int:
    """List them; the exit status."""
    from forensics.matching.knowledge import load_knowledge

    for one in load_knowledge(chosen.signatures):
        print(f"{one.id:<40} {one.kind:<13} {one.status:<10} {one.title}")
    return 0
