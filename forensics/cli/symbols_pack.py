"""`symbols pack`."""

from __future__ import annotations

import argparse
import sys

from forensics.cli.arguments import Parser
from forensics.cli.options import add_places, places_of

DESCRIPTION = """\
Write one file with the symbols of builds, for another machine.

Of a core, all its modules whose files are found. Without WHAT, all that the symbol store holds.

haproxy-forensics symbols pack core                        # on the host that has the files
haproxy-forensics triage core --symbols haproxy.symbols    # on a laptop that has none"""


def configure(parser: Parser) -> None:
    """The arguments of the command."""
    parser.add_argument("inputs", metavar="WHAT", nargs="*", help="Cores, executables, libraries, build-ids.")
    parser.add_argument(
        "-o", "--output", metavar="FILE", default="haproxy.symbols", help="The pack; haproxy.symbols if not given."
    )
    parser.add_argument(
        "--slim", action="store_true", help="Only names, lines and calls: a quarter of the size, some seconds of work."
    )
    add_places(parser)


def run(chosen: argparse.Namespace) -> int:
    """Write it; the exit status."""
    from forensics.absence import Absence
    from forensics.builds import extract
    from forensics.errors import EmptyInput, UnreadableInput
    from forensics.symbols.pack_writer import write_pack
    from forensics.symbols.store import SymbolStore

    store = SymbolStore()
    wanted = chosen.inputs or [build_id for build_id, _pack in store.entries()]
    entries = []
    for one in extract(wanted, places_of(chosen), store, slim=chosen.slim):
        if isinstance(one.entry, Absence):
            sys.stderr.write(f"warning: no symbols of {one.path}: {one.entry.reason}\n")
        else:
            entries.append(one.entry)
            print(f"{one.build_id}  {one.path}")
    if not entries:
        raise EmptyInput("there is nothing to pack", "name a core or an executable, or fill the store: `symbols add`")
    try:
        write_pack(chosen.output, entries)
    except OSError as error:
        raise UnreadableInput(f"cannot write `{chosen.output}`: {error.strerror}", "choose another --output") from error
    sys.stderr.write(f"{len(entries)} builds in {chosen.output}, {sum(map(len, entries)) / (1 << 20):.1f} MiB\n")
    return 0
