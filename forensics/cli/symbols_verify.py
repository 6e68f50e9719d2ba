"""`symbols verify`."""

from __future__ import annotations

import argparse

from forensics.cli.arguments import Parser

DESCRIPTION = """\
Check that the symbol store or packs can be read, to the last byte.

Exit status 1 when one cannot; `symbols add` makes an entry of the store again."""


def configure(parser: Parser) -> None:
    """The arguments of the command."""
    parser.add_argument("packs", metavar="PACK", nargs="*", help="Packs; without, the symbol store.")


def run(chosen: argparse.Namespace) -> int:
    """Check them; the exit status."""
    from forensics.absence import Absence
    from forensics.symbols.store import opened

    failed = 0
    for build_id, entry in opened(chosen.packs):
        if isinstance(entry, Absence):
            failed = 1
            print(f"{build_id}  {entry.reason}")
        elif broken := entry.broken_sections():
            failed = 1
            print(f"{build_id}  damaged: {', '.join(broken)}")
        else:
            print(f"{build_id}  good")
    return failed
