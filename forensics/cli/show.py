"""`show`: HAProxy's state from the core."""

from __future__ import annotations

import argparse

from forensics.cli.arguments import Parser, number
from forensics.cli.options import LIST_FORMATS, add_format, add_output, add_places, places_of
from forensics.cli.output import warn, write_pieces
from forensics.show.whats import WHATS

DESCRIPTION = """\
Ask a dead HAProxy what a live one answers to `show`, in the shape of its own CLI.

{whats}

Entries that were damaged are told with the address of the first link that is broken. A core holds
secrets: addresses of clients, keys and names are replaced unless --no-scrub is given.

haproxy-forensics show info core
haproxy-forensics show libs core --format json"""


def configure(parser: Parser) -> None:
    """The arguments of the command."""
    parser.usage = "%(prog)s [options] WHAT [WORD...] CORE"
    parser.description = DESCRIPTION.format(whats=_listed())
    parser.add_argument("what", metavar="WHAT", choices=list(WHATS), help="One of the above.")
    parser.add_argument("words", metavar="[WORD...] CORE", nargs="+", help="What the command takes, then the core.")
    add_format(parser, LIST_FORMATS, "Form of the answer.")
    add_output(parser)
    parser.add_argument(
        "--limit", metavar="N", type=number(int, 0), default=0, help="Entries of a list to show, 0 for all."
    )
    parser.add_argument(
        "--offset", metavar="N", type=number(int, 0), default=0, help="Entries of a list to leave out before."
    )
    parser.add_argument("--no-scrub", action="store_true", help="Show keys, names and addresses of clients.")
    add_places(parser)


def _listed() -> str:
    rows = {f"{name} {what.words}".strip(): what.about for name, what in WHATS.items()}
    width = max(map(len, rows)) + 2
    return "\n".join(f"  {name:<{width}}{about}" for name, about in rows.items())


def run(chosen: argparse.Namespace) -> int:
    """Answer; the exit status."""
    from forensics.show.answer import Question
    from forensics.show.asked import ask
    from forensics.show.output import json_text, text_lines

    *words, core = chosen.words
    question = Question(tuple(words), chosen.limit, chosen.offset, not chosen.no_scrub)
    asked = ask(core, chosen.what, question, places_of(chosen))
    write_pieces((json_text(asked),) if chosen.format == "json" else text_lines(asked), chosen.output)
    for gap in asked.gaps() if chosen.format == "text" else ():
        warn(gap)
    return 0
