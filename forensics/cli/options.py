"""Options that several commands share."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from forensics.cli.arguments import Parser, number
from forensics.errors import UsageError

if TYPE_CHECKING:
    from forensics.symbols.places import Places

#: Renderings of lists.
LIST_FORMATS = ("text", "json")


def add_places(parser: Parser, *, packs: bool = True) -> None:
    """The options that say where symbols are; ``places_of`` reads them."""
    group = parser.add_argument_group("where symbols are (each file must prove itself by its build-id)")
    group.add_argument("--exe", metavar="FILE", default="", help="The executable that ran.")
    group.add_argument(
        "--debug-dir", metavar="DIR", action="append", default=[],
        help="Directory with debug files, executables or libraries: as /usr/lib/debug, or flat. Repeatable.",
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
    group.add_argument(
        "--debuginfod", action="store_true",
        help="Ask the servers in DEBUGINFOD_URLS for what is missing; otherwise only their cache is used.",
    )  # fmt: skip
    group.add_argument(
        "--debuginfod-url", metavar="URL", action="append", default=[], help="Ask this server instead. Repeatable."
    )
    group.add_argument(
        "--debuginfod-timeout", metavar="SECONDS", type=number(float, 0), default=0.0,
        help="For all requests together; 60 if not given.",
    )  # fmt: skip


def places_of(chosen: argparse.Namespace) -> Places:
    """What ``add_places`` was given. UsageError when servers are to be asked and none is known."""
    from forensics.symbols.places import Places  # not on the way to --help

    places = Places(
        chosen.exe, tuple(chosen.debug_dir), chosen.sysroot, tuple(getattr(chosen, "symbols", ())),
        chosen.debuginfod, tuple(chosen.debuginfod_url), chosen.debuginfod_timeout,
    )  # fmt: skip
    if places.debuginfod or places.debuginfod_urls:
        from forensics.symbols.debuginfod.settings import settings_of

        settings_of(places)
    return places


def add_signatures(parser: Parser) -> None:
    """`--signatures`."""
    parser.add_argument(
        "--signatures", metavar="DIR", default="", help="Directory with signatures of your own, used besides ours."
    )


def _zone(name: str) -> str:
    """The type of a zone's name."""
    from forensics.logs.zones import Zone

    try:
        return Zone(name).name
    except UsageError as error:
        raise argparse.ArgumentTypeError(f"{error.message}: give {error.hint}") from error


def add_timezone(parser: argparse.ArgumentParser) -> None:
    """`--timezone`."""
    parser.add_argument(
        "--timezone", metavar="ZONE", type=_zone,
        help="Zone of the times in logs that name none: Europe/Berlin, +02:00. UTC if not given.",
    )  # fmt: skip


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
