"""`backtrace`: the stacks of all threads."""

from __future__ import annotations

import argparse

from forensics.cli.arguments import Parser
from forensics.cli.options import add_format, add_output, add_places, places_of
from forensics.cli.output import write

DESCRIPTION = """\
Show the stacks of all threads of a core; equal ones once, the crashed one first.

haproxy-forensics backtrace core
haproxy-forensics backtrace core --format gdb > bt.txt"""


def configure(parser: Parser) -> None:
    """The arguments of the command."""
    parser.add_argument("core", metavar="CORE", help="The core, compressed or not.")
    add_format(parser, ("text", "json", "gdb"), "`gdb` is what HAProxy's maintainers ask for.")
    add_output(parser)
    parser.add_argument("--all", action="store_true", help="Every thread on its own, equal stacks too.")
    add_places(parser)


def run(chosen: argparse.Namespace) -> int:
    """Show them; the exit status."""
    from forensics.api import Options, open_core
    from forensics.report.backtrace import render

    process, stacks = open_core(chosen.core, Options(places_of(chosen)))
    process.save()
    write(render(stacks, process.core, chosen.format, chosen.all), chosen.output)
    return 0
