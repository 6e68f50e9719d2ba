"""`backtrace`: the stacks of all threads."""

from __future__ import annotations

import argparse

from forensics.cli.arguments import Parser, number
from forensics.cli.options import add_format, add_output, add_places, places_of
from forensics.cli.output import write

DESCRIPTION = """\
Show the stacks of all threads of a core; equal ones once, the most telling first.

The crashed thread comes first, then those that the watchdog stopped, that wait for a lock or
are busy; idle ones last. `>` marks the culprit: the innermost function that is not part of
dying itself.

A core holds secrets. Numbers and pointers of --locals are shown, strings and arrays of bytes
by their length only, unless --no-scrub is given.

haproxy-forensics backtrace core
haproxy-forensics backtrace core --locals --debug-dir /usr/lib/debug
haproxy-forensics backtrace core --thread 3 --registers
haproxy-forensics backtrace core --format gdb > bt.txt"""


def configure(parser: Parser) -> None:
    """The arguments of the command."""
    parser.add_argument("core", metavar="CORE", help="The core, compressed or not.")
    add_format(
        parser, ("text", "json", "gdb"), "`gdb` is gdb's `t a a bt full`, what HAProxy's maintainers ask for."
    )
    add_output(parser)
    parser.add_argument("--all", action="store_true", help="Every thread on its own, equal stacks too.")
    parser.add_argument(
        "--thread", metavar="N", type=number(int, 1), default=0, help="Only this one: HAProxy's number, or an LWP."
    )
    parser.add_argument(
        "--locals", action="store_true",
        help="Arguments and locals of the crashed thread, or of --thread; needs DWARF. Implies --registers.",
    )  # fmt: skip
    parser.add_argument(
        "--registers", action="store_true",
        help="Registers of that thread, and the instruction it died at with the memory it touched.",
    )  # fmt: skip
    parser.add_argument(
        "--no-scrub", action="store_true",
        help="Show what strings and bytes in variables say, and the command line as it is.",
    )  # fmt: skip
    add_places(parser)


def run(chosen: argparse.Namespace) -> int:
    """Show them; the exit status."""
    from forensics.stacks import Wanted, open_stacks

    wanted = Wanted(
        chosen.thread, chosen.all, chosen.locals, chosen.locals or chosen.registers, chosen.format == "gdb",
        not chosen.no_scrub,
    )  # fmt: skip
    view = open_stacks(chosen.core, places_of(chosen), wanted)
    if chosen.format == "text" and not chosen.output:
        from functools import partial

        from forensics.report.backtrace import WIDTH, text_lines
        from forensics.report.terminal import print_lines

        print_lines(partial(text_lines, view), WIDTH)
        return 0
    from forensics.report.backtrace import render

    write(render(view, chosen.format), chosen.output)
    return 0
