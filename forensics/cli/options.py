"""Options that several commands share."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from forensics.cli.arguments import Parser

if TYPE_CHECKING:
    from forensics.symbols.find import Places

#: Renderings of lists.
LIST_FORMATS = ("text", "json")


def add_places(parser: Parser, *, packs: bool = True) -> None:
    """The options that say where symbols are; ``places_of`` reads them."""
    group = parser.add_argument_group("where symbols are (each file must prove itself by its build-id)")
    group.add_argument("--exe", metavar="FILE", default="", help="The executable that ran.")
    group.add_argument(
        "--debug-dir", metavar="DIR", action="append", default=[],
        help="Directory with .build-id/xx/yyyy.debug files, as /usr/lib/debug. Repeatable.",
    )  # fmt: skip
    group.add_argument(
        "--sysroot", metavar="DIR", default="",
        help="Copy of the crashed host's root directory; this host's own files are then not used.",
    )  # fmt: skip
    if packs:
        group.add_argument(
            "--symbols", metavar="PATH", action="append", default=[],
            help="Symbol pack, or directory of symbol packs. Repeatable.",
        )  # fmt: skip


def places_of(chosen: argparse.Namespace) -> Places:
    """What ``add_places`` was given."""
    from forensics.symbols.find import Places  # not on the way to --help

    return Places(chosen.exe, tuple(chosen.debug_dir), chosen.sysroot, tuple(getattr(chosen, "symbols", ())))


def add_signatures(parser: Parser) -> None:
    """`--signatures`."""
    parser.add_argument(
        "--signatures", metavar="DIR", default="", help="Directory with signatures of your own, used besides ours."
    )


def add_no_scrub(parser: Parser) -> None:
    """`--no-scrub`."""
    parser.add_argument(
        "--no-scrub", action="store_true", help="Leave addresses, names and secrets of clients in the report."
    )


def add_format(parser: Parser, formats: tuple[str, ...], about: str) -> None:
    """`--format`; the first of ``formats`` is the default."""
    parser.add_argument(
        "-f", "--format", choices=formats, default=formats[0], metavar="|".join(formats), help=about
    )  # fmt: skip


def add_output(parser: Parser) -> None:
    """`--output`."""
    parser.add_argument("-o", "--output", metavar="FILE", default="", help="Write there, not to standard output.")
