"""`symbols add`."""

from __future__ import annotations

import argparse
import sys

from forensics.cli.arguments import Parser
from forensics.cli.options import add_places, places_of

DESCRIPTION = """\
Keep in the symbol store what the files of builds say, by build-id.

Of a core, all its modules are added whose files are found. From then on their stacks have names
and lines on this machine, whatever becomes of the files.

haproxy-forensics symbols add /usr/sbin/haproxy    # before the next upgrade
haproxy-forensics symbols add core"""


def configure(parser: Parser) -> None:
    """The arguments of the command."""
    parser.add_argument("inputs", metavar="FILE", nargs="+", help="Executables, libraries, or cores of them.")
    add_places(parser)


def run(chosen: argparse.Namespace) -> int:
    """Add them; the exit status, 1 when a build could not be added."""
    from forensics.absence import Absence
    from forensics.builds import extract
    from forensics.symbols.store import SymbolStore

    store, failed = SymbolStore(), 0
    for one in extract(chosen.inputs, places_of(chosen), store):
        if isinstance(one.entry, Absence):
            failed = 1
            sys.stderr.write(f"warning: no symbols of {one.path}: {one.entry.reason}\n")
        elif one.kept:
            print(f"{one.build_id}  {one.path}  (kept before)")
        else:
            store.add(one.build_id, one.entry)
            print(f"{one.build_id}  {one.path}")
    return failed
