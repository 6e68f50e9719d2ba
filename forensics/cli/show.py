"""`show`: HAProxy's state from the core."""

from __future__ import annotations

import argparse

from forensics.cli.arguments import Parser, number
from forensics.cli.options import LIST_FORMATS, add_format, add_output, add_places, places_of
from forensics.cli.output import warn, write_pieces
from forensics.show.whats import WHATS

#: Columns of the list of commands, and where the texts in it begin.
_WIDEST, _COLUMN = 98, 27

DESCRIPTION = """\
Ask a dead HAProxy what a live one answers to `show`, in the shape of its own CLI.

{whats}

Entries that were damaged are told with the address of the first link that is broken. A core holds
secrets: addresses of clients, keys and names are replaced unless --no-scrub is given.

haproxy-forensics show threads core
haproxy-forensics show table clients core --limit 20
haproxy-forensics show address 0x55703996fba0 core
haproxy-forensics show info core --format json"""


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
    """The commands with what they take; about each in a line or two."""
    import textwrap

    lines = []
    for name, what in WHATS.items():
        head, about = f"  {name} {what.words}".rstrip(), textwrap.wrap(what.about, _WIDEST - _COLUMN)
        if len(head) > _COLUMN - 2:
            lines.append(head)
            head = ""
        lines += [f"{first:<{_COLUMN}}{line}" for first, line in zip((head, *[""] * len(about)), about, strict=False)]
    return "\n".join(lines)


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
